"""Chooses where the private streams of the embedded engine are made: in this process, or in worker processes.

One Python process works on one processor only. So a few streams are made here, beside the stations, and all others by
workers of lower priority, which start when they are needed and end when they have been idle. A worker is two processes:
an engine renders the music, and an output masters and encodes it. A stream whose engine ends goes on from its last
snapshot: there once the engine has started again, else elsewhere. Knows nothing of HTTP.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Protocol, cast

from ...audio import Audio
from ...clock import Clock
from ...engines.base import Engine, Stream, Understanding
from ...errors import EngineLost, LullwaveError
from ...request import Request
from ...station.output import OpenOutput
from .output_process import OutputProcess
from .remote_output import RemoteOutput

HERE = 2  # streams that are made in this process
RESTART_S = 6.0  # seconds in which a worker that ended may start again: less than the streams have in their buffers
AGAIN_S = 15.0  # a stream that is opened again within these seconds is not served well where it is
IDLE_S = 60.0  # seconds without streams after which a worker ends
NICENESS = 5  # of an engine: stations come first, and they are made in this process
OUTPUT_NICENESS = 2  # of an output: its work is due at a moment, while an engine is seconds ahead

log = logging.getLogger(__name__)


class Worker(Protocol):
    """An engine in a process of its own."""

    @property
    def available(self) -> bool:
        """Whether its process runs or is starting for the first time."""

    def lower_priority(self, niceness: int) -> None:
        """Let other processes go first."""

    def close(self) -> None:
        """End the process."""


@dataclass(eq=False)
class _Process:
    """A worker and what is known of it."""

    engine: Worker
    output: OutputProcess
    streams: set[str] = field(default_factory=set)
    ended_at: float | None = None  # when its engine was first found to have ended
    idle_since: float | None = None

    def close(self) -> None:
        """End both processes. Blocks."""
        self.engine.close()
        self.output.close()


@dataclass
class _Place:
    """Where a stream is made."""

    process: _Process | None  # None: in this process
    asked_at: float
    waits: bool = False  # for the process to start again


class PlacedEngine(Engine):
    """The base of the classes that ``_placed_class`` makes: prompts are understood here, streams made at a place."""

    def __init__(self, local: Engine, place: Callable[[], Engine]) -> None:
        self._local = local
        self._place = place
        self.rate, self.channels = local.rate, local.channels

    @property
    def rewindable_s(self) -> float:
        return self._local.rewindable_s

    def open(self, request: Request, **audio_prompts: Audio) -> Stream:
        return self._place().stream(request, **audio_prompts)

    def restore(self, snapshot: bytes) -> Stream:
        return self._place().restore(snapshot)

    def understand(self, prompt: str) -> Understanding:
        return self._local.understand(prompt)


@cache
def _placed_class(kind: type[Engine]) -> type[PlacedEngine]:
    """The engine class ``kind`` with its streams in another place."""

    class Placed(PlacedEngine):
        name = kind.name
        summary = kind.summary
        options = kind.options
        lighter = kind.lighter
        audio_prompts = kind.audio_prompts

    return Placed


class StreamWorkers:
    """Gives each private stream its engine and its output. Thread-safe; ``close`` and ``end_idle`` block.

    ``local`` returns the engine of this process, ``start`` one in a new process; ``start`` must not wait for it.
    ``limits`` returns how many workers there may be, and how many streams for each. ``start_output`` starts the other
    process of a worker.
    """

    def __init__(
        self,
        local: Callable[[], Engine],
        start: Callable[[], Worker],
        limits: Callable[[], tuple[int, int]],
        clock: Clock,
        start_output: Callable[[Clock, int], OutputProcess] = OutputProcess,
    ) -> None:
        self._local = local
        self._start, self._start_output = start, start_output
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()  # guards the rest
        self._places: dict[str, _Place] = {}
        self._processes: list[_Process] = []
        self._closed = False

    @property
    def processes(self) -> int:
        """How many workers there are."""
        return len(self._processes)

    def engine(self, stream: str) -> Engine:
        """The engine of a stream. It chooses the place each time the stream is opened or restored."""
        local = self._local()
        return _placed_class(type(local))(local, lambda: self._place(stream))

    def output(self, stream: str) -> OpenOutput:
        """What opens the output of a stream. It is made where the stream is rendered, from the first block on."""
        return partial(RemoteOutput, stream, lambda: self._output_process(stream))

    def _output_process(self, stream: str) -> OutputProcess | None:
        with self._lock:
            place = self._places.get(stream)
            return None if place is None or place.process is None else place.process.output

    def _place(self, stream: str) -> Engine:
        """Where ``stream`` is to be opened now.

        Raises:
            EngineLost: its worker has ended and is starting again.
        """
        with self._lock:
            now, place = self._clock.now(), self._places.get(stream)
            if place is None:
                place = self._places[stream] = _Place(self._choose(), now)
            elif place.process is not None:
                self._check(stream, place, now)
            place.asked_at = now
            if place.process is not None:
                place.process.streams.add(stream)
                place.process.idle_since = None
                return cast(Engine, place.process.engine)
        return self._local()

    def release(self, stream: str) -> None:
        """Forget a stream that has ended."""
        with self._lock:
            place = self._places.pop(stream, None)
            if place is not None and place.process is not None:
                self._leave(stream, place.process)

    def end_idle(self) -> None:
        """End the workers that have had no stream for ``IDLE_S``. Blocks."""
        with self._lock:
            due = self._clock.now() - IDLE_S
            idle = [one for one in self._processes if one.idle_since is not None and one.idle_since <= due]
            self._processes = [one for one in self._processes if one not in idle]
        for process in idle:
            process.close()

    def close(self) -> None:
        """End all workers. Blocks."""
        with self._lock:
            self._closed = True
            processes, self._processes = self._processes, []
        for process in processes:
            process.close()

    def _choose(self, without: _Process | None = None) -> _Process | None:
        """The worker for another stream; None: this process."""
        most, per_worker = self._limits()
        here = sum(place.process is None for place in self._places.values())
        if not most or here < HERE:
            if most and here == HERE - 1 and not self._processes:
                self._add()  # ahead of need: the start takes seconds
            return None
        running = [one for one in self._processes if one is not without and one.engine.available]
        room = [one for one in running if len(one.streams) < per_worker]
        if not room and len(self._processes) < most and (added := self._add()) is not None:
            return added
        return min(room or running, key=lambda one: len(one.streams), default=None)

    def _check(self, stream: str, place: _Place, now: float) -> None:
        """Let a stream that has lost its engine wait for it, or move it elsewhere.

        Raises:
            EngineLost
        """
        process = place.process
        assert process is not None
        if process.engine.available:
            process.ended_at = None
            if place.waits or now - place.asked_at >= AGAIN_S:
                place.waits = False
                return
        else:
            process.ended_at = now if process.ended_at is None else process.ended_at
            if now - process.ended_at < RESTART_S:
                place.waits = True
                raise EngineLost("the worker process of this stream ended and is starting again")
        self._leave(stream, process)
        place.process, place.waits = self._choose(without=process), False
        log.warning("a private stream goes on in %s", "this process" if place.process is None else "another worker")

    def _leave(self, stream: str, process: _Process) -> None:
        process.streams.discard(stream)
        if not process.streams:
            process.idle_since = self._clock.now()

    def _add(self) -> _Process | None:
        """Start a worker; None if it cannot be started."""
        if self._closed:
            return None
        try:
            engine = self._start()
        except LullwaveError as error:
            log.warning("no worker process for private streams: %s", error)
            return None
        engine.lower_priority(NICENESS)
        output = self._start_output(self._clock, OUTPUT_NICENESS)
        process = _Process(engine, output, idle_since=self._clock.now())
        self._processes.append(process)
        log.info("worker %d for private streams starts", len(self._processes))
        return process
