"""Keeps a station whose engine is slower than real time from running dry; knows neither threads nor sound.

Before the reserve is out the engine is asked for less, one step after the other, each only when the speed with the one
before was measured and is still too low::

    all of it ──▶ its lighter options, as it declares them (a shorter window, fewer steps, a smaller model)
              ──▶ stretches: it works ahead while something else is heard; the slower it is, the shorter they are

and for more as soon as that may be. From stretches it comes back when it is quick enough. Fuller options are tried by a
second stream that nobody hears while the reserve plays, and only those that keep up are put on air: how quick a small
model is says little of a large one. A trial that fails makes the wait for the next one twice as long; an engine that
has become twice as quick is tried at once. A step with which the engine breaks is left out for long. One threshold to
begin and a higher one to end keep all of it from wavering.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SLOW = 1.0  # an engine that makes fewer seconds of music in a second cannot be heard all the time
FAST = 1.25  # one that makes this many can again
BRISK = 3.0  # one that makes this many is trusted at once
EARLY = 0.75  # of the reserve: below it a slow engine is asked for less, above it more may be tried
HALF = 0.5  # of the reserve: below it one that has no lighter options left is heard in stretches
STRETCH_S = 30.0  # how far a slow engine works ahead at most before it is heard again
SHORTEST_S = 10.0  # and at least: less, between two crossfades, is no music
WAIT_S = 60.0  # how long people should have to wait for it: the slower it is, the shorter its stretches
RETURN_S = 5.0  # how far one that is quick enough works ahead before it takes over
BEGIN_S = 1.0  # the same for one that has not been replaced
ONCE = 1.5  # late reads that may be chance
EVEN_S = 6.0  # music that has to be made before the speed says anything
TRIED_S = 12.0  # the same for a trial
FIRST_S, LONGEST_S = 60.0, 3600.0  # before fuller options are tried again: twice as long each time that they fail
BARRED_S = 3600.0  # before a step with which the engine broke is asked for again
PAUSE_S = 10.0  # between two steps, however much quicker the engine has become
TRUST_S = 600.0  # options that kept up for so long are not held to have failed


class Move(Enum):
    """What is to be done."""

    STAY = "stay"
    LESS = "less"  # begin a stream with the next lighter options
    STRETCHES = "stretches"  # from now on it is heard in stretches
    WHOLE = "whole"  # and now all the time again
    TRY = "try"  # begin a stream with the next fuller options, for nobody, and have it ``judged``


@dataclass(frozen=True)
class Pace:
    """How fast an engine is, as measured."""

    speed: float  # seconds of music made in a second of work
    made_s: float  # that were measured
    late: float = 10.0  # how many of the last reads took longer than what they gave; older ones count for less

    @property
    def known(self) -> bool:
        return self.made_s >= EVEN_S

    @property
    def slow(self) -> bool:
        """Whether it cannot be heard all the time: by more than one read, for it may have hung once."""
        return self.speed < SLOW and self.late > ONCE


class Governor:
    """For one station. ``lighter`` counts the steps of lighter options that the engine declares."""

    def __init__(self, lighter: int = 0) -> None:
        self.sharing = False  # the engine is heard in stretches
        self.level = 0  # how many lighter steps are asked for
        self.unproven = False  # whether that is enough is not known yet
        self._lighter = lighter
        self._barred, self._barred_until = 0, 0.0  # this level and those after it are not asked for
        self._waits_s: dict[int, float] = {}  # by level: before it is tried again
        self._changed = self._rose = -LONGEST_S
        self._due = 0.0  # when the next fuller level may be tried
        self._first: float | None = None  # the speed with this level when it was first known

    def declare(self, lighter: int) -> None:
        """The engine has so many lighter steps, none of which has failed yet."""
        self._lighter, self._barred = lighter, 0
        if self.level > lighter:
            self.level, self.unproven = lighter, False

    def look(self, now: float, pace: Pace, reserve_s: float, target_s: float, heard: bool) -> Move:
        """What is to be done about an engine of this speed. ``heard``: it is on air now."""
        if not pace.known:
            return Move.STAY
        self._first = pace.speed if self._first is None else self._first
        self.unproven = self.unproven and pace.slow
        if self.sharing:
            if pace.speed <= FAST:
                return Move.STAY
            self.sharing = False
            return Move.WHOLE
        if pace.slow:
            if self.level < self._most(now) and (not heard or reserve_s < EARLY * target_s):
                self._ask_less(now)
                return Move.LESS
            if heard and reserve_s < HALF * target_s:
                self.sharing = True
                return Move.STRETCHES
        elif self.level and heard and reserve_s >= EARLY * target_s and self._may_try(now, pace.speed):
            return Move.TRY
        return Move.STAY

    def judged(self, now: float, trial: Pace, speed: float, reserve_s: float, target_s: float) -> bool | None:
        """Whether the next fuller options keep up, so that they are in force from now on; None: it is not known yet.

        ``speed`` is that with the options in force.
        """
        if trial.made_s < TRIED_S and reserve_s >= HALF * target_s:
            return None
        self._changed = now
        if trial.made_s >= TRIED_S and trial.speed >= FAST:
            self.level -= 1
            self._rose, self._first = now, None
            self._due = now + self._waits_s.get(self.level - 1, FIRST_S)
            return True
        self._first = speed
        self._wait_longer(now, self.level - 1)
        return False

    def refused(self, now: float) -> None:
        """The engine cannot do the lightest that is asked for: what comes before it is in force again, and the end."""
        self._barred, self._barred_until = self.level, now + BARRED_S
        self.level, self.unproven = self.level - 1, True

    def stretch_s(self, pace: Pace) -> float:
        """How much a slow engine makes before it is heard again."""
        return min(max(SHORTEST_S, pace.speed * WAIT_S), STRETCH_S)

    def margin_s(self, pace: Pace, replaced: bool, empty: bool) -> float:
        """How much has to be made ahead before the engine is heard.

        ``replaced``: something else is heard now; ``empty``: nothing is in reserve.
        """
        if self.sharing or (replaced and pace.speed < FAST):
            return self.stretch_s(pace)
        if replaced and self.unproven:
            return EVEN_S  # who is heard before the speed is known may have to leave again at once
        return BEGIN_S if empty and not replaced and pace.speed >= BRISK else RETURN_S

    def wait_s(self, now: float) -> float:
        """How long it is until fuller options may be tried."""
        return max(0.0, self._due - now)

    def _most(self, now: float) -> int:
        """The lightest level that may be asked for."""
        return self._barred - 1 if self._barred and now < self._barred_until else self._lighter

    def _ask_less(self, now: float) -> None:
        if self.level not in self._waits_s or now - self._rose >= TRUST_S:
            self._waits_s[self.level] = FIRST_S
            self._due = now + FIRST_S
        else:
            self._wait_longer(now, self.level)
        self.level += 1
        self.unproven, self._changed, self._first = True, now, None

    def _wait_longer(self, now: float, level: int) -> None:
        self._waits_s[level] = min(2.0 * self._waits_s.get(level, FIRST_S / 2.0), LONGEST_S)
        self._due = now + self._waits_s[level]

    def _may_try(self, now: float, speed: float) -> bool:
        assert self._first is not None
        sooner = now - self._changed >= PAUSE_S and speed >= 2.0 * self._first
        return speed >= FAST and (sooner or now >= self._due)
