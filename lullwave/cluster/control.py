"""Starts and stops what runs on a Ray cluster, and says what does."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import ray

from ..engines.cluster.engine import ANSWER_S, answered, find_pool, join_cluster, reaching
from ..engines.cluster.options import ADDRESS_VARIABLE, NAMESPACE, NEXT_TO_THIS, POOL
from ..errors import EngineError, EngineLost
from ..settings import Settings
from .actors import killed, started
from .config import ClusterConfig
from .pool import Pool
from .stations import station_values

START_S = 60.0  # how long Ray may take to start on this machine, or a process of the pool
CALLS = 64  # calls of the pool that are answered at the same time
AGAIN_S = 10.0  # between two attempts to start stations

log = logging.getLogger(__name__)


def up(config: ClusterConfig, address: str, settings: Settings | None = None) -> dict[str, list[dict[str, Any]]]:
    """Start the engines of ``config``, or change the running ones to it; returns the rows of ``status``.

    With the ``settings`` of servers, also an actor for each of their stations, and only these.

    Raises:
        EngineLost: there is no cluster at ``address``.
        SettingsError: the servers share no store.
    """
    stations = None if settings is None else station_values(settings)
    join_cluster(address)
    with reaching("cluster up"):
        pool = _pool_with(config.model_dump())
    if stations is not None:
        answered(lambda: pool.start_stations.remote(stations, True), "cluster up", START_S)
    return _rows(pool, "cluster up", START_S)


def start_stations(settings: Settings) -> list[str]:
    """Start the actors of a server's stations that are missing; returns their names.

    Raises:
        EngineLost: there is no cluster, or nothing of ours on it.
        SettingsError: the server has no store.
    """
    wanted = station_values(settings)
    pool = find_pool(settings.cluster)
    names: list[str] = answered(lambda: pool.start_stations.remote(wanted, False), "stations")
    return names


def start_stations_later(settings: Settings) -> None:
    """Start them on a thread of its own, which tries again while there is no cluster, and ends with the process."""

    def run() -> None:
        said = ""
        while True:
            try:
                for name in start_stations(settings):
                    log.info("%s runs on the cluster now", name)
                return
            except EngineError as error:
                if str(error) != said:
                    log.warning("no stations on the cluster: %s; trying again", error)
                said = str(error)
            time.sleep(AGAIN_S)

    threading.Thread(target=run, name="stations-on-cluster", daemon=True).start()


def status(address: str) -> dict[str, list[dict[str, Any]]]:
    """One row for each actor.

    ``engines``: engine, actor, where it runs, streams, waiting, speed, restarts, whether it answers, why it could not
    start. ``stations``: station, where it runs, engine on air, speed, seconds written ahead, epoch, restarts, state.

    Raises:
        EngineLost: there is no cluster at ``address``, or nothing of ours on it.
    """
    return _rows(find_pool(address), "cluster status")


def down(address: str) -> tuple[int, int]:
    """Stop all our actors; returns how many engines and stations there were.

    Raises:
        EngineLost: there is no cluster at ``address``, or nothing of ours on it.
    """
    pool = find_pool(address)
    engines, stations = answered(lambda: pool.stop.remote(), "cluster down")
    with reaching("cluster down"):
        ray.kill(pool)
    return engines, stations


def start_ray(cpus: int | None = None) -> None:
    """Start Ray on this machine, with token authentication, as the first node of a cluster.

    Raises:
        EngineError: it did not start.
    """
    _ray("get-auth-token", "--generate")
    given = ["--head", "--disable-usage-stats", "--include-dashboard=false"]
    _ray("start", *given, *([] if cpus is None else [f"--num-cpus={cpus}"]))


def stop_ray() -> None:
    """Stop Ray on this machine, with all that runs in it."""
    if ray.is_initialized():
        ray.shutdown()
    _ray("stop")


def has_cluster(address: str) -> bool:
    """Tell whether a cluster answers at ``address``."""
    if address != NEXT_TO_THIS or os.environ.get(ADDRESS_VARIABLE):
        return True
    try:
        join_cluster(address)
    except EngineLost:
        return False
    return True


def _pool_with(values: dict[str, Any]) -> Any:
    """The pool with a configuration (as ``Pool`` takes it).

    A pool with another one is replaced, not changed: Ray starts an actor again with what it was made with.
    """
    try:
        pool = ray.get_actor(POOL, NAMESPACE)
    except ValueError:
        pool = None
    if pool is not None:
        if answered(lambda: pool.runs_with.remote(values), "cluster up"):
            answered(lambda: pool.renew.remote(), "cluster up")
            return pool
        answered(lambda: pool.leave.remote(), "cluster up")
        killed(POOL, pool)
    return started(POOL, Pool, {"max_concurrency": CALLS, "num_cpus": 0}, values).handle


def _rows(pool: Any, what: str, patience_s: float = ANSWER_S) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = answered(lambda: pool.status.remote(), what, patience_s)
    return rows


def _ray(*words: str) -> None:
    """Run Ray's own command."""
    command = [str(Path(sys.executable).with_name("ray")), *words]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=START_S)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise EngineError(f"ray {words[0]}: {said[-1] if said else error}") from None
