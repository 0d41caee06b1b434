"""The state of one song: tokens, current step, filled windows, decoded chunks.

Knows nothing of threads. A *step* makes one token per codebook; codebook k lags by its delay, so that frame f is
complete after step f + max(delays). A *chunk* is ``CHUNK`` frames of sound, counted from the song's origin (the end
of the audio that it continues, or 0).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakSet

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...errors import SnapshotError
from .model.codec import State
from .model.config import FRAME_RATE, ModelConfig
from .prompt_schedule import PromptSchedule, Window
from .sampling import Sampling

CHUNK = 25  # frames per chunk: half a second
KEPT_S = 90.0  # how far back a song can be resumed
AHEAD = 2  # chunks made ahead of the one that is being read

Tokens = npt.NDArray[np.int16]


@dataclass(frozen=True)
class CodecPoint:
    """The codec between two chunks: its state, decoded samples (C, N) not yet output, frames decoded so far."""

    state: State
    rest: Tensor
    fed: int
    skip: int = 0  # samples to drop: they belong to the continued audio
    event: Any = None  # CUDA event after which the state is valid


@dataclass
class SlotContents:
    """What a slot holds: ``count`` positions of window ``number``, after ``prefix`` states; -1: nothing."""

    number: int = -1
    count: int = -1
    prefix: int = 0


@dataclass(eq=False)
class Song:
    """A song. ``step`` is the next step; ``total`` is in frames, with the origin, None if endless.

    Not thread-safe: changed under the scheduler's lock.
    """

    config: ModelConfig
    schedule: PromptSchedule
    sampling: Sampling
    seed: int
    lookahead: int
    origin: int = 0
    total: int | None = None
    melody: Tensor | None = None  # chroma (T, bins) from the origin on, repeated
    step: int = 0
    base: int = 0  # frame of the first token kept
    tokens: Tokens = field(default_factory=lambda: np.zeros((0, 0), np.int16))
    codec_points: OrderedDict[int, CodecPoint] = field(default_factory=OrderedDict)  # by the number of the next chunk
    chunks: OrderedDict[int, Any] = field(default_factory=OrderedDict)  # decoded chunks by number
    reading: int = 0  # chunk that is being read
    contents: dict[int, SlotContents] = field(default_factory=dict)  # by slot
    slots: tuple[int, ...] = ()
    epoch: int = 0  # increases when the song is rolled back: results of older epochs are dropped
    parent: Song | None = None  # the song that it was forked from; steps before ``shared_steps`` are the same
    shared_steps: int = 0
    branches: WeakSet[Song] = field(default_factory=WeakSet)

    def __post_init__(self) -> None:
        if not self.tokens.size:
            self.tokens = np.full((self.config.codebooks, 1024), self.config.pad, np.int16)

    @property
    def guided(self) -> bool:
        return self.sampling.guidance != 1.0

    @property
    def lag(self) -> int:
        """Steps until a frame has all its codebooks."""
        return max(self.config.delays)

    @property
    def last_step(self) -> int | None:
        """The step after the last; None for endless songs."""
        return None if self.total is None else self.total + self.lag

    @property
    def last_chunk(self) -> int | None:
        """The chunk after the last."""
        return None if self.total is None else -(-(self.total - self.origin) // CHUNK)

    @property
    def slots_wanted(self) -> int:
        """Two, as windows overlap; one if the whole song fits into one window."""
        single = self.total is not None and self.total + self.lag < self.schedule.length
        return 1 if single and not self.config.melody else 2

    @property
    def ready(self) -> int:
        """The first missing chunk from the one being read on."""
        chunk = self.reading
        while chunk in self.chunks:
            chunk += 1
        return chunk

    @property
    def wants_chunks(self) -> bool:
        """Tell whether a chunk should be made now."""
        end = self.last_chunk
        return self.ready < self.reading + 1 + AHEAD and (end is None or self.ready < end)

    def frames_needed(self, chunk: int) -> int:
        """Frames that must be complete before a chunk can be decoded."""
        frames = self.origin + (chunk + 1) * CHUNK + self.lookahead
        return frames if self.total is None else min(frames, self.total)

    def can_decode(self, chunk: int) -> bool:
        return self.step >= self.frames_needed(chunk) + self.lag and self._find_codec_point(chunk) is not None

    def codes(self, start: int, stop: int) -> Tensor:
        """Tokens (K, n) of frames."""
        return torch.from_numpy(self.tokens[:, start - self.base : stop - self.base].astype(np.int64))

    def inputs(self, window: Window, position: int) -> Tensor:
        """Decoder input (K,) at a position of a window: for codebook k the previous frame, less its delay; else pad."""
        out = np.full(self.config.codebooks, self.config.pad, np.int64)
        for k, delay in enumerate(self.config.delays):
            frame = window.first + position - 1 - delay
            if frame >= max(window.first, self.base) and (self.total is None or frame < self.total):
                out[k] = self.tokens[k, frame - self.base]
        return torch.from_numpy(out)

    def accept(self, tokens: npt.NDArray[np.int64]) -> None:
        """Store the tokens (K,) of ``step``: one per codebook, each for another frame."""
        self._make_room(self.step + 1)
        for k, delay in enumerate(self.config.delays):
            frame = self.step - delay
            if frame >= self.origin and (self.total is None or frame < self.total):
                self.tokens[k, frame - self.base] = tokens[k]
        self.step += 1

    def begin_with(self, codes: Tensor) -> None:
        """Continue audio whose tokens are ``codes`` (K, n)."""
        self.origin = codes.shape[1]
        self._make_room(self.origin)
        self.tokens[:, : self.origin] = codes.numpy()
        self.step = self.origin

    def steer(self, prompt: str, over: int, position_samples: int) -> None:
        """Steer from the first frame on that the samples before ``position_samples`` do not depend on."""
        step = self._first_free_step(position_samples)
        self.schedule = self.schedule.with_steer(step, over, prompt, new_window=self.config.melody)
        self._roll_back(step)

    def codec_point(self, chunk: int) -> CodecPoint:
        """The codec's state before a chunk.

        Raises:
            SnapshotError: the chunk is too far back.
        """
        point = self._find_codec_point(chunk)
        if point is None:
            raise SnapshotError(f"that frame is older than the state kept of this stream (at most {KEPT_S:g} s)")
        return point

    def store_chunk(self, chunk: int, sound: Any, point: CodecPoint) -> None:
        """Store a decoded chunk and the codec's state after it; drop old ones."""
        self.chunks[chunk] = sound
        self.codec_points[chunk + 1] = point
        keep = int(KEPT_S * FRAME_RATE / CHUNK) + 2
        for kept in (self.chunks, self.codec_points):
            for old in [c for c in kept if c < self.reading - (keep if kept is self.codec_points else 0)]:
                del kept[old]

    def branch(self, chunk: int) -> Song:
        """Fork the song before ``chunk``; tokens already generated after it are kept.

        Raises:
            SnapshotError: the chunk is too far back.
        """
        self.codec_point(chunk)
        other = replace(
            self,
            tokens=self.tokens.copy(),
            codec_points=OrderedDict((at, kept) for at, kept in self.codec_points.items() if at <= chunk),
            chunks=OrderedDict(),
            reading=chunk,
            contents={},
            slots=(),
            epoch=0,
            parent=self,
            shared_steps=self.step,
            branches=WeakSet(),
        )
        self.branches.add(other)
        return other

    def _find_codec_point(self, chunk: int) -> CodecPoint | None:
        if chunk == 0 and self.origin == 0 and 0 not in self.codec_points:
            return CodecPoint((), torch.zeros(self.config.channels, 0), 0)
        return self.codec_points.get(chunk)

    def _first_free_step(self, position_samples: int) -> int:
        chunk = -(-position_samples // (CHUNK * self.config.hop_samples))
        if chunk == 0:
            return self.origin
        return self.frames_needed(chunk - 1) + self.lag

    def _roll_back(self, step: int) -> None:
        self.epoch += 1
        self.step = min(self.step, step)
        self.shared_steps = min(self.shared_steps, step)
        for other in self.branches:
            other.shared_steps = min(other.shared_steps, step)
        for chunk in [c for c in self.chunks if self.frames_needed(c) + self.lag > step]:
            del self.chunks[chunk]
            self.codec_points.pop(chunk + 1, None)
        for chunk in [c for c in self.codec_points if c and self.frames_needed(c - 1) + self.lag > step]:
            del self.codec_points[chunk]
        main, upcoming = self.schedule.window_at(step), self.schedule.next_window(step)
        for held in self.contents.values():
            window = upcoming if upcoming is not None and held.number == upcoming.number else main
            if held.number > window.number or (
                held.number == window.number and self.schedule.fill_step(window) == step
            ):
                held.number, held.count = -1, -1
            elif held.number == window.number:
                held.count = min(held.count, step - window.first)

    def _make_room(self, frames: int) -> None:
        """Make room for ``frames``; drop tokens that are too old to resume from."""
        if frames - self.base <= self.tokens.shape[1]:
            return
        kept = int(KEPT_S * FRAME_RATE) + self.schedule.length + 4 * CHUNK
        first = max(self.base, min(frames - kept, self.reading * CHUNK + self.origin - kept))
        old = self.tokens[:, first - self.base :]
        wider = np.full((self.config.codebooks, max(1024, 2 * (frames - first))), self.config.pad, np.int16)
        wider[:, : old.shape[1]] = old
        self.tokens, self.base = wider, first
