"""Decides which music a station airs while its engine does not deliver enough: a state machine without side effects.

::

    primary ◀──────── works, and is ahead by a margin ────────────────┬────────────────┐
      │ lost, loading, stalled                                        │                │
      ▼                                                               │                │
    reserve ─── low, or a steer request ───▶ archive ─── no clip left, or a request ──▶ embedded

A pure state machine: the producer passes an ``Observation`` and carries out the decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Tier(StrEnum):
    """What a station airs. The values are the field ``rung`` of events, replies and metrics."""

    PRIMARY = "engine"  # the station's own engine
    RESERVE = "reserve"  # what that engine rendered before
    ARCHIVE = "recycled"  # clips that were on air earlier
    EMBEDDED = "embedded"  # the embedded engine


class Cause(StrEnum):
    """Why a station's engine is not on air, or not with all its options."""

    NONE = "none"
    LOADING = "loading"  # it has not played yet
    LOST = "lost"  # it failed or cannot be reached; it is retried
    STALLED = "stalled"  # it does not answer
    SLOW = "slow"  # slower than real time
    FAILED = "failed"  # it cannot be loaded, and a retry would not help


FALLBACKS = (Tier.ARCHIVE, Tier.EMBEDDED)  # in order of preference


@dataclass(frozen=True)
class Observation:
    """The inputs of one decision."""

    cause: Cause
    reserve_s: float  # rendered and not on air yet
    low_s: float  # a reserve below this is low
    ahead_s: float = 0.0  # rendered by the engine beyond the reserve
    margin_s: float = 0.5  # `ahead_s` that the engine needs to go on air
    settled: bool = True  # the last crossfade is over
    starving: bool = False  # the engine works, but the reserve runs out while a read takes long
    ready: frozenset[Tier] = frozenset()  # fallbacks that have music
    clips_over: bool = False  # every clip has been played
    steer_waiting: bool = False  # a steer request waits


@dataclass(frozen=True)
class FailoverStatus:
    """What a station airs and why."""

    tier: Tier
    cause: Cause
    engine: str  # name of the engine on air
    primary: str  # name of the station's own engine
    detail: str = ""  # the error message of that engine
    lighter_options: Mapping[str, Any] = field(default_factory=dict)  # in force because the engine is slow
    stretch_s: float = field(default=0.0, compare=False)  # seconds it plays at a time; 0: all the time

    @property
    def origin(self) -> str:
        """Where the music on air comes from, for a log line."""
        return {Tier.RESERVE: "its buffer", Tier.ARCHIVE: "earlier clips"}.get(self.tier, self.engine)

    def data(self) -> Mapping[str, Any]:
        """The fields of events and replies."""
        return {
            "rung": self.tier.value,
            "cause": self.cause.value,
            "wanted": self.primary,
            "detail": self.detail,
            "asked": dict(self.lighter_options),
            "stretch_s": self.stretch_s,
        }


class Failover:
    """The state machine; begins with an empty reserve. One thread."""

    def __init__(self, tier: Tier = Tier.RESERVE) -> None:
        self._tier = tier

    @property
    def tier(self) -> Tier:
        return self._tier

    def source_left(self) -> None:
        """The source on air is gone: only the reserve is left."""
        self._tier = Tier.RESERVE

    def next_tier(self, seen: Observation) -> Tier:
        """Decide and return the tier to be on now; a new one has music ready."""
        self._tier = self._next(seen)
        return self._tier

    def _next(self, seen: Observation) -> Tier:
        works = seen.cause in (Cause.NONE, Cause.SLOW)
        if self._tier is Tier.PRIMARY:
            if not works:
                return self._from_reserve(seen)
            slow = seen.cause is Cause.SLOW and seen.reserve_s < seen.low_s and not seen.ahead_s
            return (self._fallback(seen) or Tier.PRIMARY) if slow or seen.starving else Tier.PRIMARY
        if works and seen.settled and seen.ahead_s > 0 and seen.ahead_s >= seen.margin_s:
            return Tier.PRIMARY
        if self._tier is Tier.RESERVE:
            return self._from_reserve(seen)
        if self._tier is Tier.ARCHIVE and (seen.steer_waiting or seen.clips_over) and Tier.EMBEDDED in seen.ready:
            return Tier.EMBEDDED
        if self._tier not in seen.ready:  # the fallback failed as well
            return self._fallback(seen) or self._tier
        return self._tier

    def _from_reserve(self, seen: Observation) -> Tier:
        if seen.reserve_s < seen.low_s or seen.steer_waiting:
            return self._fallback(seen) or Tier.RESERVE
        return Tier.RESERVE

    @staticmethod
    def _fallback(seen: Observation) -> Tier | None:
        allowed = (Tier.EMBEDDED,) if seen.steer_waiting else FALLBACKS  # clips cannot be steered
        return next((tier for tier in allowed if tier in seen.ready), None)
