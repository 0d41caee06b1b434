"""Kills what makes the music of a station on a Ray cluster, while people listen to a web server of the same store.

A cluster of three nodes on this machine, an actor with the station on one of the two without the cluster's head, two
actors with engines, a web server that makes music only while no actor does; over a directory, moto's S3 server and,
where it is installed, Ceph's. The columns are those of ``store_faults``; ``restarts`` of the station's actor;
``produced_by``: who makes the music at the end.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lullwave.codecs import decode
from lullwave.engines.cluster.options import use_token
from lullwave.settings import load
from lullwave.station import RATE

from ..measure import other_load, report
from ..radio.recorded_crowd import RecordedCrowd, missing_bytes
from .store_faults import AFTER_S, KBPS, misplaced, read_programme, suffered_all, wait_for
from .store_scene import STATION, Watch, Web
from .stores import INSTALLED, STORES, Scene

use_token()
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
ENGINES = {"name": "synth", "cpus": 0.5, "smallest": 2, "largest": 2}
AHEAD_S = 21.0  # written ahead before something is killed


class Cluster:
    """The nodes and what runs on them."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster as Nodes

        self.nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        self.others = [self.nodes.add_node(num_cpus=1) for _ in range(2)]
        self.address: str = self.nodes.address

    def station(self) -> dict[str, Any]:
        """The row of the station."""
        from lullwave.cluster import control

        row: dict[str, Any] = control.status(self.address)["stations"][0]
        return row

    def engine(self) -> dict[str, Any]:
        """The row of the engine that plays the station."""
        from lullwave.cluster import control

        return max(control.status(self.address)["engines"], key=lambda row: row["streams"])

    def raylet(self, node_id: str) -> int:
        """The process of a node's raylet."""
        node = next(node for node in self.others if node.node_id == node_id)
        pid: int = node.all_processes["raylet"][0].process.pid
        return pid

    def end(self) -> None:
        import ray

        ray.shutdown()
        self.nodes.shutdown()


FAULTS: dict[str, Callable[[Cluster], int]] = {  # the process that is killed
    "worker of the station": lambda cluster: cluster.station()["pid"],
    "worker of the engine": lambda cluster: cluster.engine()["pid"],
    "raylet of the station": lambda cluster: cluster.raylet(cluster.station()["node_id"]),
}


def main() -> None:
    """Run the faults one after the other and print the table."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--store", choices=STORES, nargs="+", default=INSTALLED)
    ask.add_argument("--only", nargs="+", metavar="WORD", help="faults whose name has one of these in it")
    ask.add_argument("--listeners", type=int, default=100)
    given = ask.parse_args()
    chosen = [name for name in FAULTS if not given.only or any(word in name for word in given.only)]
    load_before = other_load()
    rows = suffered_all(given.store, chosen, partial(suffered, listeners=given.listeners))
    report("ray faults", rows, other_load=round(load_before, 2), listeners=given.listeners)


def suffered(store: type[Scene], name: str, folder: Path, listeners: int) -> dict[str, Any]:
    """Let everybody listen, kill one process, and compare what was heard with the programme."""
    from lullwave.cluster import control
    from lullwave.cluster.config import ClusterConfig

    scene = store(folder)
    with scene.running():
        cluster = Cluster()  # its processes find the S3 server by the variables of this one
        web = Web(folder, "web", scene, True, "--cluster", cluster.address)
        crowd = RecordedCrowd(web.port, listeners)
        try:
            given = {"store": scene.url, "stations": [{"id": STATION}], "cluster": cluster.address}
            control.up(ClusterConfig.of({"engines": [ENGINES]}), cluster.address, load(given))
            wait_for(lambda: cluster.station()["state"] == "asleep")
            web.start()
            crowd.start()
            watch = Watch(scene.url)
            wait_for(lambda: bool(watch.looks) and watch.looks[-1][3] > AHEAD_S and cluster.engine()["streams"] > 0)
            time.sleep(2.0)
            before, began = watch.looks[-1], time.monotonic()
            os.kill(FAULTS[name](cluster), signal.SIGKILL)
            time.sleep(AFTER_S)
            crowd.stop()
            watch.stop()
            ended, row, by_web = time.monotonic(), cluster.station(), web.produces
            programme = read_programme(scene.url)
        finally:
            web.end(signal.SIGKILL)
            cluster.end()
    taken = next((at - began for at, epoch, next_, _ in watch.looks if epoch > before[1] and next_ > before[2]), None)
    heard = decode(bytes(crowd.recordings[0].data)).samples[:, 0]
    runs, manifest = watch.manifest.runs, watch.manifest
    return {
        "listeners": len(crowd.recordings),
        "hung_up": sum(one.ended for one in crowd.recordings),
        "lost": misplaced(heard, programme),
        "missing": missing_bytes(crowd.recordings),
        "decoded_s": round(len(heard) / RATE, 1),
        "silent_s": round(max(one.silent_s(began, ended - 1.0, KBPS * 125) for one in crowd.recordings), 2),
        "takeover_s": None if taken is None else round(taken, 1),
        "least_ahead_s": round(min(ahead for at, _, _, ahead in watch.looks if at >= began), 1),
        "epochs": manifest.epoch,
        "runs_apart": sum(abs(manifest.air(run.first - 1) + 2.0 - run.wall) > 0.01 for run in runs[1:]),
        "restarts": row["restarts"],
        "produced_by": "web server" if by_web else f"actor, {row['state']}",
    }


if __name__ == "__main__":
    main()
