"""The codec with its usual call recorded: a chunk of fixed size in the middle of a song.

On a GPU that call starts about a hundred small kernels, and starting them takes longer than computing. The first and
the last chunk of a song, and chunks of other sizes, go to the codec itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from .codec import CodecDecoder, State

log = logging.getLogger(__name__)

Decoded = tuple[Tensor, State]
Record = Callable[[Callable[[], Decoded]], Callable[[], Decoded]]


class GraphedCodec:
    """Decodes like ``CodecDecoder``; one thread. ``record`` is ``cuda_graphs.record``."""

    def __init__(self, codec: CodecDecoder, frames: int, record: Record) -> None:
        """Record calls for ``frames`` frames, when the first of them comes."""
        self._codec, self._frames, self._record = codec, frames, record
        self._replay: Callable[[], Decoded] | None = None
        self._failed = False
        self._inputs: tuple[Tensor, ...] = ()  # codes, and the parts of the state

    @property
    def device(self) -> torch.device:
        return self._codec.device

    @property
    def lookahead_frames(self) -> int:
        return self._codec.lookahead_frames

    def __call__(self, codes: Tensor, state: State = (), last: bool = False) -> Decoded:
        """Decode codes (B, K, T) as ``CodecDecoder`` does."""
        if last or not state or codes.shape[2] != self._frames or self._failed:
            return self._codec(codes, state, last)
        given = (codes.to(self.device), *state)
        if self._replay is None:
            self._inputs = tuple(part.clone() for part in given)
            try:
                self._replay = self._record(lambda: self._codec(self._inputs[0], self._inputs[1:]))
            except RuntimeError as problem:  # a library that cannot be recorded, with this driver
                log.warning("the codec cannot be recorded here and runs call by call: %s", problem)
                self._failed = True
                return self._codec(codes, state)
        if any(part.shape != held.shape for part, held in zip(given, self._inputs, strict=True)):
            return self._codec(codes, state)
        for part, held in zip(given, self._inputs, strict=True):
            held.copy_(part)
        samples, after = self._replay()
        return samples.clone(), tuple(part.clone() for part in after)
