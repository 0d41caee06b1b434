"""Reads one engine's stream in a thread of its own, a little ahead of whoever takes; knows no reserve and no rung.

However long the engine keeps its reader waiting, nobody else waits. Frames here are the reader's own; ``offset`` brings
them to the station's, and is set by who puts the music on air. All that two threads touch is guarded by ``lock``.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ..clock import FOREVER, Clock
from ..engines.base import Engine, Mark
from ..errors import EngineError, EngineFailed, EngineLost, StreamClosed
from .adapter import RATE, StationStream
from .governor import Pace
from .reserve import Block, RestorePoint

STEP = RATE // 2  # frames that are read at a time
STATE_S = 60.0  # how often a state goes on air with the music, for the history
RESUME_S = 15.0  # how often one is kept, to go on from when the engine is lost
ROOM_S = 1.0  # how far ahead of who takes it reads while it is on air
_FORGET = 0.95  # per step: the measured speed is that of the last ten seconds of music
_PRIOR_MADE_S, _PRIOR_TOOK_S = 0.4, 0.1  # what is believed before anything was measured

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenStream:
    """A stream that begins or goes on."""

    engine: Engine
    feed: StationStream
    prompt: str  # that it follows


@dataclass(frozen=True)
class StreamSnapshot:
    """From what a stream can go on: a snapshot, the frame of the reader that it is of, and the prompt in force."""

    frame: int
    snapshot: bytes
    prompt: str


class Source:
    """Opens a stream by ``opening`` and reads it, both on its own thread. ``told`` is called after every change."""

    def __init__(
        self,
        name: str,
        opening: Callable[[Source], OpenStream],
        clock: Clock,
        lock: threading.Condition,
        told: Callable[[], None],
        source: str = "",
    ) -> None:
        self.name = name  # of the engine
        self.source = source  # what its pieces are marked with; empty for the station's own engine
        self.offset = 0  # frames, from the reader's to the station's
        self.room_s = ROOM_S
        self.error: BaseException | None = None  # why it ended
        self.engine: Engine | None = None
        self.feed: StationStream | None = None
        self.prompt = ""
        self.piece: Mark | None = None  # the last one that was taken, in the reader's frames
        self.kept: deque[StreamSnapshot] = deque(maxlen=6)
        self.resumed = False  # it goes on where another one ended, to the sample
        self.began = clock.now()
        self.called: float | None = self.began  # when the call of the engine began that has not ended
        self._opening = opening
        self._clock = clock
        self._lock = lock
        self._told = told
        self._blocks: deque[Block] = deque()
        self._jobs: deque[Callable[[], None]] = deque()
        self._since_state = self._since_kept = FOREVER  # seconds of music
        self._made_s, self._took_s, self._total_s = _PRIOR_MADE_S, _PRIOR_TOOK_S, 0.0
        self._late = 0.0
        self._closing = threading.Event()
        self._waiter = clock.waiter()
        self._thread = threading.Thread(target=self._run, name=f"engine-{name}", daemon=True)
        self._thread.start()

    @property
    def opened(self) -> bool:
        return self.feed is not None

    @property
    def ended(self) -> bool:
        return self.error is not None

    @property
    def resumed_in_vain(self) -> bool:
        """Whether it went on from a snapshot and broke before it gave anything new."""
        return self.resumed and not self._total_s

    @property
    def closing(self) -> bool:
        return self._closing.is_set()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def ahead_s(self) -> float:
        """Seconds of music that are ready to be taken."""
        with self._lock:
            return sum(len(block.samples) for block in self._blocks) / RATE

    @property
    def next_frame(self) -> int | None:
        """The station's frame of what is taken next; None before the stream is open."""
        if self._blocks:
            return self._blocks[0].frame + self.offset
        return None if self.feed is None else self.feed.position + self.offset

    @property
    def pace(self) -> Pace:
        return Pace(min(self._made_s / max(self._took_s, 1e-4), 1e4), self._total_s, self._late)

    def waits_s(self, now: float) -> float:
        """For how long the engine has owed an answer."""
        called = self.called
        return 0.0 if called is None else now - called

    def take(self) -> Block | None:
        """The next block, in the station's frames. Holding the lock."""
        if not self._blocks:
            return None
        block = self._blocks.popleft()
        for mark in block.marks:
            if mark.kind == "piece":
                self.piece = mark
        self._waiter.wake()
        return block.moved(self.offset)

    def state_at(self, frame: int) -> RestorePoint:
        """From what the music from a frame of the reader on can be made again. Holding the lock."""
        kept = next((k for k in reversed(self.kept) if k.frame <= frame), None)
        if kept is None:
            return RestorePoint(frame, self.name, b"")
        return RestorePoint(frame, self.name, kept.snapshot, skip=frame - kept.frame)

    def ask(self, job: Callable[[], None]) -> None:
        """Let ``job`` run on the reader's thread, before anything else is read."""
        with self._lock:
            self._jobs.append(job)
            self._waiter.wake()

    def give_room(self, room_s: float) -> None:
        """How far ahead it may read from now on."""
        if room_s != self.room_s:
            self.room_s = room_s
            self._waiter.wake()

    def turned(self, feed: StationStream, prompt: str, since: int, kept: StreamSnapshot | None) -> None:
        """From frame ``since`` on ``feed`` is read, which follows ``prompt``; ``kept`` goes on from there.

        Holding the lock, on the reader's thread. A feed that is replaced is the caller's.
        """
        if feed is not self.feed:
            self._blocks.clear()
        self._since_state = FOREVER if feed is self.feed else 0.0
        self.feed, self.prompt = feed, prompt
        before = [] if kept is None else [k for k in self.kept if k.frame < since]
        self.kept.clear()
        self.kept.extend(before if kept is None else [*before, kept])
        self._since_kept = 0.0 if kept is not None else FOREVER

    def close(self) -> None:
        """Let the thread end as soon as the engine lets go; never waits for it."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._waiter.wake()
        if self.called is not None and (feed := self.feed) is not None:
            # It may be a call of the engine's as well, and last.
            threading.Thread(target=_close, args=(feed,), name=f"close-{self.name}", daemon=True).start()

    def abandon(self) -> None:
        """Close it, and let nobody wait for its thread any more."""
        self.close()
        self._waiter.close()

    def join(self, timeout_s: float) -> bool:
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def keep(self, feed: StationStream, prompt: str) -> StreamSnapshot | None:
        """A snapshot of ``feed``; None where the engine has none. On the reader's thread."""
        try:
            frame, snapshot = feed.snapshot()
        except (EngineLost, StreamClosed):
            raise
        except EngineError:
            return None
        return StreamSnapshot(frame, snapshot, prompt)

    def block(self, feed: StationStream) -> Block:
        """The next block of ``feed``. On the reader's thread."""
        began = self._clock.now()
        start = feed.position
        samples = feed.read(STEP)
        took = self._clock.now() - began
        self._made_s = self._made_s * _FORGET + STEP / RATE
        self._took_s = self._took_s * _FORGET + took
        self._late = self._late * _FORGET + (took > STEP / RATE)
        self._total_s += STEP / RATE
        marks = tuple(self._marked(mark) for mark in feed.marks(start, feed.position))
        return Block(start, samples, marks, tuple(feed.beats(start, feed.position)))

    def _marked(self, mark: Mark) -> Mark:
        if not self.source or mark.kind != "piece":
            return mark
        data: Mapping[str, Any] = {**mark.data, "source": self.source}
        return replace(mark, data=data)

    def _run(self) -> None:
        self._waiter.wait_until(-FOREVER)  # from now on it is this thread's
        try:
            opened = self._opening(self)
            with self._lock:
                self.engine, self.feed, self.prompt = opened.engine, opened.feed, opened.prompt
            while self._rest():
                job = self._jobs.popleft() if self._jobs else None
                self.called = self._clock.now()
                if job is not None:
                    job()
                else:
                    self._make()
                self.called = None
                self._told()
        except BaseException as error:  # whatever an engine of any kind raises
            self.error = error if isinstance(error, Exception) else EngineFailed(repr(error))
        finally:
            self.error = self.error or StreamClosed("the stream was closed")
            self.called = None
            if self.feed is not None:
                _close(self.feed)
            self._told()
            self._waiter.close()

    def _rest(self) -> bool:
        """Wait until there is something to do; False when it is time to end."""
        self.called = None
        while not self._closing.is_set():
            if self._jobs or self.ahead_s < self.room_s:
                return True
            self._waiter.wait_until(FOREVER)
        return False

    def _make(self) -> None:
        feed = self.feed
        assert feed is not None
        if self._since_kept >= RESUME_S or self._since_state >= STATE_S:
            kept = self.keep(feed, self.prompt)
            self._since_kept = 0.0
            if kept is not None:
                with self._lock:
                    self.kept.append(kept)
        block = self.block(feed)
        self._since_kept += STEP / RATE
        with self._lock:
            if self._since_state >= STATE_S:
                self._since_state = 0.0
                block = replace(block, restore_points=(self.state_at(block.frame),))
            self._since_state += STEP / RATE
            self._blocks.append(block)


def _close(feed: StationStream) -> None:
    with suppress(Exception):  # it is not needed any more, whatever it says
        feed.close()
