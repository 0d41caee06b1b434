"""Chunks of a song as samples: what the codec is fed, and what of its output belongs to which chunk.

Knows nothing of scheduling. On a GPU the codec runs on a stream of its own, beside the decoder; whoever wants the
samples waits for them, not the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...audio import Samples
from .codec import CodecDecoder
from .config import Shape
from .song import CHUNK, Point, Song


@dataclass(frozen=True)
class Sound:
    """Samples (C, N) that are there, or will be when ``event`` has come."""

    samples: Tensor
    event: Any = None

    def array(self) -> Samples:
        """(N, C); waits for them."""
        if self.event is not None:
            self.event.synchronize()
        return np.ascontiguousarray(self.samples.numpy().T)


class SoundMaker:
    """Turns the tokens of songs into chunks of sound."""

    def __init__(self, codec: CodecDecoder, shape: Shape) -> None:
        self._codec, self._shape = codec, shape
        cuda: Any = torch.cuda
        self._side: Any = cuda.Stream(codec.device) if codec.device.type == "cuda" else None

    @property
    def lookahead(self) -> int:
        return self._codec.lookahead_frames

    def make(self, song: Song, chunk: int) -> tuple[Sound, Point]:
        """A chunk, and the codec after it."""
        point = song.sounding(chunk)
        needed = song.needed(chunk)
        codes = song.codes(point.fed, needed)
        last = needed == song.total
        frames = CHUNK if song.total is None else min(CHUNK, song.total - song.origin - chunk * CHUNK)
        if self._side is None:
            samples, after = self._fed(point, codes, needed, last, frames * self._shape.hop_samples)
            return Sound(samples.cpu()), after
        with torch.cuda.stream(self._side):
            samples, after = self._fed(point, codes, needed, last, frames * self._shape.hop_samples)
            out = torch.empty(samples.shape, pin_memory=True)
            out.copy_(samples, non_blocking=True)
            event: Any = self._side.record_event()
        return Sound(out, event), replace(after, event=event)

    def primed(self, codes: Tensor) -> Point:
        """The codec after the tokens (K, n) of audio that a song continues."""
        samples, state = self._codec(self._split(codes))
        if self._side is not None:
            torch.cuda.synchronize()  # made on another stream than what follows
        hop = self._shape.hop_samples
        return Point(state, samples[:, :0], codes.shape[1], codes.shape[1] * hop - samples.shape[1])

    def _fed(self, point: Point, codes: Tensor, needed: int, last: bool, count: int) -> tuple[Tensor, Point]:
        device = self._codec.device
        samples, skip = point.rest.to(device), point.skip
        state = tuple(part.to(device) for part in point.state)
        if codes.shape[1]:
            fresh, state = self._codec(self._split(codes), state, last)
            samples = torch.cat([samples, fresh[:, skip:]], 1)
            skip = max(0, skip - fresh.shape[1])
        return samples[:, :count], Point(state, samples[:, count:].clone(), needed, skip)

    def _split(self, codes: Tensor) -> Tensor:
        """(K, T) → (channels, K / channels, T): the codebooks of left and right are interleaved."""
        channels = self._shape.channels
        return codes.view(-1, channels, codes.shape[1]).transpose(0, 1)
