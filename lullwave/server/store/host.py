"""The production of one station of a store without a web server, with an event loop and engines of its own.

An actor of a cluster runs it. Knows neither HTTP nor Ray.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from ...clock import Clock, SystemClock
from ...engines.base import EngineFacts
from ...refused_words import RefusedWords
from ...segments.precedence import Rank
from ...settings import Settings
from ...storage.objects import open_store
from ..engine_config import load_options, placed, remote_engines
from ..engine_pool import EnginePool
from ..live.prompt_queue import PromptQueue
from ..live.prompt_request import Steered
from .production import ProductionStatus, StationProduction

BEGIN_S = 20.0  # how long the event loop may take to begin


class StationHost:
    """The first station of ``settings``, produced into their store before any web server would. Thread-safe.

    ``name`` is that of a process that is started again when it has ended, as of ``Lease``. ``engines`` and ``clock``
    replace the installed engines and the system's clock.
    """

    def __init__(
        self, settings: Settings, name: str = "", engines: EnginePool | None = None, clock: Clock | None = None
    ) -> None:
        self._settings, self._name = settings, name
        self._clock = clock or SystemClock()
        self._engines = engines or EnginePool(options=_options(settings))
        self._engines.name_remote(remote_engines(settings))
        self._refused = RefusedWords.parse(settings.refused_words)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="station-host", daemon=True)
        self._thread.start()
        self._production = asyncio.run_coroutine_threadsafe(self._begun(), self._loop).result(BEGIN_S)
        self._production.start()

    def status(self) -> ProductionStatus:
        """What the production does now."""
        return self._production.status()

    def stop(self) -> None:
        """Release the lease and end all threads. Blocks."""
        self._production.stop()
        self._production.join()
        self._engines.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _begun(self) -> StationProduction:
        """On the event loop, where requests are queued."""
        settings = placed(self._settings)
        return StationProduction(
            settings.stations[0],
            settings,
            open_store(settings.store),
            self._engines.get,
            self._clock,
            None,
            self._new_queue,
            Rank.PREFERRED,
            self._name,
        )

    def _new_queue(self, steered: Steered) -> PromptQueue:
        queue = PromptQueue(steered, self._settings)
        queue.refused = self._refused
        return queue


def _options(settings: Settings) -> Any:
    """The load options of engines; nothing is kept on the disk of the machine on which the station happens to run."""
    of = load_options(settings)

    def without_memory(name: str, kind: type[EngineFacts]) -> dict[str, Any]:
        return {option: value for option, value in of(name, kind).items() if option != "memory_file"}

    return without_memory
