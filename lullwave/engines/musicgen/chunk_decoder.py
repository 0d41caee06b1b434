"""Decodes the tokens of songs into chunks of samples.

On a GPU the codec runs on a CUDA stream of its own. The reader of the samples waits for it; the decoder does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...audio import Samples
from .model.codec import CodecDecoder
from .model.config import ModelConfig
from .model.graphed_codec import GraphedCodec
from .song import CHUNK, CodecPoint, Song


@dataclass(frozen=True)
class DecodedChunk:
    """Samples (C, N), valid once ``event`` has occurred (None: at once)."""

    samples: Tensor
    event: Any = None

    def array(self) -> Samples:
        """Wait for the samples and return them as (N, C)."""
        if self.event is not None:
            self.event.synchronize()
        return np.ascontiguousarray(self.samples.numpy().T)


class ChunkDecoder:
    """Runs the codec on the tokens of songs, on the scheduler's thread; ``prime`` runs before a song is added."""

    def __init__(self, codec: CodecDecoder | GraphedCodec, config: ModelConfig) -> None:
        self._codec, self._config = codec, config
        cuda: Any = torch.cuda
        self._side: Any = cuda.Stream(codec.device) if codec.device.type == "cuda" else None

    @property
    def lookahead(self) -> int:
        return self._codec.lookahead_frames

    def decode(self, song: Song, chunk: int) -> tuple[DecodedChunk, CodecPoint]:
        """Decode a chunk; also return the codec's state after it."""
        point = song.codec_point(chunk)
        needed = song.frames_needed(chunk)
        codes = song.codes(point.fed, needed)
        last = needed == song.total
        frames = CHUNK if song.total is None else min(CHUNK, song.total - song.origin - chunk * CHUNK)
        if self._side is None:
            samples, after = self._run(point, codes, needed, last, frames * self._config.hop_samples)
            return DecodedChunk(samples.cpu()), after
        with torch.cuda.stream(self._side):
            samples, after = self._run(point, codes, needed, last, frames * self._config.hop_samples)
            out = torch.empty(samples.shape, pin_memory=True)
            out.copy_(samples, non_blocking=True)
            event: Any = self._side.record_event()
        return DecodedChunk(out, event), replace(after, event=event)

    def prime(self, codes: Tensor) -> CodecPoint:
        """The codec's state after the tokens (K, n) of audio that a song continues."""
        samples, state = self._codec(self._split(codes))
        if self._side is not None:
            torch.cuda.synchronize()  # the state was computed on another stream than the one that uses it
        hop = self._config.hop_samples
        return CodecPoint(state, samples[:, :0], codes.shape[1], codes.shape[1] * hop - samples.shape[1])

    def _run(self, point: CodecPoint, codes: Tensor, needed: int, last: bool, count: int) -> tuple[Tensor, CodecPoint]:
        device = self._codec.device
        samples, skip = point.rest.to(device), point.skip
        state = tuple(part.to(device) for part in point.state)
        if codes.shape[1]:
            fresh, state = self._codec(self._split(codes), state, last)
            samples = torch.cat([samples, fresh[:, skip:]], 1)
            skip = max(0, skip - fresh.shape[1])
        return samples[:, :count], CodecPoint(state, samples[:, count:].clone(), needed, skip)

    def _split(self, codes: Tensor) -> Tensor:
        """(K, T) → (channels, K / channels, T): the codebooks of left and right are interleaved."""
        channels = self._config.channels
        return codes.view(-1, channels, codes.shape[1]).transpose(0, 1)
