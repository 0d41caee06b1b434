"""Thousands of stations on engines that fail and are deployed anew: how many spares keep every listener whole?

``python -m bench.radio.scale_sim [--stations 10000] [--days 30]``; what goes in has flags, and ``INPUTS`` says of each
whether its default was measured, and by which bench, is the setting of servers, or is assumed.

Engines have room for ``rate`` times real time in all and are given ``streams`` streams. When one dies, its stations are
spread over those with the most room. A station is whole again once another engine has rendered what was made since its
last state (up to ``redo_s``) and is back ahead of the air; until then its buffer of ``buffer_s`` plays. A station whose
buffer runs out is *broken*, for its listeners play the fallback then. A deploy replaces ``at_once`` engines at a time,
whose stations move before the engine stops; it needs as much room, but no detection.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from ..measure import report

INPUTS = {
    "buffer_s": "set: lullwave.segments.producer.AHEAD_S",
    "redo_s": "set: eight segments of 2 s, lullwave.segments.producer.STATE_EVERY",
    "detect_s": "measured: make bench-ray-streams, takeover_s, first music on another actor after kill -9",
    "node_detect_s": "measured: make bench-ray-streams, vanished_s, the same after an actor falls silent",
    "load_s": "assumed, for a neural engine; make bench-ray-streams measures 3.1 to 5.5 s with the embedded one",
    "rate": "measured: docs/measured/musicgen.md, 210 songs of musicgen-small on one H200",
    "mtbf_hours": "assumed, a hundred times the rate of arXiv:2407.21783, table 5: 419 in 54 days of 16,384 GPUs",
    "node_mtbf_hours": "assumed",
    "deploys": "assumed",
}
DAY_S = 86400.0


@dataclass(frozen=True)
class Fleet:
    """What is simulated. Times in seconds."""

    stations: int = 10_000
    streams: int = 150  # placed on an engine when all is well
    rate: float = 210.0  # times real time that an engine makes in all
    spares: int = 0  # engines beyond those that the stations need
    per_node: int = 4  # engines that die together when their machine does
    mtbf_hours: float = 500.0  # of an engine
    node_mtbf_hours: float = 2000.0  # of a machine
    deploys: float = 1.0  # a day
    at_once: int = 1  # engines that a deploy replaces at the same time
    detect_s: tuple[float, ...] = (1.5, 1.5, 1.6, 1.6, 1.7)  # of which each engine's death takes one at random
    node_detect_s: tuple[float, ...] = (8.1, 8.1, 8.1)  # the same of a machine's
    load_s: float = 30.0  # until a started engine can play
    redo_s: float = 16.0
    buffer_s: float = 24.0

    @property
    def engines(self) -> int:
        """All engines, spares included."""
        return -(-self.stations // self.streams) + self.spares


@dataclass
class Outcome:
    """What a simulated time brought."""

    deaths: int = 0  # of engines
    moved: int = 0  # stations that another engine took over
    broken: int = 0  # of these, those whose buffer ran out
    longest_s: float = 0.0  # takeover


def takeover(lost: int, room: Sequence[float], redo_s: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Spread ``lost`` stations over engines, and say how long each takes until it is made again where it was.

    Args:
        lost: number of stations.
        room: what each engine makes beyond its own streams, in times real time.
        redo_s: (lost,) seconds of music that are rendered again.

    Returns:
        (lost,) seconds from the start of its rendering, infinite where the room is less than real time for each; and
        how many stations each engine takes.
    """
    taken = [0] * len(room)
    order = [(-share, n) for n, share in enumerate(room)]  # by the share of its room that one more would get
    heapq.heapify(order)
    where = []
    for _ in range(lost):
        _, n = heapq.heappop(order)
        where.append(n)
        taken[n] += 1
        heapq.heappush(order, (-room[n] / (1 + taken[n]), n))
    speed = np.array([room[n] / max(1, taken[n]) for n in range(len(room))])[where]
    with np.errstate(divide="ignore"):
        return np.where(speed > 1.0, redo_s / np.maximum(speed - 1.0, 1e-9), np.inf), taken


