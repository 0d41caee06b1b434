"""The music that is rendered and not on air yet: blocks in order, with marks and beats."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..audio import Samples
from ..engines.base import Mark
from .adapter import CHANNELS


@dataclass(frozen=True)
class RestorePoint:
    """Where and from which engine snapshot the music can be rendered again."""

    frame: int  # station frame from which the engine's music is heard
    engine: str
    snapshot: bytes  # empty: the engine has no snapshots
    skip: int = 0  # frames to drop after restoring the snapshot
    overlap: int = 0  # length of the crossfade from the previous music, in frames


@dataclass(frozen=True)
class Block:
    """Music from station frame ``frame`` on. Its arrays are never written to."""

    frame: int
    samples: Samples  # (T, 2)
    marks: tuple[Mark, ...] = ()
    beats: tuple[int, ...] = ()
    restore_points: tuple[RestorePoint, ...] = ()

    @property
    def end(self) -> int:
        return self.frame + len(self.samples)

    def part(self, start: int, stop: int) -> Block:
        """The part in the station frames ``start <= frame < stop``."""
        return Block(
            start,
            self.samples[start - self.frame : stop - self.frame],
            tuple(m for m in self.marks if start <= m.frame < stop),
            tuple(b for b in self.beats if start <= b < stop),
            tuple(r for r in self.restore_points if start <= r.frame < stop),
        )

    def moved(self, frames: int) -> Block:
        """The same block, ``frames`` later."""
        return Block(
            self.frame + frames,
            self.samples,
            tuple(replace(m, frame=m.frame + frames) for m in self.marks),
            tuple(b + frames for b in self.beats),
            tuple(replace(r, frame=r.frame + frames) for r in self.restore_points),
        )


def join(blocks: list[Block]) -> Block:
    """Join contiguous blocks into one."""
    if len(blocks) == 1:
        return blocks[0]
    return Block(
        blocks[0].frame,
        np.concatenate([b.samples for b in blocks]),
        tuple(m for b in blocks for m in b.marks),
        tuple(f for b in blocks for f in b.beats),
        tuple(r for b in blocks for r in b.restore_points),
    )


class Reserve:
    """A queue of blocks from ``begin`` (the next frame to go on air) to ``end``. Thread-safe.

    The playout thread takes from its beginning; the producer and the source on air append, cut and splice at its end.
    Each method holds ``lock`` by itself; hold it (``with reserve.lock:``) around several calls that must see the same
    reserve. No other lock may be held when it is taken.
    """

    def __init__(self, frame: int = 0) -> None:
        self.lock = threading.RLock()
        self._blocks: deque[Block] = deque()
        self._begin = frame
        self._end = frame
        self._faded_until = frame
        self._closed = False
        self._watchers: list[Callable[[], None]] = []

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def begin(self) -> int:
        return self._begin

    @property
    def end(self) -> int:
        return self._end

    @property
    def faded_until(self) -> int:
        """Where the last crossfade ends: never cut before it."""
        return self._faded_until

    @property
    def frames(self) -> int:
        return self._end - self._begin

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call ``watcher`` after every change, on the changing thread and with the lock held: it must be quick."""
        self._watchers = [*self._watchers, watcher]

    def unwatch(self, watcher: Callable[[], None]) -> None:
        """Call ``watcher`` no more."""
        self._watchers = [one for one in self._watchers if one != watcher]

    def append(self, block: Block, faded: int | None = None) -> None:
        """Add ``block``, which begins at ``end``. ``faded``: how many of its first frames are a crossfade."""
        with self.lock:
            assert block.frame == self._end, "blocks are contiguous"
            self._blocks.append(block)
            self._end = block.end
            if faded is not None:
                self._faded_until = block.frame + faded
            self._notify()

    def take(self, frames: int) -> Block | None:
        """Remove and return the first ``frames`` frames; None while there are fewer."""
        with self.lock:
            if self.frames < frames:
                return None
            stop = self._begin + frames
            taken: list[Block] = []
            while self._blocks and self._blocks[0].frame < stop:
                block = self._blocks.popleft()
                if block.end > stop:
                    self._blocks.appendleft(block.part(stop, block.end))
                    block = block.part(block.frame, stop)
                taken.append(block)
            self._begin = stop
            self._notify()
            return join(taken)

    def cut(self, frame: int) -> Block | None:
        """Remove and return everything from ``frame`` on; None if nothing is there."""
        with self.lock:
            assert self._begin <= frame <= self._end, "only music that has not been taken can be cut"
            removed: list[Block] = []
            while self._blocks and self._blocks[-1].end > frame:
                block = self._blocks.pop()
                if block.frame < frame:
                    self._blocks.append(block.part(block.frame, frame))
                    block = block.part(frame, block.end)
                removed.insert(0, block)
            self._end = frame
            self._notify()
            return join(removed) if removed else None

    def restart(self, frame: int) -> None:
        """Forget all music; the next block begins at ``frame``."""
        with self.lock:
            self._blocks.clear()
            self._begin = self._end = self._faded_until = frame
            self._notify()

    def samples(self, start: int, stop: int) -> Samples:
        """A copy of the samples in ``start <= frame < stop``, (T, 2), as far as they are here."""
        with self.lock:
            parts = [b.samples[max(0, start - b.frame) : max(0, stop - b.frame)] for b in self._blocks]
            return np.concatenate([np.zeros((0, CHANNELS), np.float32), *parts])

    def beats(self, start: int, stop: int) -> list[int]:
        with self.lock:
            return [f for block in self._blocks for f in block.beats if start <= f < stop]

    def marks(self) -> list[Mark]:
        """The marks of all music that is not on air yet."""
        with self.lock:
            return [mark for block in self._blocks for mark in block.marks]

    def close(self) -> None:
        """Mark the reserve as closed and notify the watchers, so that their threads can end."""
        with self.lock:
            self._closed = True
            self._notify()

    def _notify(self) -> None:
        for watcher in self._watchers:
            watcher()
