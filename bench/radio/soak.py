"""Runs half an hour with 200 listeners and a fault every minute, and looks for leaks and lost samples.

It uses the servers, the network and the faults of ``faults``, each fault for at most 20 s. At the end of every
minute it reads the web server's resident memory, threads, sockets and other open files. Memory may settle for five
minutes; from then on, ``slope`` is the slope of its least-squares line. One listener records, as in ``faults``;
the others are sockets that read everything. Their ``gap_s`` is the longest time without a byte; a player with its three
seconds of burst hears nothing of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..embedded.hearing import RATE, Ear
from ..measure import report
from . import faults
from .crowd import Crowd
from .scenes import Scene

SETTLED = 5  # minutes after which memory must not grow
FULL_S = 60.0
ROUND = (  # one per minute, in turn
    (faults.killed, 15.0),
    (faults.cut, 20.0),
    (faults.half_open, 0.0),
    (faults.garbage, 15.0),
    (faults.slow, 20.0),
    (faults.truncated, 15.0),
    (faults.late, 20.0),
    (faults.token, 10.0),
    (faults.narrow, 20.0),
    (faults.version, 15.0),
)


def main() -> None:
    """Run the benchmark and print a row for every minute."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--logs", type=Path, help="keep the servers' logs in this folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scene = Scene(
            given.logs or Path(temporary) / "logs", Path(temporary) / "data", flags=("--max-per-address", "10000")
        )
        try:
            scene.start()
            rows, facts = soak(scene, given.minutes, given.listeners)
        finally:
            scene.end()
    report("soak", rows, listeners=given.listeners, **facts)


def soak(scene: Scene, minutes: int, listeners: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run; returns a row for every minute and the figures of the whole run."""
    ear = Ear(scene.port)
    ear.start()
    scene.until(lambda look: look.reserve_s >= 22.0, FULL_S)
    crowd = Crowd(scene.port, listeners)
    crowd.start()
    began = time.monotonic()
    rows: list[dict[str, Any]] = []
    try:
        for minute in range(minutes):
            make, lasts_s = ROUND[minute % len(ROUND)]
            make(scene, lasts_s)
            scene.wait(max(0.0, began + 60.0 * (minute + 1) - time.monotonic()))
            rungs = ear.rungs(scene.began)
            least_s = min((look.reserve_s for look in scene.looks if look.at >= scene.began), default=0.0)
            row = {"minute": minute + 1, "fault": make.__name__, **held(scene.web.pid)}
            row |= {"lost": round(ear.waited(began)[1] * RATE), "reserve_s": least_s, "rungs": " ".join(rungs)}
            rows.append(row)
            print(row, file=sys.stderr, flush=True)
        missing = ear.missing() if len(ear.connections) == 1 else None
        metrics = scene.metrics()
    finally:
        crowd.stop()
        ear.stop()
    settled = rows[SETTLED - 1 :]
    facts = {
        "lost": round(ear.waited(began)[1] * RATE),
        "missing": missing,
        "gap_s": round(crowd.gap_s, 2),
        "sent_away": crowd.sent_away,
        "dropped": metrics["lullwave_dropped_listeners_total"],
        "engine_lost": metrics["lullwave_engine_lost_total"],
    }
    return rows, facts | over_time(settled)


def over_time(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The slopes of the values of ``held`` over rows with a ``minute``; empty for fewer than two rows."""
    if len(rows) < 2:
        return {}
    slope = np.polyfit([row["minute"] for row in rows], [row["rss_mb"] for row in rows], 1)[0]
    found: dict[str, Any] = {"slope_mb_per_minute": round(float(slope), 3)}
    for name in ("rss_mb", "threads", "sockets", "files"):
        values = [row[name] for row in rows]
        found[name] = f"{min(values)} to {max(values)}"
    return found


def held(pid: int) -> dict[str, Any]:
    """Memory, threads and open files of a process now (Linux)."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    open_files = []
    for number in Path(f"/proc/{pid}/fd").iterdir():
        try:
            open_files.append(str(number.readlink()))
        except OSError:  # closed meanwhile
            continue
    sockets = sum(name.startswith("socket:") for name in open_files)
    return {
        "rss_mb": round(int(status["VmRSS"].split()[0]) * 1024 / 1e6, 1),
        "threads": int(status["Threads"]),
        "sockets": sockets,
        "files": len(open_files) - sockets,
    }


if __name__ == "__main__":
    main()
