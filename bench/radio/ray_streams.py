"""What a stream costs more through Ray than in this process: the embedded engine, and blocks of silence.

``python -m bench.radio.ray_streams [--seconds 60]``: a cluster of one node is started and stopped. ``ms_per_block`` is
the time of one block of 0.25 s, read one after the other, with nothing asked for ahead.
"""

from __future__ import annotations

import argparse
import os
import secrets
import time
from typing import Any

from lullwave.engines.cluster.options import use_token

from ..measure import median, report, wait_until_quiet

use_token()
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
PROMPT = "rainy night piano"


def main() -> None:
    """Read streams of one engine here and through an actor, in turns, and print both."""
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    ask.add_argument("--seconds", type=float, default=60.0)
    given = ask.parse_args()
    import ray
    from ray.cluster_utils import Cluster

    import lullwave
    from lullwave.cluster import control
    from lullwave.cluster.config import ClusterConfig

    load = wait_until_quiet()
    node = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        control.up(ClusterConfig(), node.address)
        engines = {
            "in this process": lullwave.load_engine("synth"),
            "through Ray": lullwave.load_engine("cluster:synth", address=node.address),
        }
        rows: list[dict[str, Any]] = []
        for what, engine in engines.items():
            engine.stream(PROMPT).read(engine.rate)  # loads, and renders the first notes
            rows.append({"what": what, **_read(engine, given.seconds)})
            engine.close()
    finally:
        control.down(node.address)
        ray.shutdown()
        node.shutdown()
    here, there = (row["ms_per_block"] for row in rows)
    report("ray-streams", rows, other_load=load, overhead_ms=there - here, ratio=there / here)


def _read(engine: Any, seconds: float) -> dict[str, float]:
    """Median milliseconds of a block, and times real time of all."""
    taken = []
    with engine.stream(PROMPT) as stream:
        for _ in range(round(seconds * 4)):
            began = time.perf_counter()
            stream.read(stream.rate // 4)
            taken.append(time.perf_counter() - began)
    return {"ms_per_block": 1000 * median(taken), "real time": seconds / sum(taken)}


if __name__ == "__main__":
    main()
