"""One song: its tokens, where it stands, which windows it has filled, which chunks of sound are made.

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
from .codec import State
from .config import FRAME_RATE, Shape
from .prompt_schedule import Program, Window
from .sampling import Sampling

CHUNK = 25  # frames of a chunk of sound: half a second
KEPT_S = 90.0  # how far back a song can be taken up again
AHEAD = 2  # chunks made beyond the one that is being read

Tokens = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Point:
    """The codec between two chunks: its state, samples (C, N) made but not given out, frames fed so far."""

    state: State
    rest: Tensor
    fed: int
    skip: int = 0  # samples still to come that belong to the audio that is continued
    event: Any = None  # of a GPU: when the state is there


@dataclass
class Filled:
    """What a slot holds: ``count`` positions of the window of that number, after ``prefix`` states; -1 is nothing."""

    number: int = -1
    count: int = -1
    prefix: int = 0


@dataclass(eq=False)
class Song:
    """The state of a song. ``step`` is the next one; ``total`` (frames, origin included) is None for endless ones."""

    shape: Shape
    program: Program
    sampling: Sampling
    seed: int
    lookahead: int
    origin: int = 0
    total: int | None = None
    melody: Tensor | None = None  # chroma (T, bins) from the origin on, over and over
    step: int = 0
    base: int = 0  # frame of the first token that is kept
    tokens: Tokens = field(default_factory=lambda: np.zeros((0, 0), np.int16))
    points: OrderedDict[int, Point] = field(default_factory=OrderedDict)  # by the chunk that comes next
    sound: OrderedDict[int, Any] = field(default_factory=OrderedDict)  # chunks, as whoever makes them leaves them
    reading: int = 0  # the chunk that is being read
    filled: dict[int, Filled] = field(default_factory=dict)  # by slot
    slots: tuple[int, ...] = ()
    epoch: int = 0  # changes when the song is rolled back: results of an older one are void
    donor: Song | None = None  # a song with the same past, up to (not with) ``shared`` steps
    shared: int = 0
    branches: WeakSet[Song] = field(default_factory=WeakSet)

    def __post_init__(self) -> None:
        if not self.tokens.size:
            self.tokens = np.full((self.shape.codebooks, 1024), self.shape.pad, np.int16)

    @property
    def guided(self) -> bool:
        return self.sampling.guidance != 1.0

    @property
    def lag(self) -> int:
        """Steps after which a frame is complete."""
        return max(self.shape.delays)

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
        """Two windows overlap; a song that fits into one needs one."""
        single = self.total is not None and self.total + self.lag < self.program.length
        return 1 if single and not self.shape.melody else 2

    @property
    def ready(self) -> int:
        """The first chunk from the one being read on that is not made."""
        chunk = self.reading
        while chunk in self.sound:
            chunk += 1
        return chunk

    @property
    def wants(self) -> bool:
        """Whether chunks are to be made."""
        end = self.last_chunk
        return self.ready < self.reading + 1 + AHEAD and (end is None or self.ready < end)

    def needed(self, chunk: int) -> int:
        """Frames that must be complete before a chunk can be made."""
        frames = self.origin + (chunk + 1) * CHUNK + self.lookahead
        return frames if self.total is None else min(frames, self.total)

    def can_sound(self, chunk: int) -> bool:
        return self.step >= self.needed(chunk) + self.lag and self._start_of(chunk) is not None

    def codes(self, start: int, stop: int) -> Tensor:
        """Tokens of frames (K, n)."""
        return torch.from_numpy(self.tokens[:, start - self.base : stop - self.base].astype(np.int64))

    def inputs(self, window: Window, position: int) -> Tensor:
        """What goes in at a position of a window: of codebook k the frame before, k steps late; pad outside."""
        out = np.full(self.shape.codebooks, self.shape.pad, np.int64)
        for k, delay in enumerate(self.shape.delays):
            frame = window.first + position - 1 - delay
            if frame >= max(window.first, self.base) and (self.total is None or frame < self.total):
                out[k] = self.tokens[k, frame - self.base]
        return torch.from_numpy(out)

    def accept(self, tokens: npt.NDArray[np.int64]) -> None:
        """The tokens of ``step``: one per codebook, each of its own frame."""
        self._make_room(self.step + 1)
        for k, delay in enumerate(self.shape.delays):
            frame = self.step - delay
            if frame >= self.origin and (self.total is None or frame < self.total):
                self.tokens[k, frame - self.base] = tokens[k]
        self.step += 1

    def begin_with(self, codes: Tensor) -> None:
        """Continue from the tokens (K, n) of given audio."""
        self.origin = codes.shape[1]
        self._make_room(self.origin)
        self.tokens[:, : self.origin] = codes.numpy()
        self.step = self.origin

    def steer(self, prompt: str, over: int, position_samples: int) -> None:
        """Turn to ``prompt`` from the first frame that no sound given out so far depends on."""
        step = self._next_free(position_samples)
        self.program = self.program.steered(step, over, prompt, anew=self.shape.melody)
        self._roll_back(step)

    def sounding(self, chunk: int) -> Point:
        """The codec before a chunk.

        Raises:
            SnapshotError: it lies too far back.
        """
        point = self._start_of(chunk)
        if point is None:
            raise SnapshotError(f"that moment lies before all that is kept of this stream (at most {KEPT_S:g} s)")
        return point

    def sounded(self, chunk: int, sound: Any, point: Point) -> None:
        """A chunk is made; ``point`` is the codec after it."""
        self.sound[chunk] = sound
        self.points[chunk + 1] = point
        keep = int(KEPT_S * FRAME_RATE / CHUNK) + 2
        for kept in (self.sound, self.points):
            for old in [c for c in kept if c < self.reading - (keep if kept is self.points else 0)]:
                del kept[old]

    def branch(self, chunk: int) -> Song:
        """The same song taken up before ``chunk``, with all that is known of what follows.

        Raises:
            SnapshotError: it lies too far back.
        """
        self.sounding(chunk)
        other = replace(
            self,
            tokens=self.tokens.copy(),
            points=OrderedDict((at, kept) for at, kept in self.points.items() if at <= chunk),
            sound=OrderedDict(),
            reading=chunk,
            filled={},
            slots=(),
            epoch=0,
            donor=self,
            shared=self.step,
            branches=WeakSet(),
        )
        self.branches.add(other)
        return other

    def _start_of(self, chunk: int) -> Point | None:
        if chunk == 0 and self.origin == 0 and 0 not in self.points:
            return Point((), torch.zeros(self.shape.channels, 0), 0)
        return self.points.get(chunk)

    def _next_free(self, position_samples: int) -> int:
        chunk = -(-position_samples // (CHUNK * self.shape.hop_samples))
        if chunk == 0:
            return self.origin
        return self.needed(chunk - 1) + self.lag

    def _roll_back(self, step: int) -> None:
        self.epoch += 1
        self.step = min(self.step, step)
        self.shared = min(self.shared, step)
        for other in self.branches:
            other.shared = min(other.shared, step)
        for chunk in [c for c in self.sound if self.needed(c) + self.lag > step]:
            del self.sound[chunk]
            self.points.pop(chunk + 1, None)
        for chunk in [c for c in self.points if c and self.needed(c - 1) + self.lag > step]:
            del self.points[chunk]
        main, shadow = self.program.main(step), self.program.shadow(step)
        for held in self.filled.values():
            window = shadow if shadow is not None and held.number == shadow.number else main
            if held.number > window.number or (held.number == window.number and self.program.begins(window) == step):
                held.number, held.count = -1, -1
            elif held.number == window.number:
                held.count = min(held.count, step - window.first)

    def _make_room(self, frames: int) -> None:
        """Room for ``frames``; what lies further back than anybody can go is let go."""
        if frames - self.base <= self.tokens.shape[1]:
            return
        kept = int(KEPT_S * FRAME_RATE) + self.program.length + 4 * CHUNK
        first = max(self.base, min(frames - kept, self.reading * CHUNK + self.origin - kept))
        old = self.tokens[:, first - self.base :]
        wider = np.full((self.shape.codebooks, max(1024, 2 * (frames - first))), self.shape.pad, np.int16)
        wider[:, : old.shape[1]] = old
        self.tokens, self.base = wider, first
