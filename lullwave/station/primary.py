"""Supervises a station's own engine: opens it, retries it with backoff, resumes it, adjusts its load.

It reports a ``Cause`` and keeps a ``Source``; the producer decides what goes on air.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..clock import FOREVER, Clock
from ..engines.base import Engine
from ..errors import Busy, CheckpointError, EngineError, EngineLost, InvalidInput, MissingExtra, UnknownEngine
from ..request import MAX_SEED, Request
from .backoff import LONGEST_BROKEN_S, LONGEST_S, Backoff
from .failover import Cause
from .governor import TRIAL_MEASURE_S, Action, Governor, Pace
from .source import Opener, Source, StreamSnapshot, fresh, resume

STARVE_S = 1.0  # after this long without a block, assume that a low reserve will run out
STALL_S = 5.0  # after this long without a block, the engine counts as stalled,
STALL_TIMES = 1.5  # unless it has recently paused for nearly as long, as one that makes long windows does
HANG_S = 90.0  # after this long without a block, the stream is given up
EMBEDDED_RETRY_S = 1.0  # wait between retries of the embedded engine, which has no fallback but clips
MAX_HANGING = 3  # streams that may hang before no more are opened
MAX_FAILURES = 3  # failures in a row with lighter options before these are barred
PERMANENT = (CheckpointError, MissingExtra, UnknownEngine, InvalidInput)  # a retry would fail the same way
TRANSIENT = (EngineLost, Busy)  # errors that are usually not caused by the requested options

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResumePoint:
    """Where a lost stream ended."""

    snapshot: StreamSnapshot
    until: int  # source frame
    offset: int  # of the source


class PrimarySupervisor:
    """Keeps the primary engine of ``station`` playing. Producer thread only.

    ``begin`` makes a source of the engine's name and an opener. ``embedded``: this engine is the embedded one, so no
    other can stand in for it, and it is retried without backoff. ``on_failure`` is called with the prompt of a stream
    that failed, and its error. The first stream continues ``resume_from``, if that is given.
    """

    def __init__(
        self,
        station: str,
        name: str,
        load: Callable[[], Engine],
        request: Request,
        clock: Clock,
        begin: Callable[[str, Opener], Source],
        embedded: bool = False,
        on_failure: Callable[[str, BaseException], None] = lambda prompt, error: None,
        played: bool = False,
        resume_from: ResumePoint | None = None,
    ) -> None:
        self.name = name
        self.embedded = embedded
        self.source: Source | None = None  # on air, or ready to go on air
        self.trial: Source | None = None  # with fuller options, not on air yet
        self.governor = Governor()
        self.times_lost = 0
        self.played = played  # it has been on air
        self.detail = ""  # its last error message
        self._station = station
        self._load = load
        self._request = request
        self._clock = clock
        self._begin = begin
        self._on_failure = on_failure
        self._opened_with = request.prompt
        self._backoff = Backoff(random.Random(f"{station} {request.seed}").random)
        self._due = -FOREVER  # when it may be opened
        self._resume_from = resume_from
        self._tried_from: ResumePoint | None = None  # where the open source resumes from
        self._failed_for_good = False
        self._last_pace = Pace(1.0, 0.0)  # of the source before
        self._last_trial: Source | None = None
        self._hanging: list[Source] = []
        self._easing = False  # the stream being opened is lighter than the last one
        self._streams = 0  # opened because the options changed: each has its own seed
        self._skipping = False  # the stream being opened follows a skipped piece
        self._lighter: tuple[Mapping[str, Any], ...] = ()
        self._lighter_known = False  # the engine has declared its lighter options since it was lost
        self._played_with_options = False  # it has been on air with the options in force
        self._failures = 0  # since it was last on air, or its options changed

    @property
    def pace(self) -> Pace:
        """The speed of the source; of the one before, until it is open."""
        if self.source is None or not self.source.opened:
            return self._last_pace
        return self.source.pace

    @property
    def lighter_options(self) -> Mapping[str, Any]:
        """The lighter options in force; empty while the engine keeps up."""
        return self._options_at(self.governor.level)

    @property
    def stretch_s(self) -> float:
        """The length of its stretches in seconds; 0 while it plays continuously."""
        return self.governor.stretch_s(self.pace) if self.governor.intermittent else 0.0

    def poll(self, prompt: Callable[[], str], awake: bool) -> float:
        """Note what happened and reopen what is due, with ``prompt()``; returns when to poll again."""
        now = self._clock.now()
        source = self.source
        if source is not None and source.ended:
            self._end(source, now)
        elif source is not None and (source.opened or self.played) and source.waiting_s(now) > HANG_S:
            # (Loading a model for the first time may take any time.)
            source.abandon(EngineLost(f"no answer for {HANG_S:g} s"))
            self._hanging.append(source)
            self._end(source, now)
        if self.source is None:
            self._hanging = [one for one in self._hanging if one.alive]
            if self._failed_for_good or (self.times_lost and not awake) or len(self._hanging) >= MAX_HANGING:
                return FOREVER
            if now < self._due:
                return self._due
            self._open(prompt())
        source = self.source
        assert source is not None
        if source.opened and not self._lighter_known and source.engine is not None:
            self._lighter_known = True
            lighter = tuple(source.engine.lighter)
            if lighter != self._lighter:
                self._lighter = lighter
                self.governor.declare(len(lighter))
        began = source.call_began
        if began is None:
            return FOREVER
        return next((began + s for s in (STARVE_S, self._stall_s, HANG_S) if now - began < s), FOREVER)

    def cause(self) -> Cause:
        """Why it cannot play, or not with all its options."""
        source = self.source
        if self._failed_for_good:
            return Cause.FAILED
        slow = self.governor.intermittent or self.governor.unproven
        if self._skipping and (source is None or not source.opened):
            return Cause.NONE
        self._skipping = False
        if source is None or not source.opened:
            return Cause.SLOW if self._easing and slow else Cause.LOST if self.times_lost else Cause.LOADING
        if source.waiting_s(self._clock.now()) >= self._stall_s and not source.ahead_s:
            return Cause.STALLED
        return Cause.SLOW if slow else Cause.NONE

    @property
    def _stall_s(self) -> float:
        """After how long without a block it counts as stalled."""
        return min(max(STALL_S, STALL_TIMES * self.pace.longest_s), HANG_S)

    def adjust_load(self, on_air: bool, ready_s: float, target_s: float, awake: bool) -> None:
        """Measure its speed, and lower or raise its load. ``ready_s`` of ``target_s`` seconds are rendered."""
        source = self.source
        if source is None or not source.opened:
            return
        self._easing = False
        if self.trial is not None:
            self._judge(self.trial, ready_s, target_s)
            return
        speed = self.pace.speed
        match self.governor.decide(self._clock.now(), self.pace, ready_s, target_s, on_air):
            case Action.LIGHTER:
                self._log_speed(speed, f"trying lighter options: {_listed(self.lighter_options)}")
                self._streams += 1
                self.restart("lighter options")
                self._easing, self._played_with_options, self._failures = True, False, 0
            case Action.INTERMITTENT:
                self._log_speed(speed, f"playing in stretches of about {self.stretch_s:.0f} s, with fallbacks between")
            case Action.CONTINUOUS:
                self._log_speed(speed, "playing continuously again")
            case Action.TRIAL if awake and not (self._last_trial is not None and self._last_trial.alive):
                self._streams += 1
                fuller = self.governor.level - 1
                self.trial = self._begin(self.name, fresh(self._load, self._request_at(source.prompt, fuller)))
                options = _listed(self._options_at(fuller))
                log.info("station %s: trying engine %s with fuller options: %s", self._station, self.name, options)

    def went_on_air(self) -> None:
        """Note that its source is on air now."""
        self.played = self._played_with_options = True
        self._failures = 0
        self.detail = ""
        self._backoff.playing(self._clock.now())

    def restart(self, reason: str) -> None:
        """Close the stream and open a new one at once, with the options and the prompt in force."""
        log.info("station %s: restarting engine %s: %s", self._station, self.name, reason)
        self._last_pace = Pace(1.0, 0.0)
        self.drop_trial()
        if self.source is not None:
            self.source.close()
        self.source, self._resume_from = None, None
        self._due = -FOREVER

    def skip_piece(self) -> None:
        """Go on with another stream of the same prompt, which begins with another piece."""
        self._streams += 1
        self.restart("the piece is skipped")
        self._skipping = True

    def drop_trial(self) -> None:
        """Close the trial, if there is one."""
        if self.trial is not None:
            self.trial.close()
            self.trial, self._last_trial = None, self.trial

    def close(self) -> None:
        self.drop_trial()
        if self.source is not None:
            self.source.close()

    def _open(self, prompt: str) -> None:
        request = self._request_at(prompt, self.governor.level)
        point = self._resume_from
        self._resume_from, self._tried_from = None, point
        if point is not None and point.snapshot.prompt == prompt:
            opener = resume(self._load, point.snapshot, point.until, request)
        else:
            opener = fresh(self._load, request)
        self._opened_with = prompt
        self.source = self._begin(self.name, opener)
        self.source.offset = 0 if point is None else point.offset

    def _options_at(self, level: int) -> dict[str, Any]:
        """The first ``level`` steps of the engine's lighter options, merged."""
        options: dict[str, Any] = {}
        for step in self._lighter[:level]:
            options |= step
        return options

    def _request_at(self, prompt: str, level: int) -> Request:
        seed = (self._request.seed + self.times_lost + self._streams) % (MAX_SEED + 1)
        return replace(
            self._request, prompt=prompt, seed=seed, options={**self._request.options, **self._options_at(level)}
        )

    def _judge(self, trial: Source, ready_s: float, target_s: float) -> None:
        """Put the trial in place of the source on air, or drop it, once its speed is known."""
        now = self._clock.now()
        failed = trial.ended or trial.waiting_s(now) > HANG_S
        pace = Pace(0.0, TRIAL_MEASURE_S) if failed else trial.pace if trial.opened else Pace(0.0, 0.0)
        keeps_up = self.governor.judge_trial(now, pace, self.pace.speed, ready_s, target_s)
        if keeps_up:
            assert self.source is not None
            self.source.close()
            self.source, self.trial, self._resume_from = trial, None, None
            self._log_speed(pace.speed, f"going on with {_listed(self.lighter_options)}")
        elif keeps_up is not None:
            told = f"{pace.speed:.2f} times real time" if pace.known else "too little music in the time that there was"
            reason = str(trial.error) if trial.ended else told
            self.drop_trial()
            log.info(
                "station %s: engine %s does not keep up with fuller options (%s); next trial in %.0f s",
                self._station,
                self.name,
                reason,
                self.governor.trial_wait_s(now),
            )

    def _log_speed(self, speed: float, consequence: str) -> None:
        log.info("station %s: engine %s at %.2f times real time: %s", self._station, self.name, speed, consequence)

    def _end(self, source: Source, now: float) -> None:
        """Note why the source ended, and decide when and where to resume."""
        error = source.error
        assert error is not None
        self._skipping = False
        self.drop_trial()
        self._last_pace = Pace(source.pace.speed, 0.0)
        self.source = None
        self._failures += 1
        if self.governor.level and self._options_failed(error, not source.opened):
            options = _listed(self._lighter[self.governor.level - 1])
            log.warning("station %s: engine %s failed with %s: %s", self._station, self.name, options, error)
            self.governor.level_failed(now)
            self._played_with_options, self._failures = False, 0
            self._due = -FOREVER
            return
        if not self._played_with_options and not isinstance(error, TRANSIENT):
            self.governor.declare(len(self._lighter))  # it fails with fuller options too: unbar the lighter ones
        if isinstance(error, EngineLost):
            self._lighter_known = False  # another server may answer next time
        self._easing = False
        self.times_lost += 1
        self.detail = str(error) or type(error).__name__
        self._failed_for_good = isinstance(error, PERMANENT)
        self._on_failure(source.steered_to or (source.prompt if source.opened else self._opened_with), error)
        snapshot = source.last_snapshot
        if source.stream is None and isinstance(error, EngineLost):
            self._resume_from = self._tried_from  # it was not reached: the point is still good
        elif source.stream is not None and snapshot is not None and not source.resumed_in_vain:
            # A stream that fails right after resuming may fail there each time: the next one starts afresh.
            self._resume_from = ResumePoint(snapshot, source.stream.position, source.offset)
        first = self._backoff.failures == 0
        self._due = self._backoff.failed(now, LONGEST_S if isinstance(error, EngineLost) else LONGEST_BROKEN_S)
        if self.embedded:
            self._due = now if first else now + EMBEDDED_RETRY_S
        self._log_failure(error, first)

    def _options_failed(self, error: BaseException, opening: bool) -> bool:
        """Whether to blame the lighter options in force for a failure.

        Assume so if the stream never started with these options, or failed MAX_FAILURES times in a row: a smaller
        model that does not fit into memory may kill the whole process.
        """
        expected = self._played_with_options or isinstance(error, TRANSIENT)
        if opening and (isinstance(error, PERMANENT) or not expected):
            return True
        return self._failures >= MAX_FAILURES and not (self._played_with_options and isinstance(error, TRANSIENT))

    def _log_failure(self, error: BaseException, first: bool) -> None:
        if self._failed_for_good:
            log.error("station %s: engine %s cannot be used: %s", self._station, self.name, error)
        elif first:
            unforeseen = None if isinstance(error, EngineError) else error
            log.warning("station %s: engine %s failed: %s", self._station, self.name, error, exc_info=unforeseen)
        else:
            log.info("station %s: engine %s failed again: %s", self._station, self.name, error)


def _listed(options: Mapping[str, Any]) -> str:
    """Options as a log line names them."""
    return ", ".join(f"{name}={value}" for name, value in options.items()) or "its full options"
