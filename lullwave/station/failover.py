"""Which music a station airs when its engine does not give enough: a state machine that only looks and says.

::

    engine ◀───────────── works, and has a margin ahead ─────────────┬───────────────┐
      │ lost, loading, stalled                                       │               │
      ▼                                                              │               │
    reserve ─── runs low, or a wish ───▶ recycled ─── no clip left, or a wish ───▶ embedded

Knows no thread, no clock and no sound: the producer tells it what it sees, and does what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Rung(StrEnum):
    """What is put on air."""

    ENGINE = "engine"  # the station's own
    RESERVE = "reserve"  # what it made before
    RECYCLED = "recycled"  # clips that were on air earlier
    EMBEDDED = "embedded"  # the embedded engine in its place


class Cause(StrEnum):
    """What is the matter with the station's engine."""

    NONE = "none"
    LOADING = "loading"  # it has not played yet
    LOST = "lost"  # it broke, or cannot be reached; it is tried again
    STALLED = "stalled"  # it does not answer
    SLOW = "slow"  # it makes less music than is heard
    FAILED = "failed"  # it cannot be loaded, and trying again would not help


STAND_INS = (Rung.RECYCLED, Rung.EMBEDDED)


@dataclass(frozen=True)
class Sight:
    """What the producer sees."""

    cause: Cause
    reserve_s: float  # made and not on air
    low_s: float  # a reserve below this is low
    ahead_s: float = 0.0  # what the engine has made beyond the reserve
    margin_s: float = 0.5  # how much of it is enough to take over
    settled: bool = True  # the last change is over
    starving: bool = False  # the engine works, but gave nothing for a while, and the reserve is nearly out
    ready: frozenset[Rung] = frozenset()  # stand-ins that have music
    clips_over: bool = False  # every clip has been heard
    wish: bool = False  # somebody wants the music to turn


@dataclass(frozen=True)
class Standing:
    """Where a station is on the ladder, for people."""

    rung: Rung
    cause: Cause
    engine: str  # that makes what is put on air
    wanted: str  # the station's own
    detail: str = ""  # the engine's own words on what is the matter
    asked: Mapping[str, Any] = field(default_factory=dict)  # lighter options that it is asked for meanwhile
    stretch_s: float = field(default=0.0, compare=False)  # of its music at a time; 0: it is heard all the time

    def data(self) -> Mapping[str, Any]:
        """As events and replies tell it."""
        return {
            "rung": self.rung.value,
            "cause": self.cause.value,
            "wanted": self.wanted,
            "detail": self.detail,
            "asked": dict(self.asked),
            "stretch_s": self.stretch_s,
        }


class Ladder:
    """Begins with nothing on air."""

    def __init__(self) -> None:
        self.rung = Rung.RESERVE

    def look(self, sight: Sight) -> Rung:
        """The rung to be on now; one that is new has music ready."""
        self.rung = self._next(sight)
        return self.rung

    def _next(self, sight: Sight) -> Rung:
        works = sight.cause in (Cause.NONE, Cause.SLOW)
        if self.rung is Rung.ENGINE:
            if not works:
                return self._from_reserve(sight)
            slow = sight.cause is Cause.SLOW and sight.reserve_s < sight.low_s and not sight.ahead_s
            return (self._stand_in(sight) or Rung.ENGINE) if slow or sight.starving else Rung.ENGINE
        if works and sight.settled and sight.ahead_s > 0 and sight.ahead_s >= sight.margin_s:
            return Rung.ENGINE
        if self.rung is Rung.RESERVE:
            return self._from_reserve(sight)
        if self.rung is Rung.RECYCLED and (sight.wish or sight.clips_over) and Rung.EMBEDDED in sight.ready:
            return Rung.EMBEDDED
        if self.rung not in sight.ready:  # the stand-in broke as well
            return self._stand_in(sight) or self.rung
        return self.rung

    def _from_reserve(self, sight: Sight) -> Rung:
        if sight.reserve_s < sight.low_s or sight.wish:
            return self._stand_in(sight) or Rung.RESERVE
        return Rung.RESERVE

    @staticmethod
    def _stand_in(sight: Sight) -> Rung | None:
        order = (Rung.EMBEDDED,) if sight.wish else STAND_INS  # clips cannot be turned
        return next((rung for rung in order if rung in sight.ready), None)
