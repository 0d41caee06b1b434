"""How many actors a pool of engines should have, from what they report; pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FULL_SHARE = 0.8  # of the places for streams: from here on another actor is started
EMPTY_SHARE = 0.5  # of the places of one actor less: below, one is stopped
REAL_TIME = 1.1  # an actor whose slowest stream is made slower than this gets help


@dataclass(frozen=True)
class PoolLimits:
    """The bounds of a pool: from ``smallest`` to ``largest`` actors, ``streams`` on each."""

    smallest: int = 1
    largest: int = 1
    streams: int = 8
    idle_s: float = 60.0  # how long an actor has no stream before it may be stopped


@dataclass(frozen=True)
class ActorLoad:
    """What an actor does: its streams, blocks that wait for a worker, the slowest stream, and for how long it idles."""

    streams: int
    waiting: int = 0
    speed: float | None = None  # times real time, of the slowest stream; None: nothing was made lately
    idle_s: float = 0.0


def actors_wanted(loads: Sequence[ActorLoad], limits: PoolLimits) -> int:
    """How many actors the pool should have, given the loads of those that answer.

    One more where the places are nearly all taken, or where some actor does not keep up: blocks wait and its slowest
    stream is below real time. One less where the streams would fill at most half of the places of the others, and one
    actor has been idle for ``idle_s``.
    """
    count = max(len(loads), limits.smallest)
    streams = sum(load.streams for load in loads)
    behind = any(load.waiting and load.speed is not None and load.speed < REAL_TIME for load in loads)
    if behind or streams > FULL_SHARE * count * limits.streams:
        count += 1
    elif any(load.idle_s >= limits.idle_s for load in loads) and streams <= EMPTY_SHARE * (count - 1) * limits.streams:
        count -= 1
    return min(max(count, limits.smallest), limits.largest)
