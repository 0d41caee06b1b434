"""Measures 3000 MP3 listeners spread over three web servers of one store: gaps, processor time, memory.

A fourth server makes the music. Each web server has a client process of its own that reads all its sockets and decodes
nothing. A gap is the longest time in which one listener got no byte, once all are connected. ``idle_cores`` is the load
with one listener: reading the store and encoding. ``us_per_listener_s`` is the cost of each further one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from lullwave.server.process.run import raise_file_limit

from ..measure import cpu_s, other_load, report, rss_mb
from ..radio.listeners import FLAGS, IDLE_S, client
from .store_scene import Web
from .stores import STORES

SETTLE_S = 60.0  # longest wait
QUIET_CORES = 0.4  # what four servers with three listeners use, and a little more


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--webs", type=int, default=3)
    parser.add_argument("--store", choices=STORES, default="directory")
    given = parser.parse_args()
    raise_file_limit()
    load = other_load()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = STORES[given.store](folder)
        with scene.running():
            producer = Web(folder, "producer", scene, True, *FLAGS)
            webs = [Web(folder, f"web-{n}", scene, False, *FLAGS) for n in range(given.webs)]
            try:
                for one in (producer, *webs):
                    one.start()
                for web in webs:  # wakes the station, and waits for its first music
                    urllib.request.urlopen(f"http://127.0.0.1:{web.port}/stream.mp3").read(1)
                settle([one.pid for one in (producer, *webs)])
                idle = measured(webs, 1, IDLE_S)
                rows = measured(webs, given.listeners // given.webs, given.seconds)
                producing = {"producer_rss_mb": round(rss_mb(producer.pid), 1)}
            finally:
                for one in (producer, *webs):
                    one.end()
    for row, alone in zip(rows, idle, strict=True):
        row["idle_cores"] = alone["cores"]
        row["us_per_listener_s"] = round((row["cores"] - alone["cores"]) / max(1, row["listeners"] - 1) * 1e6, 2)
    report("store reach", rows, other_load=round(load, 2), store=given.store, **producing)


def settle(pids: list[int]) -> None:
    """Wait until servers have made their first clips and measured the machine."""
    until = time.monotonic() + SETTLE_S
    busy = 1.0
    while busy > QUIET_CORES and time.monotonic() < until:
        before = sum(map(cpu_s, pids))
        time.sleep(2.0)
        busy = (sum(map(cpu_s, pids)) - before) / 2.0


def measured(webs: list[Web], count: int, seconds: float) -> list[dict[str, Any]]:
    """What ``count`` listeners at each web server heard for ``seconds``, and what they cost it."""
    clients = [client(web.port, count, seconds) for web in webs]
    for one in clients:
        assert one.stdout is not None
        assert one.stdout.readline().strip() == b"listening"
    before, began = [cpu_s(web.pid) for web in webs], time.perf_counter()
    rows = []
    for web, one, used in zip(webs, clients, before, strict=True):
        assert one.stdout is not None
        heard = json.loads(one.stdout.readline())
        rows.append(
            {
                "server": web.name,
                "listeners": count,
                "longest_gap_s": round(heard["longest_gap_s"], 3),
                "lost": heard["closed"],
                "kbps_each": round(heard["bytes"] * 8 / 1000 / heard["seconds"] / count, 1),
                "cores": round((cpu_s(web.pid) - used) / (time.perf_counter() - began), 3),
                "rss_mb": round(rss_mb(web.pid), 1),
            }
        )
        one.wait()
    return rows


if __name__ == "__main__":
    main()
