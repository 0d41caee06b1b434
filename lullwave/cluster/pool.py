"""The actor that knows all others: it starts engines and stations, chooses an engine for each stream, scales the pools.

It holds nothing that it cannot find again: its own configuration comes with the call that made it, and the actors have
names. When it dies, Ray starts it again, streams go on meanwhile, and only new ones wait.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import ray

from ..errors import EngineLost
from .actors import Actor, asked, found, started
from .config import ClusterConfig, PoolConfig, StationPlacement
from .engine_actor import EngineActor
from .scaling import actors_wanted
from .stations import StationActors, end, outdated

LOOK_S = 1.0  # between two looks at the actors
WAIT_S = 15.0  # how long a stream waits for an actor that is being started

log = logging.getLogger(__name__)


@dataclass
class _Pool:
    config: PoolConfig
    actors: list[Actor] = field(default_factory=list)
    last: int = 0  # number of the actor started last


class Pool:
    """An actor of Ray with several threads; ``config`` as ``ClusterConfig.of`` takes it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._lock = threading.Lock()
        self._pools: dict[str, _Pool] = {}
        self._stations, self._placement = StationActors(), StationPlacement()
        self._starting = threading.Lock()  # of stations: one caller at a time
        self._stopped = False
        self.configure(config)
        self._stations.find()
        threading.Thread(target=self._watch, name="pool", daemon=True).start()

    def configure(self, config: dict[str, Any]) -> None:
        """Start what ``config`` names, and stop what it names no longer."""
        checked = ClusterConfig.of(config)
        with self._lock:
            self._placement = checked.stations
            for name in self._pools.keys() - {pool.name for pool in checked.engines}:
                for actor in self._pools.pop(name).actors:
                    ray.kill(actor.handle)
            for config_of in checked.engines:
                pool = self._pools.setdefault(config_of.name, _Pool(config_of))
                pool.config = config_of
                self._find(pool)
                self._scale(pool)

    def start_stations(self, wanted: dict[str, dict[str, Any]], replace: bool) -> list[str]:
        """Start the actors of ``wanted`` (``station_values``) that are missing; returns their names.

        With ``replace``, those that ``wanted`` does not have or has with other settings end first.
        """
        with self._starting:
            old = outdated(self._stations.actors, wanted) if replace else []
            end(old)
            with self._lock:
                self._stations.actors = [actor for actor in self._stations.actors if actor not in old]
                names = self._stations.missing(wanted)
                self._stations.start(names, wanted, self._placement)
            return names

    def names(self) -> list[str]:
        """The names of the pools."""
        return sorted(self._pools)

    def place(self, name: str, avoided: Sequence[str] = ()) -> tuple[str, Any]:
        """Name and handle of the actor for another stream: the one with the fewest that is not in ``avoided``.

        Raises:
            EngineLost: there is no such pool any more, or none of its actors answers within ``WAIT_S``.
        """
        until = time.monotonic() + WAIT_S
        while True:
            with self._lock:
                if name not in self._pools:
                    raise EngineLost(f"the cluster has no engine {name} any more")
                answering = [actor for actor in self._pools[name].actors if actor.load is not None]
                chosen = [actor for actor in answering if actor.name not in avoided] or answering
                if chosen:
                    best = min(chosen, key=_streams)
                    best.placed += 1
                    return best.name, best.handle
            if time.monotonic() > until:
                raise EngineLost(f"no actor of {name} answers: Ray has no room for it, or it is being loaded")
            time.sleep(LOOK_S / 4)

    def status(self) -> dict[str, list[dict[str, Any]]]:
        """One row for each actor: ``engines`` and ``stations``."""
        with self._lock:
            engines = [
                {
                    "engine": name,
                    "actor": actor.name,
                    "node": actor.node,
                    "node_id": actor.node_id,
                    "pid": actor.pid,
                    "streams": _streams(actor),
                    "waiting": actor.load.waiting if actor.load else None,
                    "speed": actor.load.speed if actor.load else None,
                    "restarts": actor.restarts,
                    "answers": actor.load is not None,
                    "failed": actor.failed,
                }
                for name, pool in self._pools.items()
                for actor in pool.actors
            ]
            return {"engines": engines, "stations": self._stations.rows()}

    def stop(self) -> tuple[int, int]:
        """Stop all actors; returns how many engines and stations there were."""
        with self._starting:
            with self._lock:
                self._stopped = True
                engines = [actor for pool in self._pools.values() for actor in pool.actors]
                stations, self._stations.actors = self._stations.actors, []
                self._pools.clear()
            end(stations)
        for actor in engines:
            ray.kill(actor.handle)
        return len(engines), len(stations)

    # ---- on the pool's own thread

    def _watch(self) -> None:
        while not self._stopped:
            time.sleep(LOOK_S)
            try:
                self._look()
            except Exception:
                log.exception("the pool could not look at its actors")

    def _look(self) -> None:
        with self._lock:
            actors = [actor for pool in self._pools.values() for actor in pool.actors] + self._stations.actors
        told = asked(actors)
        with self._lock:
            for actor, facts in zip(actors, told, strict=True):
                actor.take(facts)
            for pool in self._pools.values():
                self._scale(pool)

    # ---- under the lock

    def _find(self, pool: _Pool) -> None:
        """Find actors that an earlier run of this actor has started."""
        pool.actors += found(f"{pool.config.name}:", pool.actors)
        pool.last = max((int(actor.name.rpartition(":")[2]) for actor in pool.actors), default=0)

    def _scale(self, pool: _Pool) -> None:
        answering = [actor for actor in pool.actors if actor.load is not None]
        silent = len(pool.actors) - len(answering)  # they are being loaded, or restarted elsewhere
        wanted = actors_wanted([actor.load for actor in answering if actor.load is not None], pool.config.limits)
        while len(pool.actors) < (wanted if not silent else pool.config.smallest):
            self._start(pool)
        if wanted < len(answering) and not silent:
            idle = [actor for actor in answering if not _streams(actor)]
            if idle:
                log.info("%s has been idle; it is stopped", idle[-1].name)
                pool.actors.remove(idle[-1])
                ray.kill(idle[-1].handle)

    def _start(self, pool: _Pool) -> None:
        pool.last += 1
        config = pool.config
        options = config.actor_options()
        pool.actors.append(started(f"{config.name}:{pool.last}", EngineActor, options, config.engine, config.options))


def _streams(actor: Actor) -> int:
    """How many streams an actor with an engine has."""
    return (actor.load.streams if actor.load else 0) + actor.placed
