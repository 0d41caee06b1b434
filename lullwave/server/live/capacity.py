"""Measures how many stations and private streams this machine plays at once. Knows nothing of HTTP.

A second of music costs the processor its composition and synthesis (rendering), and mastering and encoding (output).
Stations do both in this process, so all together have a share of one processor. Beyond a few, private streams are made
in worker processes (``stream_workers``): they have what stations leave of the machine, and this process only passes
their music on.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from ...audio import Audio
from ...codecs import Mp3Encoder
from ...engines.base import Engine
from ...mastering import Master
from ...request import Request
from ...settings import Settings
from ..workers.stream_workers import HERE

PROVISIONAL = 4  # stations that may be awake until the machine is measured
WARM_UP_S, BEGIN_S, STEADY_S = 6.0, 6.0, 12.0  # seconds of music that are rendered to measure: the last two count
MEASUREMENTS, AGAIN_S = 6, 10.0  # most measurements, and seconds between two
UNDISTURBED = 0.5  # processors that other threads may use during a measurement that counts as the last
PROCESSOR_SHARE = 0.4  # of one processor for stations: all who come may come at once, and then every note is new
MACHINE_SHARE = 0.75  # of all processors, for stations and private streams together: to steer one costs half a second
PROCESS_SHARE = 0.6  # of one processor for this process
WORKER_SHARE = 0.7  # of one processor for each process of a worker
PASSING = 0.4  # what it costs this process to pass on the music of a worker, in costs of an output
GIVING = 0.1  # what it costs each process of a worker to give it, in the same
MAX_WORKERS = 8
MAX_PER_WORKER = 24  # streams: a connection holds 64, and a stream that is steered is two for a moment
CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")  # what a container may use: "QUOTA PERIOD", or "max PERIOD"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cost:
    """Seconds of a processor that one second of music of the embedded engine takes."""

    begin_s: float  # to render the first seconds of a station: every note is new
    render_s: float  # to render from then on
    output_s: float  # to master and encode

    @property
    def total_s(self) -> float:
        """From the first seconds on."""
        return self.render_s + self.output_s

    @property
    def passing_s(self) -> float:
        """For this process, if a worker makes the music."""
        return PASSING * self.output_s

    @property
    def worker_s(self) -> float:
        """For each process of that worker, at most."""
        return max(self.render_s, self.output_s) + GIVING * self.output_s

    @property
    def private_s(self) -> float:
        """For all three processes."""
        return self.total_s + (PASSING + 2 * GIVING) * self.output_s

    def least(self, other: Cost) -> Cost:
        """The lower one of each cost."""
        both = zip(astuple(self), astuple(other), strict=True)
        return Cost(*(min(one, another) for one, another in both))


NO_COST = Cost(math.inf, math.inf, math.inf)  # not measured yet


@dataclass(frozen=True)
class Capacity:
    """How many stations may be awake at once, and how many private streams beside them.

    Without a measured ``cost``, both together are at most ``stations``. ``processors``: that this process may use.
    """

    stations: int
    cost: Cost | None = None
    processors: float = 1.0

    @property
    def workers(self) -> int:
        """How many workers may make private streams; 0: all are made in this process."""
        return max(0, min(MAX_WORKERS, int(self.processors) - 1))

    @property
    def per_worker(self) -> int:
        """How many private streams one worker makes."""
        if self.cost is None:
            return MAX_PER_WORKER
        return max(1, min(MAX_PER_WORKER, int(WORKER_SHARE / self.cost.worker_s)))

    def private(self, stations: int) -> int:
        """How many private streams may play while ``stations`` stations are awake."""
        here = max(0, self.stations - stations)  # all in this process
        if self.cost is None or not self.workers:
            return here
        used_s, each = stations * self.cost.total_s, self.cost
        machine = (MACHINE_SHARE * self.processors - used_s) / each.private_s
        process = HERE + (PROCESS_SHARE - used_s - HERE * each.total_s) / each.passing_s
        return max(here, min(int(machine), int(process), HERE + self.workers * self.per_worker))


def capacities(engine: Engine, settings: Settings, stopping: threading.Event) -> Iterator[Capacity]:
    """How much this machine plays at once, from the processor time of a few seconds of music.

    Work of other threads makes the processor seem slower, so it is measured again after such a time, and the lowest
    cost counts: each capacity replaces the one before. Ends early once ``stopping`` is set. ``engine`` is the embedded
    one: every station may have to fall back to it.
    """
    cost, available = NO_COST, processors()
    for _ in range(MEASUREMENTS):
        began = (time.monotonic(), time.process_time(), time.thread_time())
        measured = measured_cost(engine, settings, stopping)
        if measured is None:
            return
        took_s, all_s, own_s = (
            time.monotonic() - began[0],
            time.process_time() - began[1],
            time.thread_time() - began[2],
        )
        cost = cost.least(measured)
        capacity = Capacity(stations_at(cost.begin_s + cost.output_s, available), cost, available)
        log.info(
            "one second of music takes %.0f ms of a processor to render (%.0f ms of new notes) and %.0f ms to master "
            "and encode: at most %d stations are awake at once (setting max_awake), and %d private streams beside one",
            1000 * cost.render_s,
            1000 * cost.begin_s,
            1000 * cost.output_s,
            capacity.stations,
            capacity.private(1),
        )
        yield capacity
        if all_s - own_s < UNDISTURBED * took_s or stopping.wait(AGAIN_S):
            return


def measured_cost(engine: Engine, settings: Settings, stopping: threading.Event) -> Cost | None:
    """The cost of the embedded engine's music here; None if ``stopping`` was set meanwhile."""
    # music with an end, which the engine does not remember as played
    with engine.stream(Request(settings.stations[0].prompt(), 1, duration_s=60.0)) as stream:
        master = Master(stream.rate, stream.channels, settings.loudness_lufs, settings.ceiling_dbtp)
        encoder = Mp3Encoder(stream.rate, stream.channels, settings.bitrate_kbps)
        begin_s = steady_s = output_s = 0.0
        for n in range(round(2 * (WARM_UP_S + BEGIN_S + STEADY_S))):
            if stopping.is_set():
                return None
            began = time.thread_time()
            block: Audio = stream.read(stream.rate // 2)
            rendered = time.thread_time()
            if n >= 2 * (WARM_UP_S + BEGIN_S):
                steady_s += rendered - began
            elif n < 2 * WARM_UP_S:
                encoder.encode(master.process(block))
            else:
                encoder.encode(master.process(block))
                begin_s += rendered - began
                output_s += time.thread_time() - rendered
    return Cost(begin_s / BEGIN_S, steady_s / STEADY_S, max(output_s, 1e-4) / BEGIN_S)


def stations_at(cost_s: float, available: float) -> int:
    """How many stations may be awake, where a second of music costs ``cost_s`` seconds of one processor.

    ``available``: processors that this process may use; more than one do not help.
    """
    return max(1, int(PROCESSOR_SHARE * min(1.0, available) / cost_s))


def processors(limit: Path = CGROUP_LIMIT) -> float:
    """The processors that this process may use: by a container's limit, by its affinity, or all."""
    found = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    with suppress(OSError, ValueError):
        quota, period = limit.read_text().split()
        found = min(found, float(quota) / float(period))
    return found