def simulate(fleet: Fleet, days: float, seed: int = 0, until_broken: bool = False) -> Outcome:
    """Play ``days`` of deaths and deploys, or until a station breaks."""
    draw = np.random.default_rng(seed)
    outcome, order = Outcome(), count()
    held = [fleet.stations // fleet.engines + (n < fleet.stations % fleet.engines) for n in range(fleet.engines)]
    up_at = [0.0] * fleet.engines  # when each can play (again)
    events: list[tuple[float, int, str, int]] = []

    def plan(now: float, what: str, which: int, every_s: float) -> None:
        heapq.heappush(events, (now + draw.exponential(every_s), next(order), what, which))

    for n in range(fleet.engines):
        plan(0.0, "engine", n, fleet.mtbf_hours * 3600)
    for n in range(-(-fleet.engines // fleet.per_node)):
        plan(0.0, "node", n, fleet.node_mtbf_hours * 3600)
    if fleet.deploys:
        plan(0.0, "deploy", 0, DAY_S / fleet.deploys)

    def move(gone: Sequence[int], now: float, detect_s: float, planned: bool = False) -> None:
        """Let the other engines take over the streams of those that are ``gone``."""
        gone = [n for n in gone if up_at[n] <= now]  # those that are down have no streams
        lost = sum(held[n] for n in gone)
        for n in gone:
            held[n], up_at[n] = 0, now + detect_s + fleet.load_s
        left = [n for n in range(fleet.engines) if up_at[n] <= now]
        outcome.deaths += 0 if planned else len(gone)
        if not lost:
            return
        took = np.full(lost, np.inf)
        if left:
            room = [fleet.rate - held[n] for n in left]
            took, taken = takeover(lost, room, draw.uniform(0, fleet.redo_s, lost))
            took += detect_s
            for n, more in zip(left, taken, strict=True):
                held[n] += more
        outcome.moved += lost
        outcome.broken += int((took > fleet.buffer_s).sum())
        outcome.longest_s = max(outcome.longest_s, float(took[np.isfinite(took)].max(initial=0.0)))

    def settle(now: float) -> None:
        """Engines that came back get streams again, without hurry."""
        here = [n for n in range(fleet.engines) if up_at[n] <= now]
        for rank, n in enumerate(here):
            held[n] = fleet.stations // len(here) + (rank < fleet.stations % len(here))

    while events and events[0][0] < days * DAY_S and not (until_broken and outcome.broken):
        now, _, what, which = heapq.heappop(events)
        settle(now)
        if what == "deploy":  # of the engines from number ``which`` on; the others follow one step after the other
            following = which + fleet.at_once
            move(range(which, min(following, fleet.engines)), now, 0.0, planned=True)
            if following < fleet.engines:
                heapq.heappush(events, (now + fleet.load_s + 1.0, next(order), what, following))
            else:
                plan(now, what, 0, DAY_S / fleet.deploys)
            continue
        first = which * fleet.per_node
        gone = [which] if what == "engine" else range(first, min(first + fleet.per_node, fleet.engines))
        move(gone, now, float(draw.choice(fleet.detect_s if what == "engine" else fleet.node_detect_s)))
        plan(now, what, which, 3600 * (fleet.mtbf_hours if what == "engine" else fleet.node_mtbf_hours))
    return outcome


def spares_needed(fleet: Fleet, days: float, seeds: Sequence[int], most: int = 64) -> int | None:
    """The fewest spares with which no station breaks in any of the simulated times; None: not even ``most``."""

    def enough(spares: int) -> bool:
        return all(simulate(replace(fleet, spares=spares), days, seed, True).broken == 0 for seed in seeds)

    if not enough(most):
        return None
    few, many = -1, most  # too few, enough
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many


def main() -> None:
    """Simulate each of four fleets without spares and with as many as it needs."""
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    ask.add_argument("--stations", type=int, default=Fleet.stations)
    ask.add_argument("--days", type=float, default=30.0)
    ask.add_argument("--seeds", type=int, default=2)
    ask.add_argument("--rate", type=float, default=Fleet.rate)
    ask.add_argument("--detect-s", type=float, nargs="+", default=list(Fleet.detect_s))
    ask.add_argument("--node-detect-s", type=float, nargs="+", default=list(Fleet.node_detect_s))
    ask.add_argument("--load-s", type=float, default=Fleet.load_s)
    ask.add_argument("--mtbf-hours", type=float, default=Fleet.mtbf_hours)
    ask.add_argument("--deploys", type=float, default=Fleet.deploys, help="a day")
    given = ask.parse_args()
    base = Fleet(
        stations=given.stations,
        rate=given.rate,
        detect_s=tuple(given.detect_s),
        node_detect_s=tuple(given.node_detect_s),
        load_s=given.load_s,
        mtbf_hours=given.mtbf_hours,
        deploys=given.deploys,
    )
    rows = []
    for share in (0.5, 0.7, 0.8, 0.9):
        fleet = replace(base, streams=max(1, int(share * base.rate)))
        needed = spares_needed(fleet, given.days, range(given.seeds))
        for spares in (0, needed):
            if spares is None or (spares == 0 and needed == 0 and len(rows) and rows[-1]["load"] == share):
                continue
            runs = [simulate(replace(fleet, spares=spares), given.days, seed) for seed in range(given.seeds)]
            rows.append(
                {
                    "load": share,
                    "engines": replace(fleet, spares=spares).engines,
                    "spares": spares,
                    "deaths": sum(run.deaths for run in runs) / len(runs),
                    "moved": sum(run.moved for run in runs) / len(runs),
                    "broken": sum(run.broken for run in runs) / len(runs),
                    "longest_s": max(run.longest_s for run in runs),
                    "enough": spares == needed,
                }
            )
    report("scale-sim", rows, stations=given.stations, days=given.days, inputs=INPUTS)


if __name__ == "__main__":
    main()
