"""Opens one engine's stream and reads it ahead on its own thread.

However long the engine takes, only this thread waits. Frames here are counted by the source; ``offset``, which is set
when the source goes on air, brings them to station frames.
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
from ..errors import EngineError, EngineFailed, EngineLost, InvalidInput, StreamClosed
from ..options import build, describe
from ..request import Request
from .adapter import RATE, StationStream
from .governor import Pace, PaceMeter
from .reserve import Block, RestorePoint

_log = logging.getLogger(__name__)

STEP = RATE // 2  # frames per read
RESTORE_POINT_S = 60.0  # music between two restore points in the history
RESUME_S = 15.0  # music between two snapshots from which a lost stream resumes
LOOKAHEAD_S = 1.0  # look-ahead while on air


@dataclass(frozen=True)
class OpenStream:
    """What an opener returns."""

    engine: Engine
    stream: StationStream
    prompt: str  # that the stream follows


@dataclass(frozen=True)
class StreamSnapshot:
    """A point from which a stream can be resumed."""

    frame: int  # of the source
    data: bytes
    prompt: str  # in force at that frame


class Source:
    """Calls ``opener`` and reads the stream that it returns, both on its own thread.

    Thread-safe: any thread may call, except where a method says "source thread". ``name`` and ``tag`` never change;
    the producer thread sets ``offset`` and ``measured``; the source thread sets ``engine``, ``stream``, ``prompt`` and
    ``error``. ``on_change`` is called on the source thread after each change.
    """

    def __init__(
        self,
        name: str,
        opener: Opener,
        clock: Clock,
        on_change: Callable[[], None],
        tag: str = "",
    ) -> None:
        self.name = name  # of the engine
        self.tag = tag  # `source` in the marks of its pieces; empty for the primary engine
        self.offset = 0  # station frame minus source frame
        self.error: BaseException | None = None  # why it ended
        self.engine: Engine | None = None
        self.stream: StationStream | None = None
        self.prompt = ""
        self.steered_to: str | None = None  # the prompt of the steer request over which it failed
        self.piece: Mark | None = None  # the last piece that was taken, in source frames
        self.measured = True  # whether its pace is measured: not while another stream of its engine disturbs it
        self.resumed = False  # it continues a lost stream, sample for sample
        self.fork_s = 0.0  # that its last fork took until it was ready; of the source thread
        self._lookahead_s = LOOKAHEAD_S
        self._call_began: float | None = clock.now()  # when the engine call in progress began or last gave music
        self._opener = opener
        self._clock = clock
        self._lock = threading.RLock()  # guards the next four lines; may be taken while the reserve's is held
        self._blocks: deque[Block] = deque()
        self._jobs: deque[Callable[[], None]] = deque()
        self._snapshots: deque[StreamSnapshot] = deque(maxlen=6)
        self._since_restore_point = self._since_snapshot = FOREVER  # seconds of music
        self._on_change = on_change
        self._meter = PaceMeter()
        self._closing = threading.Event()
        self._waiter = clock.waiter()
        self._thread = threading.Thread(target=self._run, name=f"engine-{name}", daemon=True)
        self._thread.start()

    def now(self) -> float:
        """The time of its clock, in seconds."""
        return self._clock.now()

    @property
    def opened(self) -> bool:
        return self.stream is not None

    @property
    def ended(self) -> bool:
        return self.error is not None

    @property
    def resumed_in_vain(self) -> bool:
        """Whether it resumed from a snapshot and failed before it gave any new music."""
        return self.resumed and not self.pace.made_s

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
        """The station frame of the next block to be taken; None before the stream is open."""
        with self._lock:
            if self._blocks:
                return self._blocks[0].frame + self.offset
            return None if self.stream is None else self.stream.position + self.offset

    @property
    def snapshots(self) -> tuple[StreamSnapshot, ...]:
        """The points from which its stream can be resumed, oldest first."""
        with self._lock:
            return tuple(self._snapshots)

    @property
    def last_snapshot(self) -> StreamSnapshot | None:
        return next(reversed(self.snapshots), None)

    @property
    def pace(self) -> Pace:
        """The measured speed of the engine."""
        return self._meter.pace

    @property
    def call_began(self) -> float | None:
        """When the engine call in progress began, or gave music; None between two calls."""
        return self._call_began

    def waiting_s(self, now: float) -> float:
        """For how long the engine call in progress has given no music."""
        began = self._call_began
        return 0.0 if began is None else now - began

    def take(self) -> Block | None:
        """Remove and return the next block, in station frames."""
        with self._lock:
            if not self._blocks:
                return None
            block = self._blocks.popleft()
            for mark in block.marks:
                if mark.kind == "piece":
                    self.piece = mark
        self._waiter.wake()
        return block.moved(self.offset)

    def restore_point(self, frame: int) -> RestorePoint:
        """How to render the music from source frame ``frame`` on again."""
        with self._lock:
            found = next((s for s in reversed(self._snapshots) if s.frame <= frame), None)
        if found is None:
            return RestorePoint(frame, self.name, b"")
        return RestorePoint(frame, self.name, found.data, skip=frame - found.frame)

    def submit(self, job: Callable[[], None]) -> None:
        """Run ``job`` on the source thread, before the next read."""
        with self._lock:
            self._jobs.append(job)
        self._waiter.wake()

    def set_lookahead(self, seconds: float) -> None:
        """Read at most this far ahead from now on."""
        if seconds != self._lookahead_s:
            self._lookahead_s = seconds
            self._waiter.wake()

    def close(self) -> None:
        """End the thread as soon as the engine returns. Never blocks."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._waiter.wake()
        if self._call_began is not None and (stream := self.stream) is not None:
            # Closing may call the engine too, and block as long.
            threading.Thread(target=_close, args=(stream,), name=f"close-{self.name}", daemon=True).start()

    def abandon(self, error: EngineError) -> None:
        """Give up a stream that hangs: it ended with ``error``, and a simulated clock goes on without its thread."""
        self.error = self.error or error
        self.close()
        self._waiter.close()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; False if it is still busy."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def take_snapshot(self, stream: StationStream, prompt: str, at: int | None = None) -> StreamSnapshot | None:
        """A snapshot of ``stream`` at or just before source frame ``at``; None if there is none. Source thread."""
        try:
            frame, data = stream.snapshot(at)
        except (EngineLost, StreamClosed):
            raise
        except EngineError:
            return None
        return StreamSnapshot(frame, data, prompt)

    def read_block(self, stream: StationStream) -> Block:
        """Read and measure the next block of ``stream``. Source thread."""
        began, measured = self._clock.now(), self.measured
        start = stream.position
        samples = stream.read(STEP)
        if measured and self.measured:
            self._meter.add(STEP / RATE, self._clock.now() - began)
        marks = tuple(self._tagged(mark) for mark in stream.marks(start, stream.position))
        return Block(start, samples, marks, tuple(stream.beats(start, stream.position)))

    def replace_stream(self, stream: StationStream, prompt: str, since: int, snapshot: StreamSnapshot | None) -> None:
        """Read ``stream``, which follows ``prompt``, from source frame ``since`` on. Source thread.

        ``snapshot`` is one of ``stream`` at ``since``. A stream that is replaced is the caller's to close.
        The music of ``stream`` up to here is ready: nobody has waited for the engine any longer.
        """
        self._call_began = self._clock.now()
        with self._lock:
            if stream is not self.stream:
                self._blocks.clear()
            self._since_restore_point = FOREVER if stream is self.stream else 0.0
            self.stream, self.prompt = stream, prompt
            earlier = [s for s in self._snapshots if s.frame < since]
            self._snapshots.clear()
            if snapshot is not None:
                self._snapshots.extend([*earlier, snapshot])
            self._since_snapshot = 0.0 if snapshot is not None else FOREVER

    def add_snapshot(self, snapshot: StreamSnapshot) -> None:
        """Remember a point to resume from. Source thread."""
        with self._lock:
            self._snapshots.append(snapshot)

    def _tagged(self, mark: Mark) -> Mark:
        if not self.tag or mark.kind != "piece":
            return mark
        data: Mapping[str, Any] = {**mark.data, "source": self.tag}
        return replace(mark, data=data)

    def _run(self) -> None:
        self._waiter.wait_until(-FOREVER)  # binds the waiter to this thread
        try:
            opened = self._opener(self)
            self.engine, self.prompt = opened.engine, opened.prompt
            self.stream = opened.stream  # last: it makes `opened` true
            while self._wait_for_work():
                job = self._jobs.popleft() if self._jobs else None
                self._call_began = self._clock.now()
                if job is not None:
                    job()
                else:
                    self._read_ahead()
                self._call_began = None
                self._on_change()
        except BaseException as error:  # engines may raise anything
            self.error = error if isinstance(error, Exception) else EngineFailed(repr(error))
        finally:
            self.error = self.error or StreamClosed("the stream was closed")
            self._call_began = None
            if self.stream is not None:
                _close(self.stream)
            self._on_change()
            self._waiter.close()

    def _wait_for_work(self) -> bool:
        """Wait until there is a job or room to read; False when it is time to end."""
        self._call_began = None
        while not self._closing.is_set():
            if self._jobs or self.ahead_s < self._lookahead_s:
                return True
            self._waiter.wait_until(FOREVER)
        return False

    def _read_ahead(self) -> None:
        stream = self.stream
        assert stream is not None
        if self._since_snapshot >= RESUME_S or self._since_restore_point >= RESTORE_POINT_S:
            snapshot = self.take_snapshot(stream, self.prompt)
            self._since_snapshot = 0.0
            if snapshot is not None:
                self.add_snapshot(snapshot)
        block = self.read_block(stream)
        self._since_snapshot += STEP / RATE
        with self._lock:
            if self._since_restore_point >= RESTORE_POINT_S:
                self._since_restore_point = 0.0
                block = replace(block, restore_points=(self.restore_point(block.frame),))
            self._since_restore_point += STEP / RATE
            self._blocks.append(block)


