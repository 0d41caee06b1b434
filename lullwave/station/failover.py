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


class Tier(StrEnum):
    """What is put on air."""

    PRIMARY = "engine"  # the station's own
    RESERVE = "reserve"  # what it made before
    ARCHIVE = "recycled"  # clips that were on air earlier
    EMBEDDED = "embedded"  # the embedded engine in its place


class Cause(StrEnum):
    """What is the matter with the station's engine."""

    NONE = "none"
    LOADING = "loading"  # it has not played yet
    LOST = "lost"  # it broke, or cannot be reached; it is tried again
    STALLED = "stalled"  # it does not answer
    SLOW = "slow"  # it makes less music than is heard
    FAILED = "failed"  # it cannot be loaded, and trying again would not help


FALLBACKS = (Tier.ARCHIVE, Tier.EMBEDDED)


@dataclass(frozen=True)
class Observation:
    """What the producer sees."""

    cause: Cause
    reserve_s: float  # made and not on air
    low_s: float  # a reserve below this is low
    ahead_s: float = 0.0  # what the engine has made beyond the reserve
    margin_s: float = 0.5  # how much of it is enough to take over
    settled: bool = True  # the last change is over
    starving: bool = False  # the engine works, but gave nothing for a while, and the reserve is nearly out
    ready: frozenset[Tier] = frozenset()  # stand-ins that have music
    clips_over: bool = False  # every clip has been heard
    steer_waiting: bool = False  # somebody wants the music to turn


@dataclass(frozen=True)
class FailoverStatus:
    """Where a station is on the ladder, for people."""

    tier: Tier
    cause: Cause
    engine: str  # that makes what is put on air
    primary: str  # name of the station's own engine
    detail: str = ""  # the engine's own words on what is the matter
    lighter_options: Mapping[str, Any] = field(default_factory=dict)  # lighter options that it is asked for meanwhile
    stretch_s: float = field(default=0.0, compare=False)  # of its music at a time; 0: it is heard all the time

    def data(self) -> Mapping[str, Any]:
        """As events and replies tell it."""
        return {
            "rung": self.tier.value,
            "cause": self.cause.value,
            "wanted": self.primary,
            "detail": self.detail,
            "asked": dict(self.lighter_options),
            "stretch_s": self.stretch_s,
        }


class Failover:
    """Begins with nothing on air."""

    def __init__(self) -> None:
        self.tier = Tier.RESERVE

    def next_tier(self, seen: Observation) -> Tier:
        """The rung to be on now; one that is new has music ready."""
        self.tier = self._next(seen)
        return self.tier

    def _next(self, seen: Observation) -> Tier:
        works = seen.cause in (Cause.NONE, Cause.SLOW)
        if self.tier is Tier.PRIMARY:
            if not works:
                return self._from_reserve(seen)
            slow = seen.cause is Cause.SLOW and seen.reserve_s < seen.low_s and not seen.ahead_s
            return (self._stand_in(seen) or Tier.PRIMARY) if slow or seen.starving else Tier.PRIMARY
        if works and seen.settled and seen.ahead_s > 0 and seen.ahead_s >= seen.margin_s:
            return Tier.PRIMARY
        if self.tier is Tier.RESERVE:
            return self._from_reserve(seen)
        if self.tier is Tier.ARCHIVE and (seen.steer_waiting or seen.clips_over) and Tier.EMBEDDED in seen.ready:
            return Tier.EMBEDDED
        if self.tier not in seen.ready:  # the stand-in broke as well
            return self._stand_in(seen) or self.tier
        return self.tier

    def _from_reserve(self, seen: Observation) -> Tier:
        if seen.reserve_s < seen.low_s or seen.steer_waiting:
            return self._stand_in(seen) or Tier.RESERVE
        return Tier.RESERVE

    @staticmethod
    def _stand_in(seen: Observation) -> Tier | None:
        order = (Tier.EMBEDDED,) if seen.steer_waiting else FALLBACKS  # clips cannot be turned
        return next((tier for tier in order if tier in seen.ready), None)
