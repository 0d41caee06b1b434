"""Measures how many stations and private streams this machine plays at once. Knows nothing of HTTP.

A second of music costs the processor its composition and synthesis (rendering), and mastering and encoding (output).
Stations do both in this process, so all together have a share of one processor. Beyond that, private streams are
rendered in worker processes (``engine_workers``): they have what stations leave of the machine, and this process does
only their output.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...audio import Audio
from ...codecs import Mp3Encoder
from ...engines.base import Engine
from ...mastering import Master
from ...request import Request
from ...settings import Settings

PROVISIONAL = 4  # stations that may be awake until the machine is measured
WARM_UP_S, MEASURED_S = 6.0, 6.0  # seconds of music that are rendered to measure: the second part counts
PROCESSOR_SHARE = 0.4  # of one processor for stations: all who come may come at once, and then every note is new
MACHINE_SHARE = 0.75  # of all processors, for stations and private streams together
PROCESS_SHARE = 0.85  # of one processor for this process, whose encoders run beside its other threads
WORKER_SHARE = 0.7  # of one processor for a worker process
TRANSFER_S = 0.004  # seconds of a processor, in each of both processes, to send one second of music to this one
MAX_WORKERS = 8
MAX_PER_WORKER = 24  # streams: a connection holds 64, and a stream that is steered is two for a moment
CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")  # what a container may use: "QUOTA PERIOD", or "max PERIOD"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cost:
    """Seconds of a processor that one second of music of the embedded engine takes."""

    render_s: float
    output_s: float  # mastering and encoding

    @property
    def total_s(self) -> float:
        return self.render_s + self.output_s


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
        """How many worker processes may render private streams; 0: all are rendered in this process."""
        return max(0, min(MAX_WORKERS, int(self.processors) - 1))

    @property
    def per_worker(self) -> int:
        """How many private streams one worker process renders."""
        if self.cost is None:
            return MAX_PER_WORKER
        return max(1, min(MAX_PER_WORKER, int(WORKER_SHARE / (self.cost.render_s + TRANSFER_S))))

    def private(self, stations: int) -> int:
        """How many private streams may play while ``stations`` stations are awake."""
        here = max(0, self.stations - stations)  # all in this process
        if self.cost is None or not self.workers:
            return here
        used_s, each = stations * self.cost.total_s, self.cost
        machine = (MACHINE_SHARE * self.processors - used_s) / (each.total_s + 2 * TRANSFER_S)
        process = (PROCESS_SHARE - used_s) / (each.output_s + TRANSFER_S)
        return max(here, min(int(machine), int(process), self.workers * self.per_worker))


def measured_capacity(engine: Engine, settings: Settings, stopping: threading.Event) -> Capacity | None:
    """How much this machine plays at once, from the processor time of a few seconds of music.

    None if ``stopping`` was set meanwhile. ``engine`` is the embedded one: every station may have to fall back to it.
    """
    cost = measured_cost(engine, settings, stopping)
    if cost is None:
        return None
    available = processors()
    capacity = Capacity(stations_at(cost.total_s, available), cost, available)
    log.info(
        "one second of music takes %.0f ms of a processor to render and %.0f ms to master and encode: at most %d "
        "stations are awake at once (setting max_awake), and %d private streams beside one of them",
        1000 * cost.render_s,
        1000 * cost.output_s,
        capacity.stations,
        capacity.private(1),
    )
    return capacity


def measured_cost(engine: Engine, settings: Settings, stopping: threading.Event) -> Cost | None:
    """The cost of the embedded engine's music here; None if ``stopping`` was set meanwhile."""
    # music with an end, which the engine does not remember as played
    with engine.stream(Request(settings.stations[0].prompt(), 1, duration_s=60.0)) as stream:
        master = Master(stream.rate, stream.channels, settings.loudness_lufs, settings.ceiling_dbtp)
        encoder = Mp3Encoder(stream.rate, stream.channels, settings.bitrate_kbps)
        render_s = output_s = 0.0
        for n in range(round(2 * (WARM_UP_S + MEASURED_S))):
            if stopping.is_set():
                return None
            began = time.thread_time()
            block: Audio = stream.read(stream.rate // 2)
            rendered = time.thread_time()
            encoder.encode(master.process(block))
            if n >= round(2 * WARM_UP_S):
                render_s += rendered - began
                output_s += time.thread_time() - rendered
    return Cost(max(render_s, 1e-4) / MEASURED_S, max(output_s, 1e-4) / MEASURED_S)


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
