"""The actors that the pool has started or found: by name, with what each told last."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import ActorDiedError, GetTimeoutError, RayError

from ..engines.cluster.options import NAMESPACE
from ..errors import EngineError

LOAD_S = 2.0  # an actor that does not tell its load within this time is taken as one that does not answer
NAME_S = 5.0  # how long the name of an actor that was killed may still be taken
Told = dict[str, Any] | str | None  # facts of an actor; why it could not start; None: it does not answer (now)


@dataclass(eq=False)
class Actor:
    """An actor, as the pool knows it."""

    name: str
    handle: Any
    load: Any = None  # what it told about its work; None: it does not answer (now)
    placed: int = 0  # streams that it was given since it told its load
    pid: int = 0
    node: str = ""  # its address
    node_id: str = ""  # Ray's
    restarts: int = 0  # that this run of the pool has seen
    failed: str = ""  # why it could not start; Ray does not try again

    def take(self, told: Told) -> None:
        """Take over what ``asked`` returned."""
        facts = told if isinstance(told, dict) else None
        self.failed = told if isinstance(told, str) else ""
        self.load, self.placed = None if facts is None else facts["load"], 0
        if facts is not None:
            self.restarts += bool(self.pid) and self.pid != facts["pid"]
            self.pid, self.node, self.node_id = facts["pid"], facts["node"], facts["node_id"]


def started(name: str, kind: type, options: dict[str, Any], *args: Any) -> Actor:
    """Start a detached actor that Ray starts again elsewhere whenever it dies.

    Raises:
        ValueError: there is one of that name.
    """
    lasting = {"name": name, "namespace": NAMESPACE, "lifetime": "detached", "max_restarts": -1}
    until = time.monotonic() + NAME_S
    while True:
        try:
            return Actor(name, ray.remote(kind).options(**lasting, **options).remote(*args))
        except ValueError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def killed(name: str, handle: Any) -> None:
    """Kill an actor, and wait until another one may have its name. Blocks for up to ``NAME_S``."""
    ray.kill(handle)
    until = time.monotonic() + NAME_S
    with suppress(ValueError):  # there is none any more
        while time.monotonic() < until:
            ray.get_actor(name, NAMESPACE)
            time.sleep(0.1)


def found(wanted: Callable[[str], bool]) -> list[Actor]:
    """The actors whose names are ``wanted``: an earlier pool has started them."""
    actors = []
    for one in ray.util.list_named_actors(all_namespaces=True):
        if one["namespace"] == NAMESPACE and wanted(one["name"]):
            with suppress(ValueError):  # it has just ended
                actors.append(Actor(one["name"], ray.get_actor(one["name"], NAMESPACE)))
    return actors


def asked(actors: Sequence[Actor]) -> list[Told]:
    """What each actor tells about itself. Blocks for up to ``LOAD_S``."""
    replies = [actor.handle.load.remote() for actor in actors]
    if replies:
        ray.wait(replies, num_returns=len(replies), timeout=LOAD_S)
    return [_told(reply) for reply in replies]


def _told(reply: Any) -> Told:
    try:
        facts: dict[str, Any] = ray.get(reply, timeout=0)
        return facts
    except ActorDiedError as error:
        lines = str(error).strip().splitlines()  # the last one of a traceback is the error itself
        return lines[-1].strip() if error.actor_init_failed and lines else None
    except (RayError, GetTimeoutError, EngineError):
        return None
