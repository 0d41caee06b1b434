"""A station's own engine: opened, lost, opened again with patience, asked for less or more; knows no rung.

All calls from the producer's thread.
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
from . import opening
from .backoff import LONGEST_BROKEN_S, LONGEST_S, Backoff
from .failover import Cause
from .governor import TRIED_S, Governor, Move, Pace
from .source import OpenStream, Source, StreamSnapshot

STARVE_S = 1.0  # an engine that owes music for longer may let a reserve that is nearly out run dry
STALL_S = 5.0  # an engine that owes music for longer has stalled
HANG_S = 90.0  # and for longer than this, it is given up
AT_ONCE_S = 1.0  # the pause of an engine that nothing can stand in for, after the first time
HANGING = 3  # so many may hang before no more are begun
IN_VAIN = 3  # so often it may break with lighter options before these are left out
HOPELESS = (CheckpointError, MissingExtra, UnknownEngine, InvalidInput)  # trying again changes nothing
AWAY = (EngineLost, Busy)  # says nothing of what was asked for, as a rule

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResumePoint:
    """Where an engine's music ended when it was lost."""

    kept: StreamSnapshot
    until: int  # the reader's frame
    offset: int  # of the reader


class PrimarySupervisor:
    """The engine that a station is to play. ``begin`` makes a reader of an opening.

    ``at_once``: nothing can stand in for it for long, so it is opened again without patience.
    """

    def __init__(
        self,
        station: str,
        name: str,
        load: Callable[[], Engine],
        request: Request,
        clock: Clock,
        begin: Callable[[str, Callable[[Source], OpenStream]], Source],
        at_once: bool = False,
    ) -> None:
        self.name = name
        self.reader: Source | None = None
        self.trial: Source | None = None  # with fuller options, which nobody hears yet
        self._dropped: Source | None = None  # what was tried last
        self.governor = Governor()
        self.lost = 0  # times
        self.played = False  # since the station began
        self.detail = ""  # what it said when it failed
        self._station = station
        self._load = load
        self._request = request
        self._clock = clock
        self._begin = begin
        self._at_once = at_once
        self._backoff = Backoff(random.Random(f"{station} {request.seed}").random)
        self._due = -FOREVER
        self._left: ResumePoint | None = None
        self._tried: ResumePoint | None = None
        self._hopeless = False
        self._pace = Pace(1.0, 0.0)
        self._hanging: list[Source] = []
        self._easing = False  # the stream that is being opened is lighter than the one before
        self._changes = 0  # of what is asked for: each begins other music
        self._lighter: tuple[Mapping[str, Any], ...] = ()
        self._met = False  # since it was lost, it said which options are lighter
        self._fit = False  # it was heard with the options in force
        self._in_vain = 0  # times that it broke since it was heard, or asked for something else

    @property
    def pace(self) -> Pace:
        """Of the reader; before it has read, of the one before."""
        if self.reader is None or not self.reader.opened:
            return self._pace
        return self.reader.pace

    @property
    def asked(self) -> Mapping[str, Any]:
        """The lighter options in force; none while all is well."""
        return opening.lightest(self._lighter, self.governor.level)

    @property
    def stretch_s(self) -> float:
        """How long its stretches are; 0 while it is heard all the time."""
        return self.governor.stretch_s(self.pace) if self.governor.sharing else 0.0

    def mind(self, prompt: str, awake: bool) -> float:
        """Note what happened, open again what is due; gives the moment at which to be called again."""
        now = self._clock.now()
        reader = self.reader
        if reader is not None and reader.ended:
            self._end(reader, now)
        elif reader is not None and (reader.opened or self.played) and reader.waits_s(now) > HANG_S:
            # (A model that loads for the first time may take as long as it likes.)
            reader.abandon()
            self._hanging.append(reader)
            reader.error = reader.error or EngineLost(f"it has not answered for {HANG_S:g} s")
            self._end(reader, now)
        if self.reader is None:
            self._hanging = [one for one in self._hanging if one.alive]
            if self._hopeless or (self.lost and not awake) or len(self._hanging) >= HANGING:
                return FOREVER
            if now < self._due:
                return self._due
            self._open(prompt)
        reader = self.reader
        assert reader is not None
        if reader.opened and not self._met and reader.engine is not None:
            self._met = True
            lighter = tuple(reader.engine.lighter)
            if lighter != self._lighter:
                self._lighter = lighter
                self.governor.declare(len(lighter))
        called = reader.called
        if called is None:
            return FOREVER
        return next((called + s for s in (STARVE_S, STALL_S, HANG_S) if now - called < s), FOREVER)

    def cause(self) -> Cause:
        """What is the matter with it."""
        reader = self.reader
        if self._hopeless:
            return Cause.FAILED
        slow = self.governor.sharing or self.governor.unproven
        if reader is None or not reader.opened:
            return Cause.SLOW if self._easing and slow else Cause.LOST if self.lost else Cause.LOADING
        if reader.waits_s(self._clock.now()) >= STALL_S and not reader.ahead_s:
            return Cause.STALLED
        return Cause.SLOW if slow else Cause.NONE

    def govern(self, heard: bool, ready_s: float, target_s: float, awake: bool) -> None:
        """Watch how fast it is, and ask it for less before ``ready_s`` is out, or for more."""
        reader = self.reader
        if reader is None or not reader.opened:
            return
        self._easing = False
        if self.trial is not None:
            self._judge(self.trial, ready_s, target_s)
            return
        speed = self.pace.speed
        match self.governor.look(self._clock.now(), self.pace, ready_s, target_s, heard):
            case Move.LESS:
                self._say_pace(speed, f"it is asked for less: {_listed(self.asked)}")
                self._changes += 1
                self.again("it is to do less")
                self._easing, self._fit, self._in_vain = True, False, 0
            case Move.STRETCHES:
                self._say_pace(
                    speed, f"it is heard in stretches of about {self.stretch_s:.0f} s, with other music in between"
                )
            case Move.WHOLE:
                self._say_pace(speed, "it is heard all the time again")
            case Move.TRY if awake and not (self._dropped is not None and self._dropped.alive):  # one may hang
                self._changes += 1
                fuller = self.governor.level - 1
                how = opening.fresh(self._load, self._request_of(reader.prompt, fuller))
                self.trial = self._begin(self.name, how)
                asked = _listed(opening.lightest(self._lighter, fuller))
                log.info("station %s: engine %s is tried with %s", self._station, self.name, asked)

    def plays(self) -> None:
        """It is heard, from now on."""
        self.played = self._fit = True
        self._in_vain = 0
        self.detail = ""
        self._backoff.plays(self._clock.now())

    def again(self, why: str) -> None:
        """Give up the stream and open another one at once, with the options and the prompt of now."""
        log.info("station %s: a new stream of engine %s: %s", self._station, self.name, why)
        self._pace = Pace(1.0, 0.0)
        self.drop_trial()
        if self.reader is not None:
            self.reader.close()
        self.reader, self._left = None, None
        self._due = -FOREVER

    def drop_trial(self) -> None:
        """Fuller options are not to be tried now."""
        if self.trial is not None:
            self.trial.close()
            self.trial, self._dropped = None, self.trial

    @property
    def is_embedded(self) -> bool:
        """Whether it is the one that stands in for others."""
        return self._at_once

    def close(self) -> None:
        self.drop_trial()
        if self.reader is not None:
            self.reader.close()

    def _open(self, prompt: str) -> None:
        request = self._request_of(prompt, self.governor.level)
        left = self._left
        self._left, self._tried = None, left
        if left is not None and left.kept.prompt == prompt:
            how = opening.going_on(self._load, left.kept, left.until, request)
        else:
            how = opening.fresh(self._load, request)
        self.reader = self._begin(self.name, how)
        self.reader.offset = 0 if left is None else left.offset

    def _request_of(self, prompt: str, level: int) -> Request:
        seed = (self._request.seed + self.lost + self._changes) % (MAX_SEED + 1)
        options = {**self._request.options, **opening.lightest(self._lighter, level)}
        return replace(self._request, prompt=prompt, seed=seed, options=options)

    def _judge(self, trial: Source, ready_s: float, target_s: float) -> None:
        """Put what is tried in the place of what is heard, or let go of it."""
        now = self._clock.now()
        broken = trial.ended or trial.waits_s(now) > HANG_S
        pace = Pace(0.0, TRIED_S) if broken else trial.pace if trial.opened else Pace(0.0, 0.0)
        keeps_up = self.governor.judged(now, pace, self.pace.speed, ready_s, target_s)
        if keeps_up:
            assert self.reader is not None
            self.reader.close()
            self.reader, self.trial, self._left = trial, None, None
            self._say_pace(pace.speed, f"it goes on with {_listed(self.asked)}")
        elif keeps_up is not None:
            why = str(trial.error) if trial.ended else f"{pace.speed:.2f} s of music in a second"
            self.drop_trial()
            wait_s = self.governor.wait_s(now)
            log.info("station %s: engine %s: %s; again in %.0f s", self._station, self.name, why, wait_s)

    def _say_pace(self, speed: float, what: str) -> None:
        log.info("station %s: engine %s makes %.2f s of music in a second: %s", self._station, self.name, speed, what)

    def _end(self, reader: Source, now: float) -> None:
        """Note why a reader ended, and when the engine is tried again."""
        error = reader.error
        assert error is not None
        self.drop_trial()
        self._pace = Pace(reader.pace.speed, 0.0)
        self.reader = None
        self._in_vain += 1
        if self.governor.level and self._unfit(error, reader.feed is None):
            asked = _listed(self._lighter[self.governor.level - 1])
            log.warning("station %s: engine %s does without %s: %s", self._station, self.name, asked, error)
            self.governor.refused(now)
            self._fit, self._in_vain = False, 0
            self._due = -FOREVER
            return
        if not self._fit and not isinstance(error, AWAY):
            self.governor.declare(len(self._lighter))  # it breaks with more as well: that was not why
        self._met = self._met and not isinstance(error, EngineLost)  # another one may answer
        self._easing = False
        self.lost += 1
        self.detail = str(error) or type(error).__name__
        self._hopeless = isinstance(error, HOPELESS)
        if reader.feed is None and isinstance(error, EngineLost):
            self._left = self._tried  # it was not reached
        elif reader.feed is not None and reader.kept and not reader.resumed_in_vain:
            # What broke as it went on from a snapshot may break there each time: the next stream is a fresh one.
            self._left = ResumePoint(reader.kept[-1], reader.feed.position, reader.offset)
        first = self._backoff.failures == 0
        self._due = self._backoff.failed(now, LONGEST_S if isinstance(error, EngineLost) else LONGEST_BROKEN_S)
        if self._at_once:
            self._due = now if first else now + AT_ONCE_S
        self._say(error, first)

    def _unfit(self, error: BaseException, opening: bool) -> bool:
        """Whether it broke because of the lightest options that it is asked for.

        So it seems when it has never been heard with them and does not begin, or breaks again and again: a smaller
        model that does not fit into memory may take the whole process with it.
        """
        if opening and (isinstance(error, HOPELESS) or not (self._fit or isinstance(error, AWAY))):
            return True
        return self._in_vain >= IN_VAIN and not (self._fit and isinstance(error, AWAY))

    def _say(self, error: BaseException, first: bool) -> None:
        if self._hopeless:
            log.error("station %s: engine %s cannot be used: %s", self._station, self.name, error)
        elif first:
            unforeseen = None if isinstance(error, EngineError) else error
            log.warning("station %s: engine %s failed: %s", self._station, self.name, error, exc_info=unforeseen)
        else:
            log.info("station %s: engine %s failed again: %s", self._station, self.name, error)


def _listed(options: Mapping[str, Any]) -> str:
    """Options as logs name them."""
    return ", ".join(f"{name}={value}" for name, value in options.items()) or "all that it can"
