"""This process's part in making the music of stations that servers share: a producer for each, on its own thread.

Of all processes, the one with a station's lease makes its music while somebody listens anywhere, and carries out the
requests that reach any server. The others stand by. Where a cluster has an actor for the station, servers leave it to
that one.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ...clock import Clock, Waiter
from ...engines.base import Engine
from ...errors import LullwaveError, StorageUnavailable
from ...ring import Ring
from ...segments.heartbeat import LAPSE_S, Heartbeat
from ...segments.history import keys_before
from ...segments.precedence import Precedence, Rank
from ...segments.present import Present, PresentWriter, read_present
from ...segments.produced_station import ProducedStation, StationRenderer
from ...segments.producer import RETRY_S, STAND_BY_S, SegmentProducer, Timing
from ...segments.requests import OLD_S, RequestReader, StationRequest
from ...segments.segment import Keys
from ...segments.writer import DELETED_AT_ONCE
from ...settings import Settings
from ...settings.stations import StationSettings
from ...station import ArchiveEngine, Event, Station
from ...storage.objects import ObjectStore
from ..live.prompt_queue import PromptQueue
from ..live.prompt_request import Requester
from .answers import error_json, receipt_json

EVENTS_KEPT = 64  # of the queue; they are passed on at once
DROPPED_KEPT = 8  # requests that came to nothing
LOOK_S = 1.0  # between two looks whether somebody listens
PRUNE_S = 3600.0  # between two looks for old history
REQUESTS_S = 0.25  # between two looks for requests
JOIN_S = 5.0  # how long `stop` waits for a store that does not answer

log = logging.getLogger(__name__)

MakeQueue = Callable[["SteeredStation"], PromptQueue]  # on the event loop


@dataclass(frozen=True)
class ProductionStatus:
    """What the production of a station in one process does."""

    producing: bool  # else it stands by
    asleep: bool = False
    epoch: int | None = None  # of its lease
    engine: str = ""  # whose music is written
    ahead_s: float = 0.0  # of the music that is written and was not heard yet
    speed: float | None = None  # times real time, of the station's own engine; None: nothing is made


class SteeredStation:
    """The station that is produced, as its queue of requests knows it. Event loop only."""

    def __init__(self, station: ProducedStation) -> None:
        self.station: Station = station
        self.events: Ring[Event] = Ring(EVENTS_KEPT)
        self.dropped: deque[dict[str, Any]] = deque(maxlen=DROPPED_KEPT)
        self.queue_data: dict[str, Any] = {}  # replaced as a whole; any thread may read it
        self._number = 0  # of the next one that is dropped
        self.events.watch(self._note)

    def _note(self, event: Event) -> None:
        if event.kind == "queue":
            self.queue_data = dict(event.data)
        elif event.kind == "dropped":
            self.dropped.append({"number": self._number, **event.data})
            self._number += 1


class StationProduction:
    """The producer of one station in this process. ``start`` and ``stop`` from any thread, all else on its own.

    ``name`` is that of a process that is started again when it has ended, as of ``Lease``.
    """

    def __init__(
        self,
        config: StationSettings,
        settings: Settings,
        store: ObjectStore,
        engine: Callable[[str], Engine],
        clock: Clock,
        archive: ArchiveEngine | None,
        make_queue: MakeQueue,
        rank: Rank = Rank.EQUAL,
        name: str = "",
    ) -> None:
        self.id, self._config, self._settings, self._clock = config.id, config, settings, clock
        self._store, self._make_queue, self._loop = store, make_queue, asyncio.get_running_loop()
        self._renderer = StationRenderer(config, settings, engine, clock, archive, self._known, self._opened)
        self._wanted = Heartbeat(store, Keys(config.id).wanted, clock)
        self._precedence = Precedence(store, config.id, clock, rank)
        self._facts = PresentWriter(store, config.id)
        timing = Timing(settings.store_ahead_s, settings.burst_s, settings.store_hours * 3600)
        self._producer = SegmentProducer(store, config.id, self._renderer, clock, timing, self._is_wanted, name)
        self._steered: SteeredStation | None = None
        self._queue: PromptQueue | None = None
        self._requests: RequestReader | None = None
        self._answering: dict[int, Future[dict[str, Any]]] = {}  # by number of the request
        self._look_at = self._requests_at = self._prune_at = 0.0
        self._old: list[str] = []  # keys of history to be deleted
        self._stopping = threading.Event()
        self._waiter: Waiter | None = None  # set by `start`
        self._failing = False
        self._thread = threading.Thread(target=self._run, name=f"produce-{config.id}", daemon=True)

    @property
    def producing(self) -> bool:
        """Whether this process makes the station's music. Any thread."""
        return self._producer.producing

    def status(self) -> ProductionStatus:
        """What this process does for the station. Any thread."""
        manifest, station = self._producer.manifest, self._renderer.station
        if manifest is None or station is None:
            return ProductionStatus(False)
        asleep, ahead_s = self._producer.asleep, max(0.0, manifest.air(manifest.next) - self._clock.wall())
        speed = None if asleep else station.speed
        return ProductionStatus(True, asleep, manifest.epoch, station.playing_engine, ahead_s, speed)

    def start(self) -> None:
        self._waiter = self._clock.waiter()
        self._thread.start()

    def stop(self) -> None:
        """End the thread and give the lease up; ``join`` waits for that."""
        self._stopping.set()
        if self._waiter is not None:
            self._waiter.wake()

    def join(self) -> None:
        if self._thread.ident is not None:
            self._thread.join(JOIN_S)
        self._renderer.join()

    def _run(self) -> None:
        assert self._waiter is not None
        try:
            while not self._stopping.is_set():
                self._waiter.wait_until(self._clock.now() + self._attempt())
        finally:
            try:
                self._end()
                self._producer.close()
            finally:
                self._waiter.close()

    def _attempt(self) -> float:
        try:
            left = self._step()
            self._failing = False
            return left
        except StorageUnavailable as error:
            if not self._failing:
                log.warning("station %s: %s; trying again", self.id, error)
        except Exception:  # an error of our own must not end the music for good
            if not self._failing:
                log.exception("station %s: error in its production; trying again", self.id)
        self._failing = True
        return RETRY_S

    def _step(self) -> float:
        if self._precedence.defers():
            if self._producer.producing:
                log.info("station %s: an actor of the cluster makes its music from here on", self.id)
                self._end()
                self._producer.close()
            self._producer.watch()
            return STAND_BY_S
        left = self._producer.step()
        self._precedence.show()
        manifest, now = self._producer.manifest, self._clock.now()
        if manifest is None:
            if self._requests is not None:
                self._end()
            return left
        if self._requests is None:  # it has just become the producer
            if manifest.air(manifest.next) > self._clock.wall():
                self._wanted.keep()
            self._requests = RequestReader(self._store, self.id, self._known().next_request)
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._wanted.look()
        if self._settings.max_history_days and now >= self._prune_at:
            self._prune_at = now + PRUNE_S
            before = self._clock.wall() - self._settings.max_history_days * 86400
            self._old = keys_before(self._store, self.id, before)
        for _ in range(min(DELETED_AT_ONCE, len(self._old))):
            self._store.delete(self._old[-1])
            self._old.pop()
        if now >= self._requests_at:
            self._requests_at = now + REQUESTS_S
            self._serve(self._requests)
            self._tell()
        return min(left, REQUESTS_S)

    def _is_wanted(self) -> bool:
        return self._config.always_on or self._wanted.idle_s < LAPSE_S + self._settings.sleep_after_s

    def _known(self) -> Present:
        """What was told last, by this process or the one before."""
        return read_present(self._store, self.id) or Present()

    def _opened(self, station: ProducedStation, known: Present) -> None:
        """Take requests for a new station."""
        self._end()

        async def begin() -> tuple[SteeredStation, PromptQueue]:
            steered = SteeredStation(station)
            queue = self._make_queue(steered)
            queue.frozen = bool(known.queue.get("frozen", queue.frozen))
            queue.restore(known.earlier, known.queue.get("waiting", ()))
            steered.queue_data = queue.data()
            return steered, queue

        self._steered, self._queue = asyncio.run_coroutine_threadsafe(begin(), self._loop).result(JOIN_S)

    def _end(self) -> None:
        """Take no more requests."""
        queue, self._queue = self._queue, None
        self._steered = self._requests = None
        self._answering.clear()
        if queue is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(queue.close)

    def _serve(self, requests: RequestReader) -> None:
        """Carry out what was asked for since the last time, and write answers."""
        while (found := requests.take()) is not None:
            number, request = found
            self._answering[number] = asyncio.run_coroutine_threadsafe(self._carry_out(request), self._loop)
        for number in [number for number, answer in self._answering.items() if answer.done()]:
            requests.answer(number, self._answering[number].result())
            del self._answering[number]

    async def _carry_out(self, request: StationRequest) -> dict[str, Any]:
        queue = self._queue
        if queue is None or request.wall < self._clock.wall() - OLD_S:
            return {"error": "EngineFailed", "message": "the request came too late"}
        try:
            return await self._done(queue, request)
        except LullwaveError as error:
            return error_json(error)
        except Exception as error:
            log.exception("station %s: a request failed", self.id)
            return error_json(error)

    async def _done(self, queue: PromptQueue, request: StationRequest) -> dict[str, Any]:
        data = request.data
        requester = Requester(str(data.get("address", "")), data.get("listener"))
        match request.kind:
            case "prompt":
                receipt = await queue.submit(str(data.get("prompt", "")), requester)
            case "undo":
                receipt = await queue.undo(requester)
            case "own programme":
                receipt = await queue.own_programme(requester)
            case "skip":
                return {"skipped": await queue.skip()}
            case "freeze":
                queue.freeze(bool(data.get("frozen")))
                return {}
            case "forget":
                queue.forget(str(data.get("listener")))
                return {}
            case _:
                return {"error": "EngineFailed", "message": "the process that makes the music does not know this"}
        delay = 0 if self._renderer.station is None else self._renderer.station.pulled.latency_frames
        if receipt.frame is not None:
            receipt = replace(receipt, frame=receipt.frame + delay)  # as listeners count
        return receipt_json(receipt)

    def _tell(self) -> None:
        """Write what all servers are to know at once."""
        station, steered, queue = self._renderer.station, self._steered, self._queue
        epoch, requests = self._producer.epoch, self._requests
        if station is None or steered is None or queue is None or epoch is None or requests is None:
            return
        oldest = min(self._answering, default=requests.next)  # what is not answered yet is carried out by a successor
        self._facts.write(
            Present(
                epoch,
                station.prompt,
                station.steered,
                station.playing_engine,
                station.failover.data(),
                steered.queue_data,
                queue.earlier,
                self._renderer.pieces,
                tuple(steered.dropped),
                oldest,
            )
        )
