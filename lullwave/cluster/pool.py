"""The actor that knows all others: it starts engines and stations, chooses an engine for each stream, scales the pools.

It holds nothing that it cannot find again: its configuration never changes, so Ray starts it again with the same one,
and the actors have names: ``POOL:NUMBER:FINGERPRINT`` where they have an engine. When it dies, streams go on
meanwhile, and only new ones wait. For another configuration, another pool takes its place.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import ray

from ..engines.cluster.options import POOL
from ..errors import EngineLost
from .actors import Actor, asked, found, started
from .config import ClusterConfig, PoolConfig
from .engine_actor import EngineActor
from .scaling import actors_wanted
from .stations import PREFIX, StationActors, end, outdated

LOOK_S = 1.0  # between two looks at the actors
WAIT_S = 15.0  # how long a stream waits for an actor that is being started
WAITING = 32  # streams that wait at once: each holds a thread, which others need who ask for the status
RETRY_S = 60.0  # until an engine that could not start is started again

log = logging.getLogger(__name__)


@dataclass
class _Pool:
    config: PoolConfig
    actors: list[Actor] = field(default_factory=list)
    last: int = 0  # number of the actor started last
    retry_at: float = math.inf  # when those that could not start are started again


class Pool:
    """An actor of Ray with several threads; ``config`` as ``ClusterConfig.of`` takes it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = ClusterConfig.of(config)
        self._lock = threading.Lock()
        self._pools = {own.name: _Pool(own) for own in self._config.engines}
        self._stations = StationActors()
        self._starting = threading.Lock()  # of stations: one caller at a time
        self._stopped = False
        self._waiting = 0  # streams, for an actor
        self._find()
        self._stations.find()
        with self._lock:
            for pool in self._pools.values():
                self._scale(pool)
        threading.Thread(target=self._watch, name="pool", daemon=True).start()

    def runs_with(self, config: dict[str, Any]) -> bool:
        """Tell whether its configuration is ``config``.

        Raises:
            InvalidInput, UnknownEngine, MissingExtra: no pool could run with it.
        """
        return ClusterConfig.of(config) == self._config

    def renew(self) -> None:
        """Start engines again that could not start, without waiting for the next attempt."""
        with self._lock:
            for pool in self._pools.values():
                pool.retry_at = -math.inf
                self._scale(pool)

    def leave(self) -> None:
        """Start and stop nothing any more: another pool takes over."""
        with self._starting, self._lock:
            self._stopped = True

    def start_stations(self, wanted: dict[str, dict[str, Any]], replace: bool) -> list[str]:
        """Start the actors of ``wanted`` (``station_values``) that are missing; returns their names.

        With ``replace``, those that ``wanted`` does not have or has with other settings end first, and so do those
        that were placed otherwise.

        Raises:
            EngineLost: another pool takes over.
        """
        with self._starting:
            if self._stopped:
                raise EngineLost("the pool is being replaced")
            old = outdated(self._stations.actors, wanted, self._config.stations) if replace else []
            end(old)
            with self._lock:
                self._stations.actors = [actor for actor in self._stations.actors if actor not in old]
                names = self._stations.missing(wanted)
                self._stations.start(names, wanted, self._config.stations)
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
        waits = False
        try:
            while True:
                with self._lock:
                    if name not in self._pools:
                        raise EngineLost(f"the cluster has no engine {name} any more")
                    answering = [actor for actor in self._pools[name].actors if actor.load is not None]
                    chosen = [actor for actor in answering if _label(actor) not in avoided] or answering
                    if chosen:
                        best = min(chosen, key=_streams)
                        best.placed += 1
                        return _label(best), best.handle
                    if not waits and self._waiting >= WAITING:
                        raise EngineLost(f"no actor of {name} answers, and {WAITING} other streams wait for one")
                    self._waiting += not waits
                    waits = True
                if time.monotonic() > until:
                    raise EngineLost(f"no actor of {name} answers: Ray has no room for it, or it is being loaded")
                time.sleep(LOOK_S / 4)
        finally:
            with self._lock:
                self._waiting -= waits

    def status(self) -> dict[str, list[dict[str, Any]]]:
        """One row for each actor: ``engines`` and ``stations``."""
        with self._lock:
            engines = [
                {
                    "engine": name,
                    "actor": _label(actor),
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
            if self._stopped:
                return
            for pool in self._pools.values():
                self._scale(pool)

    def _find(self) -> None:
        """Find the engines that an earlier pool has started; those that were started otherwise end."""
        for actor in found(lambda name: name != POOL and not name.startswith(PREFIX)):
            label, _, made_by = actor.name.rpartition(":")
            name, _, number = label.partition(":")
            pool = self._pools.get(name) if number.isdigit() else None
            if pool is not None:
                pool.last = max(pool.last, int(number))
            if pool is not None and made_by == pool.config.fingerprint:
                pool.actors.append(actor)
            else:
                log.info("%s has another configuration; it is stopped", actor.name)
                ray.kill(actor.handle)

    # ---- under the lock

    def _scale(self, pool: _Pool) -> None:
        self._drop_failed(pool)
        answering = [actor for actor in pool.actors if actor.load is not None]
        failed = sum(bool(actor.failed) for actor in pool.actors)
        silent = len(pool.actors) - len(answering) - failed  # they are being loaded, or restarted elsewhere
        wanted = actors_wanted([actor.load for actor in answering if actor.load is not None], pool.config.limits)
        while len(pool.actors) < (wanted if not silent else pool.config.smallest):
            self._start(pool)
        if wanted < len(answering) and not silent:
            idle = [actor for actor in answering if not _streams(actor)]
            if idle:
                log.info("%s has been idle; it is stopped", _label(idle[-1]))
                pool.actors.remove(idle[-1])
                ray.kill(idle[-1].handle)

    def _drop_failed(self, pool: _Pool) -> None:
        """Forget the actors that could not start, once they are to be started again."""
        now = time.monotonic()
        if now >= pool.retry_at:
            pool.actors = [actor for actor in pool.actors if not actor.failed]
        failed = any(actor.failed for actor in pool.actors)
        pool.retry_at = (now + RETRY_S if math.isinf(pool.retry_at) else pool.retry_at) if failed else math.inf

    def _start(self, pool: _Pool) -> None:
        pool.last += 1
        config = pool.config
        name = f"{config.name}:{pool.last}:{config.fingerprint}"
        pool.actors.append(started(name, EngineActor, config.actor_options(), config.engine, config.options))


def _label(actor: Actor) -> str:
    """The name of an actor with an engine, without the fingerprint."""
    return actor.name.rpartition(":")[0]


def _streams(actor: Actor) -> int:
    """How many streams an actor with an engine has."""
    return (actor.load.streams if actor.load else 0) + actor.placed
