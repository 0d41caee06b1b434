"""Starts and stops what runs on a Ray cluster, and says what does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import ray

from ..engines.cluster.engine import answered, find_pool, join_cluster
from ..engines.cluster.options import ADDRESS_VARIABLE, NAMESPACE, NEXT_TO_THIS, POOL
from ..errors import EngineError, EngineLost
from .config import ClusterConfig
from .pool import Pool

START_S = 60.0  # how long Ray may take to start on this machine


def up(config: ClusterConfig, address: str) -> list[dict[str, Any]]:
    """Start the engines of ``config``, or change the running ones to it; returns the rows of ``status``.

    Raises:
        EngineLost: there is no cluster at ``address``.
    """
    join_cluster(address)
    values = config.model_dump()
    pool = (
        ray.remote(Pool)
        .options(
            name=POOL,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_concurrency=64,
            num_cpus=0,
        )
        .remote(values)
    )
    answered(pool.configure.remote(values), "cluster up")
    rows: list[dict[str, Any]] = answered(pool.status.remote(), "cluster up")
    return rows


def status(address: str) -> list[dict[str, Any]]:
    """One row for each actor: engine, actor, node, pid, streams, waiting, speed, restarts, whether it answers.

    Raises:
        EngineLost: there is no cluster at ``address``, or nothing of ours on it.
    """
    rows: list[dict[str, Any]] = answered(find_pool(address).status.remote(), "cluster status")
    return rows


def down(address: str) -> int:
    """Stop all our actors; returns how many engines there were.

    Raises:
        EngineLost: there is no cluster at ``address``, or nothing of ours on it.
    """
    pool = find_pool(address)
    stopped: int = answered(pool.stop.remote(), "cluster down")
    ray.kill(pool)
    return stopped


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


def _ray(*words: str) -> None:
    """Run Ray's own command."""
    command = [str(Path(sys.executable).with_name("ray")), *words]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=START_S)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise EngineError(f"ray {words[0]}: {said[-1] if said else error}") from None
