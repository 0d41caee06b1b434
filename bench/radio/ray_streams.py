"""What a stream costs more through Ray than in this process, and how long it takes until another actor goes on.

``python -m bench.radio.ray_streams [--seconds 60] [--kills 5] [--stops 3]``: a cluster of one node with two actors of
the embedded engine is started and stopped. ``ms_per_block`` is the time of one block of 0.25 s, one read after the
other. An actor is killed (-9) while it plays: after ``takeover_s`` another one has given the next block, after
``ready_s`` it is there again. ``vanished_s`` is the first of these where the actor's process is stopped instead, so
that nothing comes from it any more, nor an end of its connection: what a machine that is lost looks like from
elsewhere.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from lullwave.engines.cluster.options import use_token
from lullwave.errors import EngineLost

from ..measure import median, report, wait_until_quiet

use_token()
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
PROMPT = "rainy night piano"


def main() -> None:
    """Read streams of one engine here and through an actor, in turns, and print both."""
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    ask.add_argument("--seconds", type=float, default=60.0)
    ask.add_argument("--kills", type=int, default=5)
    ask.add_argument("--stops", type=int, default=3)
    given = ask.parse_args()
    import ray
    from ray.cluster_utils import Cluster

    import lullwave
    from lullwave.cluster import control
    from lullwave.cluster.config import ClusterConfig

    load = wait_until_quiet()
    node = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        two = {"name": "synth", "cpus": 0.5, "smallest": 2, "largest": 2}
        control.up(ClusterConfig.of({"engines": [two]}), node.address)
        engines = {
            "in this process": lullwave.load_engine("synth"),
            "through Ray": lullwave.load_engine("cluster:synth", address=node.address),
        }
        rows: list[dict[str, Any]] = []
        for what, engine in engines.items():
            engine.stream(PROMPT).read(engine.rate)  # loads, and renders the first notes
            rows.append({"what": what, **_read(engine, given.seconds)})
        cluster = Killing(engines["through Ray"], lambda: control.status(node.address)["engines"])
        kills = [cluster.taken_over(signal.SIGKILL) for _ in range(given.kills)]
        vanished = [cluster.taken_over(signal.SIGSTOP)[0] for _ in range(given.stops)]
        for engine in engines.values():
            engine.close()
    finally:
        control.down(node.address)
        ray.shutdown()
        node.shutdown()
    here, there = (row["real time"] for row in rows)
    takeovers, ready = zip(*kills, strict=True)
    times = {"takeover_s": takeovers, "ready_s": ready, "vanished_s": vanished}
    report("ray-streams", rows, other_load=load, ratio=here / there, **times)
    for name, taken in times.items():
        print(name, *(f"{s:.2f}" for s in taken))


def _read(engine: Any, seconds: float) -> dict[str, float]:
    """Median milliseconds of a block, and times real time of all."""
    taken = []
    with engine.stream(PROMPT) as stream:
        for _ in range(round(seconds * 4)):
            began = time.perf_counter()
            stream.read(stream.rate // 4)
            taken.append(time.perf_counter() - began)
    return {"ms_per_block": 1000 * median(taken), "real time": seconds / sum(taken)}


class Killing:
    """Lets actors of an engine end while they play."""

    def __init__(self, engine: Any, status: Callable[[], list[dict[str, Any]]]) -> None:
        self._engine, self._status = engine, status

    def taken_over(self, how: signal.Signals) -> tuple[float, float]:
        """Send a signal to the actor of a stream: seconds until another one has gone on, and until all answer again."""
        self._wait_for_all()
        stream = self._engine.stream(PROMPT)
        stream.read(stream.rate)
        snapshot = stream.snapshot()
        while not (busy := [row["pid"] for row in self._status() if row["streams"]]):
            time.sleep(0.1)
        os.kill(busy[0], how)
        began = time.perf_counter()
        with suppress(EngineLost):  # what has arrived is read first
            while True:
                stream.read(stream.rate // 4)
        with self._engine.restore(snapshot) as again:
            again.read(again.rate // 4)
        took = time.perf_counter() - began
        if how != signal.SIGKILL:
            os.kill(busy[0], signal.SIGKILL)
        while busy[0] in [row["pid"] for row in self._status()]:
            time.sleep(0.1)
        self._wait_for_all()
        return took, time.perf_counter() - began

    def _wait_for_all(self) -> None:
        while not all(row["answers"] for row in self._status()):
            time.sleep(0.1)


if __name__ == "__main__":
    main()
