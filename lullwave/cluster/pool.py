"""The actor that knows all others: it starts the engines, chooses one for each stream, and scales the pools.

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
from ray.exceptions import GetTimeoutError, RayError

from ..engines.cluster.options import NAMESPACE
from ..errors import EngineError, EngineLost
from .config import ClusterConfig, PoolConfig
from .engine_actor import EngineActor
from .scaling import ActorLoad, actors_wanted

LOOK_S = 1.0  # between two looks at the actors
LOAD_S = 2.0  # an actor that does not tell its load within this time gets no new streams
WAIT_S = 15.0  # how long a stream waits for an actor that is being started

log = logging.getLogger(__name__)


@dataclass
class _Actor:
    """An engine's actor, as the pool knows it."""

    name: str
    handle: Any
    load: ActorLoad | None = None  # None: it does not answer (now)
    placed: int = 0  # streams that it was given since it told its load
    pid: int = 0
    node: str = ""
    restarts: int = 0  # that this run of the pool has seen

    @property
    def streams(self) -> int:
        return (self.load.streams if self.load else 0) + self.placed


@dataclass
class _Pool:
    config: PoolConfig
    actors: list[_Actor] = field(default_factory=list)
    last: int = 0  # number of the actor started last


class Pool:
    """An actor of Ray with several threads; ``config`` as ``ClusterConfig.of`` takes it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._lock = threading.Lock()
        self._pools: dict[str, _Pool] = {}
        self._stopped = False
        self.configure(config)
        threading.Thread(target=self._watch, name="pool", daemon=True).start()

    def configure(self, config: dict[str, Any]) -> None:
        """Start what ``config`` names, and stop what it names no longer."""
        checked = ClusterConfig.of(config)
        with self._lock:
            for name in self._pools.keys() - {pool.name for pool in checked.engines}:
                for actor in self._pools.pop(name).actors:
                    ray.kill(actor.handle)
            for config_of in checked.engines:
                pool = self._pools.setdefault(config_of.name, _Pool(config_of))
                pool.config = config_of
                self._find(pool)
                self._scale(pool)

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
                    best = min(chosen, key=lambda actor: actor.streams)
                    best.placed += 1
                    return best.name, best.handle
            if time.monotonic() > until:
                raise EngineLost(f"no actor of {name} answers: Ray has no room for it, or it is being loaded")
            time.sleep(LOOK_S / 4)

    def status(self) -> list[dict[str, Any]]:
        """One row for each actor."""
        with self._lock:
            return [
                {
                    "engine": name,
                    "actor": actor.name,
                    "node": actor.node,
                    "pid": actor.pid,
                    "streams": actor.streams,
                    "waiting": actor.load.waiting if actor.load else None,
                    "speed": actor.load.speed if actor.load else None,
                    "restarts": actor.restarts,
                    "answers": actor.load is not None,
                }
                for name, pool in self._pools.items()
                for actor in pool.actors
            ]

    def stop(self) -> int:
        """Stop all actors of engines; returns how many there were."""
        with self._lock:
            self._stopped = True
            actors = [actor for pool in self._pools.values() for actor in pool.actors]
            self._pools.clear()
        for actor in actors:
            ray.kill(actor.handle)
        return len(actors)

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
            asked = [(actor, actor.handle.load.remote()) for pool in self._pools.values() for actor in pool.actors]
        ray.wait([reply for _, reply in asked], num_returns=len(asked), timeout=LOAD_S)
        told = [(actor, _told(reply)) for actor, reply in asked]
        with self._lock:
            for actor, facts in told:
                actor.load = None if facts is None else facts["load"]
                actor.placed = 0
                if facts is not None:
                    actor.restarts += bool(actor.pid) and actor.pid != facts["pid"]
                    actor.pid, actor.node = facts["pid"], facts["node"]
            for pool in self._pools.values():
                self._scale(pool)

    # ---- under the lock

    def _find(self, pool: _Pool) -> None:
        """Find actors that an earlier run of this actor has started."""
        known = {actor.name for actor in pool.actors}
        for one in ray.util.list_named_actors(all_namespaces=True):
            name = one["name"]
            if one["namespace"] == NAMESPACE and name.startswith(f"{pool.config.name}:") and name not in known:
                pool.actors.append(_Actor(name, ray.get_actor(name, NAMESPACE)))
                pool.last = max(pool.last, int(name.rpartition(":")[2]))

    def _scale(self, pool: _Pool) -> None:
        answering = [actor for actor in pool.actors if actor.load is not None]
        silent = len(pool.actors) - len(answering)  # they are being loaded, or restarted elsewhere
        wanted = actors_wanted([actor.load for actor in answering if actor.load is not None], pool.config.limits)
        while len(pool.actors) < (wanted if not silent else pool.config.smallest):
            self._start(pool)
        if wanted < len(answering) and not silent:
            idle = [actor for actor in answering if not actor.streams]
            if idle:
                log.info("%s has been idle; it is stopped", idle[-1].name)
                pool.actors.remove(idle[-1])
                ray.kill(idle[-1].handle)

    def _start(self, pool: _Pool) -> None:
        pool.last += 1
        name, config = f"{pool.config.name}:{pool.last}", pool.config
        handle = (
            ray.remote(EngineActor)
            .options(
                name=name,
                namespace=NAMESPACE,
                lifetime="detached",
                max_restarts=-1,
                **config.actor_options(),
            )
            .remote(config.engine, config.options)
        )
        pool.actors.append(_Actor(name, handle))


def _told(reply: Any) -> dict[str, Any] | None:
    """What an actor told about itself; None if it does not answer."""
    try:
        facts: dict[str, Any] = ray.get(reply, timeout=0)
        return facts
    except (RayError, GetTimeoutError, EngineError):
        return None
