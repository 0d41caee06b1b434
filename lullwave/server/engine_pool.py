"""Loads every engine once, for stations and clips together; knows nothing of HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from ..checkpoints import locate
from ..engines import engine_class, engine_facts, engine_names, load_engine
from ..engines.base import Engine, EngineFacts
from ..engines.remote.options import ISOLATED, RemoteFacts
from ..errors import EngineError, UnknownEngine
from ..options import describe

if TYPE_CHECKING:
    from ..engines.remote.isolated import IsolatedEngine

REMOTE = RemoteFacts.name  # of the first inference server; the next are remote-2, remote-3…


class EnginePool:
    """Loads each engine at the first ``get``. Thread-safe: concurrent calls for one engine load it once.

    ``classes`` are the available engines; None means all installed ones. ``options`` returns the load options of an
    engine.
    """

    def __init__(
        self,
        classes: Mapping[str, type[Engine]] | None = None,
        options: Callable[[str, type[EngineFacts]], dict[str, Any]] = lambda name, kind: {},
    ) -> None:
        self._classes = classes
        self._options = options
        self._addresses: dict[str, str] = {}
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._engines: dict[str, Engine] = {}
        self._given: dict[str, dict[str, Any]] = {}  # the load options of each engine
        self._closed = False

    def name_remote(self, addresses: Mapping[str, str]) -> None:
        """Give inference servers names: name → address. Before the first ``get``."""
        self._addresses.update(addresses)

    def name_address(self, address: str) -> str:
        """The name of an inference server; a new one if it has none."""
        with self._lock:
            for name, known in self._addresses.items():
                if known == address:
                    return name
            free = (REMOTE if n == 1 else f"{REMOTE}-{n}" for n in range(1, len(self._addresses) + 2))
            name = next(name for name in free if name not in self._addresses)
            self._addresses = {**self._addresses, name: address}
            return name

    def names(self) -> list[str]:
        """The names of the available engines."""
        names = engine_names() if self._classes is None else list(self._classes)
        return [name for name in names if name not in self._addresses.values()] + list(self._addresses)

    def class_of(self, name: str) -> type[Engine]:
        """Import the class of an engine.

        Raises:
            UnknownEngine, MissingExtra
        """
        name = self._addresses.get(name, name)
        if self._classes is None:
            return engine_class(name)
        if name not in self._classes:
            raise UnknownEngine(name, self._classes)
        return self._classes[name]

    def facts_of(self, name: str) -> type[EngineFacts]:
        """The facts of an engine (summary, options), without importing its heavy packages.

        Raises:
            UnknownEngine, MissingExtra
        """
        return engine_facts(self._addresses.get(name, name)) if self._classes is None else self.class_of(name)

    def check_installed(self, name: str) -> None:
        """Check that the packages and the weights of an engine are installed, without importing or loading them.

        Raises:
            UnknownEngine, MissingExtra, CheckpointError
        """
        facts, real = self.facts_of(name), self._addresses.get(name, name)
        if name in self._engines or self._classes is not None or not facts.weights:
            return  # classes that were given find their weights themselves
        preset = next(info.default for info in describe(facts.load_options) if info.name == facts.weights)
        locate(self._options(real, facts).get(facts.weights, preset), offline=True)

    def get(self, name: str) -> Engine:
        """The engine called ``name``. One that may not download its weights is imported only if they are installed.

        Raises:
            UnknownEngine, MissingExtra, CheckpointError
        """
        if (engine := self._engines.get(name)) is not None:
            return engine
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._engines:
                real = self._addresses.get(name, name)
                if self._options(real, self.facts_of(name)).get("offline"):
                    self.check_installed(name)  # importing the packages takes seconds
                kind = self.class_of(name)
                given = self._given[name] = self._options(real, kind)
                self._add(name, load_engine(real, **given) if self._classes is None else kind(**given))
            return self._engines[name]

    def isolated(self, name: str) -> IsolatedEngine:
        """Another engine called ``name``, in a new child process with the default options. The caller closes it.

        Raises:
            UnknownEngine: the engine runs only in this process.
        """
        if self._classes is not None:
            raise UnknownEngine(name, ())
        return cast("IsolatedEngine", load_engine(ISOLATED + name))

    def outdated(self) -> list[str]:
        """The loaded engines that would have other load options if they were loaded now."""
        found = []
        for name in list(self._engines):
            kind, real = self.class_of(name), self._addresses.get(name, name)
            if self._options(real, kind) != self._given[name]:
                found.append(name)
        return found

    def close(self) -> None:
        """Close every engine."""
        with self._lock:
            self._closed = True
            engines, self._engines = self._engines, {}
        for engine in engines.values():
            engine.close()

    def _add(self, name: str, engine: Engine) -> None:
        with self._lock:
            if not self._closed:
                self._engines[name] = engine
                return
        engine.close()  # the pool was closed while it loaded
        raise EngineError(f"engine {name!r} was loaded too late: the server is stopping")
