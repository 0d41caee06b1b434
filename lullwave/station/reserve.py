"""The music that is made and not yet on air: blocks in order, with marks and beats; knows no engine.

Shared by two threads: the producer appends and splices at its end, the air thread takes from its beginning.
"""

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
    """From what the music can be made again: the engine's snapshot."""

    frame: int  # the station frame from which the engine's music is heard
    engine: str
    snapshot: bytes
    skip: int = 0  # frames after the snapshot that were never heard
    overlap: int = 0  # frames in which the music before goes on underneath, in an equal-power crossfade


@dataclass(frozen=True)
class Block:
    """Music from station frame ``frame`` on. The arrays are not written to."""

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
            tuple(s for s in self.restore_points if start <= s.frame < stop),
        )

    def moved(self, frames: int) -> Block:
        """The same, heard ``frames`` later."""
        return Block(
            self.frame + frames,
            self.samples,
            tuple(replace(m, frame=m.frame + frames) for m in self.marks),
            tuple(b + frames for b in self.beats),
            tuple(replace(s, frame=s.frame + frames) for s in self.restore_points),
        )


def join(blocks: list[Block]) -> Block:
    """Blocks that follow one another as one."""
    if len(blocks) == 1:
        return blocks[0]
    return Block(
        blocks[0].frame,
        np.concatenate([b.samples for b in blocks]),
        tuple(m for b in blocks for m in b.marks),
        tuple(f for b in blocks for f in b.beats),
        tuple(s for b in blocks for s in b.restore_points),
    )


class Reserve:
    """From ``begin`` (the air edge: what is before it has been taken) to ``end``."""

    def __init__(self, frame: int = 0) -> None:
        self.changed = threading.Condition()  # held for every touch; notified on every change
        self._blocks: deque[Block] = deque()
        self._begin = frame
        self._end = frame
        self._closed = False
        self.faded_until = frame  # where the last crossfade ends: nothing is cut before it
        self.on_change: list[Callable[[], None]] = []  # called after every change; quick, and holding the lock

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
    def frames(self) -> int:
        return self._end - self._begin

    def append(self, block: Block) -> None:
        """Add ``block``, which begins at ``end``."""
        with self.changed:
            assert block.frame == self._end, "blocks follow one another"
            self._blocks.append(block)
            self._end = block.end
            self._tell()

    def take(self, frames: int) -> Block | None:
        """The first ``frames`` frames; None while there are fewer."""
        with self.changed:
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
            self._tell()
            return join(taken)

    def cut(self, frame: int) -> Block | None:
        """Remove and return everything from ``frame`` on; None when nothing is there."""
        with self.changed:
            assert self._begin <= frame <= self._end, "only what has not been taken can be cut"
            removed: list[Block] = []
            while self._blocks and self._blocks[-1].end > frame:
                block = self._blocks.pop()
                if block.frame < frame:
                    self._blocks.append(block.part(block.frame, frame))
                    block = block.part(frame, block.end)
                removed.insert(0, block)
            self._end = frame
            self._tell()
            return join(removed) if removed else None

    def samples(self, start: int, stop: int) -> Samples:
        """What is to be heard from ``start`` to ``stop``, which may be left before it is."""
        with self.changed:
            parts = [b.samples[max(0, start - b.frame) : max(0, stop - b.frame)] for b in self._blocks]
            return np.concatenate([np.zeros((0, CHANNELS), np.float32), *parts])

    def beats(self, start: int, stop: int) -> list[int]:
        with self.changed:
            return [f for block in self._blocks for f in block.beats if start <= f < stop]

    def marks(self) -> list[Mark]:
        """What is still to be heard."""
        with self.changed:
            return [mark for block in self._blocks for mark in block.marks]

    def close(self) -> None:
        """Let whoever waits go on."""
        with self.changed:
            self._closed = True
            self._tell()

    def _tell(self) -> None:
        self.changed.notify_all()
        for told in self.on_change:
            told()
