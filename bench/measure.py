"""Shared by all benchmarks: waits for a quiet machine, pins cores, alternates jobs, prints a table and a JSON line."""

from __future__ import annotations

import gc
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

QUIET_CORES = 0.25  # other load above which a timing waits
GIVE_UP_S = 120.0


def pin(threads: int) -> None:
    """Keep this process on ``threads`` cores and its numeric libraries at the same number of threads.

    Call it before NumPy or torch are imported: their pools are sized once.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[:threads]
        os.sched_setaffinity(0, cores)


def other_load(over_s: float = 1.0) -> float:
    """Cores kept busy by other processes, measured over ``over_s`` seconds (0 where /proc is absent)."""

    def busy() -> float:
        with open("/proc/stat") as stat:
            user, nice, system, _, _, irq, softirq, *_ = map(int, stat.readline().split()[1:9])
        return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")

    if not os.path.exists("/proc/stat"):
        return 0.0
    before, own, began = busy(), time.process_time(), time.perf_counter()
    time.sleep(over_s)
    elapsed = time.perf_counter() - began
    return max(0.0, (busy() - before - (time.process_time() - own)) / elapsed)


def wait_until_quiet() -> float:
    """Wait until other processes use under ``QUIET_CORES``; continues after two minutes and prints a warning."""
    began = time.perf_counter()
    while (load := other_load()) > QUIET_CORES:
        if time.perf_counter() - began > GIVE_UP_S:
            print(f"warning: other processes keep {load:.2f} cores busy; figures are worse than they should be")
            break
    return load


def alternate(jobs: Mapping[str, Callable[[], object]], repeats: int = 5, warm_up: int = 1) -> dict[str, list[float]]:
    """Wall seconds of each job, ``repeats`` times, taking turns so that a slow moment affects all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(warm_up + repeats):
        for name, job in jobs.items():
            gc.collect()
            began = time.perf_counter()
            job()
            if turn >= warm_up:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def mean(values: Sequence[float]) -> float:
    return statistics.fmean(values)


def peak_rss_mb() -> float:
    """Peak resident set of this process in MB.

    On Linux from ``/proc``: ``getrusage`` counts what the process had before it became this program, too.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return int(found[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def rss_mb(pid: int | None = None) -> float:
    """Resident set of a process now (of this one without ``pid``), in MB; Linux, elsewhere this one's peak."""
    try:
        pages = int(Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1])
    except OSError:
        return peak_rss_mb()
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_s(pid: int) -> float:
    """Processor seconds that a process has used; Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """The processes that a process has started and that run; Linux."""
    found = (file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for text in found for child in text.split()]


def report(topic: str, rows: Sequence[Mapping[str, Any]], **facts: Any) -> None:
    """Print ``rows`` as a table, then everything as one JSON line with commit and device."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_shown(row.get(name, "")) for name in columns] for row in rows]
    widths = [max(len(c), *(len(line[i]) for line in cells)) if cells else len(c) for i, c in enumerate(columns)]
    for line in [columns, ["-" * w for w in widths], *cells]:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    print(json.dumps({"bench": topic, "commit": _commit(), "device": _device(), **facts, "rows": list(rows)}))


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=os.path.dirname(__file__)
        )
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def _device() -> str:
    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as info:
            name = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), name)
    return f"{name}, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"