Opener = Callable[[Source], OpenStream]  # called on the source thread


def fresh(load: Callable[[], Engine], request: Request) -> Opener:
    """An opener that starts a new stream of ``request``."""

    def open_stream(source: Source) -> OpenStream:
        engine = load()
        return OpenStream(engine, StationStream(engine.stream(request), 0), request.prompt)

    return open_stream


def resume(load: Callable[[], Engine], snapshot: StreamSnapshot, until: int, request: Request) -> Opener:
    """An opener that continues a lost stream from source frame ``until``; a new stream if the engine cannot.

    The frames from the snapshot to ``until`` were heard before: they are rendered again and dropped.
    """

    def open_stream(source: Source) -> OpenStream:
        engine = load()
        try:
            restored = engine.restore(snapshot.data)
        except EngineLost:
            raise
        except EngineError as error:  # it has no snapshots, or its version or device changed
            _log.warning("engine %s cannot continue where it was; starting a new stream: %s", engine.name, error)
            return OpenStream(engine, StationStream(engine.stream(request), 0), request.prompt)
        stream = StationStream(restored, snapshot.frame)
        try:
            while stream.position < until:
                if source.closing:
                    raise StreamClosed("the source was closed while it resumed")
                stream.read(min(STEP, until - stream.position))
        except BaseException:
            stream.close()
            raise
        source.resumed = True
        source.add_snapshot(snapshot)
        return OpenStream(engine, stream, request.prompt)

    return open_stream


def stand_in(load: Callable[[], Engine], prompt: str, seed: int, piece: Mapping[str, Any]) -> Opener:
    """An opener for another engine, in the tempo and key of ``piece`` if the engine has such options."""

    def open_stream(source: Source) -> OpenStream:
        engine = load()
        request = Request(prompt, seed, options=matching_options(type(engine), piece))
        return OpenStream(engine, StationStream(engine.stream(request), 0), prompt)

    return open_stream


def matching_options(engine: type[Engine], piece: Mapping[str, Any]) -> dict[str, Any]:
    """``tempo_bpm`` and ``key`` of ``piece``, as far as the engine has these options and allows the values."""
    known = {info.name for info in describe(engine.options)}
    found: dict[str, Any] = {}
    for name in ("tempo_bpm", "key"):
        if name in known and piece.get(name) is not None:
            try:
                build(engine.options, {name: piece[name]})
            except InvalidInput:
                continue
            found[name] = piece[name]
    return found


def _close(stream: StationStream) -> None:
    with suppress(Exception):  # its music is not needed any more
        stream.close()
