"""The cluster engine: asks the pool for an actor for each stream, and plays what that actor makes.

A stream whose actor is lost ends with ``EngineLost``. ``restore`` continues from its snapshot on another actor, as
stations do with every engine that is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any, ClassVar, TypeVar

import ray
from ray.exceptions import RayError

from ...audio import Audio
from ...errors import EngineError, EngineLost, LullwaveError, StreamClosed, UnknownEngine
from ...request import Request
from ..base import Engine, EngineFacts, Stream, Understanding
from ..remote.connection import Connection
from ..remote.engine import RemoteEngine
from .calls import first_line, is_part, within
from .connection import ActorConnection
from .options import CLUSTER, NAMESPACE, POOL, ClusterOptions, check_address, default_address, engine_of

ANSWER_S = 20.0  # how long the pool may take to answer
JOINS = 3  # attempts to join through Ray's client
NO_CLUSTER = (RayError, ConnectionError, RuntimeError, ValueError, OSError)  # what joining raises where there is none
ATTEMPTS = 3  # actors that are tried for one stream

T = TypeVar("T")
_joining = threading.Lock()  # two threads of a process may not join at the same time


def join_cluster(address: str) -> None:
    """Let this process be part of the cluster at ``address``, if it is of none yet.

    Through Ray's client it is tried again where a cluster is there: a busy one may give up starting the process that
    clients join by, and a connection that breaks while it is made ends in errors of any type.

    Raises:
        EngineLost: there is no cluster at that address, or it refuses this process.
    """
    with _joining:
        if is_part():
            return
        if address.startswith("ray://") and find_spec("grpc") is None:
            raise EngineLost(f"{address} needs Ray's client: pip install 'ray[client]'")
        for left in reversed(range(JOINS)):
            try:
                ray.shutdown()  # Ray's client stays half connected when its connection breaks
                ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
                return
            except Exception as error:
                nobody = isinstance(error, NO_CLUSTER) and not isinstance(error, ConnectionAbortedError)
                if nobody or not left:
                    raise EngineLost(f"no Ray cluster at {address}: {first_line(error)}") from None


@contextmanager
def reaching(what: str) -> Iterator[None]:
    """Raise ``EngineLost``, which says ``what`` was reached for, in place of all that Ray raises in the block.

    Ray's client raises errors of any type where its connection is broken.
    """
    try:
        yield
    except LullwaveError:
        raise
    except Exception as error:
        raise EngineLost(f"{what}: {first_line(error)}") from None


def find_pool(address: str) -> Any:
    """The actor that knows the engines of the cluster.

    Raises:
        EngineLost: no cluster, or ``lullwave cluster up`` has not been run on it.
    """
    join_cluster(address)
    with reaching(f"the Ray cluster at {address}"):
        try:
            return within(ANSWER_S, lambda: ray.get_actor(POOL, NAMESPACE))
        except ValueError:
            raise EngineLost(f"the Ray cluster at {address} has no engines yet: run lullwave cluster up") from None


def answered(call: Callable[[], Any], what: str, patience_s: float = ANSWER_S) -> Any:
    """The answer of an actor to ``call``, which returns Ray's reference to it.

    Raises:
        EngineLost: there was none within ``patience_s``.
        LullwaveError: what the actor raised.
    """
    with reaching(what):
        try:
            return within(patience_s, lambda: ray.get(call(), timeout=patience_s))
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None


class ActorEngine(RemoteEngine):
    """The engine of one actor; thread-safe."""

    def __init__(self, actor: Any, name: str) -> None:
        super().__init__(url="ws://127.0.0.1")
        self.url = self.shown = name
        self._actor = actor

    def connect(self, url: str, token: str, deadline_s: float) -> Connection:
        return ActorConnection(self._actor, self.shown, deadline_s)


class ClusterEngine(Engine):
    """The base of the classes that ``cluster_class`` makes; thread-safe. Loading it joins the cluster."""

    pool: ClassVar[str]  # name of the pool

    def __init__(self, address: str = "") -> None:
        self._address = check_address(address or default_address())
        self._lock = threading.Lock()
        self._actors: dict[str, ActorEngine] = {}
        self._closed = False
        found = find_pool(self._address)
        names = answered(lambda: found.names.remote(), self.name)
        if self.pool not in names:
            raise UnknownEngine(self.name, [CLUSTER + name for name in names])

    @property
    def rate(self) -> int:  # type: ignore[override]
        """Of the engine of the pool."""
        return self._any().rate

    @property
    def channels(self) -> int:  # type: ignore[override]
        """Of the engine of the pool."""
        return self._any().channels

    @property
    def rewindable_s(self) -> float:
        """Of the engine of the pool, as ``RemoteEngine.rewindable_s``."""
        return self._any().rewindable_s

    @property
    def made_by(self) -> str:
        """The name of the engine of the pool."""
        return engine_of(self.pool)

    @property
    def lighter(self) -> Sequence[Mapping[str, Any]]:  # type: ignore[override]
        """Of the engine of the pool."""
        return self._any().lighter

    def open(self, request: Request, **audio_prompts: Audio) -> Stream:
        """Begin a stream on the actor that the pool chooses.

        Raises:
            EngineLost: no actor answers.
            LullwaveError: raised by the engine.
        """
        return self._on_an_actor(lambda engine: engine.open(request))

    def restore(self, snapshot: bytes) -> Stream:
        """Continue from a snapshot of the engine, made on whichever actor or machine.

        Raises:
            EngineLost, SnapshotError
        """
        return self._on_an_actor(lambda engine: engine.restore(snapshot))

    def understand(self, prompt: str) -> Understanding:
        return self._on_an_actor(lambda engine: engine.understand(prompt))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            actors, self._actors = self._actors, {}
        for engine in actors.values():
            engine.close()

    def _any(self) -> ActorEngine:
        """An actor of which this process knows already, or else the one that the pool chooses."""
        known = next(iter(self._actors.values()), None)
        return known or self._on_an_actor(lambda engine: engine)

    def _on_an_actor(self, call: Callable[[ActorEngine], T]) -> T:
        """Do something on the actor that the pool chooses; on another one if that one is lost."""
        avoided: list[str] = []
        while True:
            name, engine = self._placed(avoided)
            try:
                _ = engine.engine_info  # connects
                return call(engine)
            except EngineLost:
                with self._lock:
                    self._actors.pop(name, None)
                with suppress(EngineError):
                    engine.close()
                avoided.append(name)
                if len(avoided) == ATTEMPTS:
                    raise

    def _placed(self, avoided: Sequence[str]) -> tuple[str, ActorEngine]:
        if self._closed:
            raise StreamClosed("the engine was closed")
        found = find_pool(self._address)
        name, actor = answered(lambda: found.place.remote(self.pool, list(avoided)), self.name)
        with self._lock:
            if name not in self._actors:
                self._actors[name] = ActorEngine(actor, f"{self.name} ({name})")
            return name, self._actors[name]


def cluster_class(pool: str, facts: type[EngineFacts]) -> type[ClusterEngine]:
    """Return the engine class that plays the pool ``pool``, whose engine ``facts`` describes."""

    class Cluster(ClusterEngine):
        name = CLUSTER + pool
        summary = f"{facts.summary}; on a Ray cluster"
        load_options = ClusterOptions
        options = facts.options

        @classmethod
        def vocabulary(cls) -> Mapping[str, Sequence[str]]:
            return facts.vocabulary()

    Cluster.pool = pool
    return Cluster
