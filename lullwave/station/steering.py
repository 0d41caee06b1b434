"""Steers the source on air, so that a change is heard within seconds: a queue of requests and their execution.

A request forks the stream at a beat a little after the next frame to go on air, renders the fork until it is ahead by
a margin, and replaces the reserve from the fork on. Up to the fork both streams give the same samples, so the splice
is not heard. If playout reaches the fork first, the fork is dropped and tried further ahead; if no fork is possible,
the stream is steered at the end of the music that it has rendered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace

from ..engines.base import Mark, Understanding
from ..errors import EngineError, EngineFailed, LullwaveError, StreamClosed
from .adapter import RATE, StationStream
from .reserve import Block, Reserve, join
from .source import Source
from .switcher import Switcher

STEER_LEAD_S = 0.6  # a fork begins at least this long after the next frame to go on air: time to render its margin
MARGIN_S = 1.0  # a fork replaces the reserve once it is this far ahead
SPARE = 1.25  # a fork gets this many times as long as the last one took
MAX_TRIES = 3  # sources that may fail over one request before it fails
_STEP_S = 0.5  # length of one read


@dataclass(frozen=True)
class SteerResult:
    """A request that was carried out."""

    frame: int  # the station frame from which it is heard
    understanding: Understanding


@dataclass(eq=False)
class SteerRequest:
    """A prompt to change to, within ``over_s`` seconds."""

    prompt: str
    over_s: float
    done: Future[SteerResult]
    failures: int = 0  # sources that failed over it


class SourceReplaced(Exception):
    """The source is not on air any more: the next source has to carry out the request."""


class SteerQueue:
    """The steer requests of a station, carried out one at a time by the source on air. Thread-safe.

    ``add`` may be called by any thread; the rest is for the producer thread, and ``_execute`` runs on the source's.
    Queue and reserve change together, so both are guarded by the reserve's lock. ``on_change`` is called when there is
    something to do.
    """

    def __init__(self, prompt: str, switcher: Switcher, on_change: Callable[[], None]) -> None:
        self.prompt = prompt  # in force
        self._switcher = switcher
        self._on_change = on_change
        self._reserve = switcher.reserve
        self._waiting: deque[SteerRequest] = deque()
        self._active: SteerRequest | None = None  # being carried out

    @property
    def waiting(self) -> bool:
        """Whether a request waits or is being carried out."""
        return bool(self._waiting) or self._active is not None

    @property
    def next_prompt(self) -> str:
        """The prompt that a source opened now should begin with."""
        with self._reserve.lock:
            return self._waiting[0].prompt if self._waiting else self.prompt

    def add(self, prompt: str, over_s: float) -> Future[SteerResult]:
        """Queue a request."""
        request = SteerRequest(prompt, over_s, Future())
        with self._reserve.lock:
            self._waiting.append(request)
        self._on_change()
        return request.done

    def dispatch(self, source: Source) -> None:
        """Let ``source``, which is on air, carry out the next request, unless it is at work on one."""
        with self._reserve.lock:
            if self._active is not None or not self._waiting:
                return
            request = self._waiting.popleft()
            if not request.done.running() and not request.done.set_running_or_notify_cancel():
                return
            self._active = request
        source.submit(lambda: self._execute(source, request))

    def requeue(self) -> None:
        """Put the request that is being carried out back to the front: its source is leaving the air."""
        with self._reserve.lock:
            if self._active is not None:
                self._waiting.appendleft(self._active)
                self._active = None

    def mark_for(self, source: Source) -> Mark | None:
        """The mark for the beginning of ``source``, if it begins with the prompt of the next request."""
        with self._reserve.lock:
            if self._waiting and self._waiting[0].prompt == source.prompt != self.prompt:
                return Mark(0, "steer", {"prompt": source.prompt})
        return None

    def went_on_air(self, source: Source, frame: int) -> None:
        """Resolve the next request if ``source``, on air from ``frame`` on, began with its prompt."""
        assert source.engine is not None
        with self._reserve.lock:
            if self.mark_for(source) is None:
                return
            request = self._waiting.popleft()
            self.prompt = request.prompt
        if request.done.running() or request.done.set_running_or_notify_cancel():
            request.done.set_result(SteerResult(frame, source.engine.understand(request.prompt)))

    def go_back(self, prompt: str) -> None:
        """Put ``prompt`` in force without a request: the one in force breaks the music."""
        with self._reserve.lock:
            self.prompt = prompt

    def close(self, error: EngineError | None = None) -> None:
        """Fail all requests."""
        with self._reserve.lock:
            self.requeue()
            failed, self._waiting = list(self._waiting), deque()
        for request in failed:
            if request.done.running() or request.done.set_running_or_notify_cancel():
                request.done.set_exception(error or StreamClosed("the station was stopped"))

    def _execute(self, source: Source, request: SteerRequest) -> None:
        """Carry out a request. Source thread."""

        def on_air() -> bool:
            return self._active is request and self._switcher.on_air is source

        try:
            result = steer_by_fork(source, self._reserve, request, on_air)
        except SourceReplaced:
            self._retry_or_fail(request, None)
        except Exception as error:
            failed = isinstance(error, EngineFailed | StreamClosed) or not isinstance(error, LullwaveError)
            self._retry_or_fail(request, error, retry=failed)
            if failed:
                source.steered_to = request.prompt
                raise
        else:
            with self._reserve.lock:
                active = self._active is request
                if active:
                    self._active = None
                    self.prompt = request.prompt
            if active:
                request.done.set_result(result)
        self._on_change()

    def _retry_or_fail(self, request: SteerRequest, error: Exception | None, retry: bool = True) -> None:
        """Requeue a request for the next source, or fail it after MAX_TRIES; nothing if it was requeued already."""
        with self._reserve.lock:
            if self._active is not request:
                return
            self._active = None
            request.failures += error is not None
            if error is None or (retry and request.failures < MAX_TRIES):
                self._waiting.appendleft(request)
                return
        told = error if isinstance(error, LullwaveError) else EngineFailed(f"the engine broke: {error!r}")
        request.done.set_exception(told)


def steer_by_fork(source: Source, reserve: Reserve, request: SteerRequest, on_air: Callable[[], bool]) -> SteerResult:
    """Carry out a request by a fork; at the end of the rendered music if there can be none. Source thread.

    ``on_air`` is called with the reserve's lock held.

    Raises:
        SourceReplaced, PromptError, EngineError
    """
    stream = source.stream
    assert stream is not None
    lead_s = max(STEER_LEAD_S, 1.5 * MARGIN_S / source.pace.speed + _STEP_S, SPARE * source.fork_s)
    while (at := _fork_frame(source, stream, reserve, lead_s, on_air)) is not None:
        source_frame, began = at - source.offset, source.now()
        try:
            fork = stream.fork(source_frame)
        except (EngineFailed, StreamClosed):
            raise
        except EngineError:  # it cannot fork, or not at this frame
            break
        try:
            understanding = fork.steer(request.prompt, request.over_s)
            snapshot = source.take_snapshot(fork, request.prompt)
            ahead: list[Block] = []
            while (
                fork.position + source.offset < max(at, reserve.begin) + MARGIN_S * RATE
                and reserve.begin < at
                and not source.closing
            ):
                ahead.append(source.read_block(fork))
        except BaseException:
            fork.close()
            raise
        source.fork_s = source.now() - began
        with reserve.lock:
            if not on_air():
                fork.close()
                raise SourceReplaced
            in_time = reserve.begin <= at and bool(ahead)
            if in_time:
                while (block := source.take()) is not None:
                    reserve.append(block)
                reserve.cut(at)
                source.replace_stream(fork, request.prompt, source_frame, snapshot)
                point = replace(source.restore_point(source_frame), frame=at)
                reserve.append(replace(join(ahead).moved(source.offset), restore_points=(point,)))
        if in_time:
            stream.close()
            return SteerResult(at, understanding)
        fork.close()
        lead_s = max(2.0 * lead_s, SPARE * source.fork_s)
    return _steer_at_end(source, stream, reserve, request, on_air)


def _steer_at_end(
    source: Source, stream: StationStream, reserve: Reserve, request: SteerRequest, on_air: Callable[[], bool]
) -> SteerResult:
    """Steer the stream itself, at the end of the music that it has rendered."""
    understanding = stream.steer(request.prompt, request.over_s)
    snapshot = source.take_snapshot(stream, request.prompt)
    with reserve.lock:
        if not on_air():
            raise SourceReplaced
        frame = stream.position + source.offset
        while (block := source.take()) is not None:
            reserve.append(block)
        source.replace_stream(stream, request.prompt, stream.position, snapshot)
    return SteerResult(frame, understanding)


def _fork_frame(
    source: Source, stream: StationStream, reserve: Reserve, lead_s: float, on_air: Callable[[], bool]
) -> int | None:
    """The first beat after the lead that a fork can reach; None if that is the end of the rendered music."""
    assert source.engine is not None
    with reserve.lock:
        if not on_air():
            raise SourceReplaced
        while (block := source.take()) is not None:
            reserve.append(block)
    end = stream.position + source.offset
    first = max(reserve.begin + round(lead_s * RATE), end - int(source.engine.rewindable_s * RATE), reserve.faded_until)
    if first >= end:
        return None
    beats = reserve.beats(first, min(first + 2 * RATE, end))
    return beats[0] if beats else first
