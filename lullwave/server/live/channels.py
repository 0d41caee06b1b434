"""All stations of a server: builds each with its listeners, history and clips, and starts and stops them.

Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ...archive.clip_recorder import ClipRecorder
from ...archive.clips import Clip, ClipStore
from ...archive.history import History
from ...audio import Audio
from ...clock import Clock
from ...engines.base import Engine
from ...errors import Unsupported
from ...refused_words import RefusedWords
from ...request import Request
from ...settings import Settings
from ...settings.stations import StationSettings
from ...station import RATE, ArchiveEngine, PlayoutStep, Station
from ...station.producer import EMBEDDED
from ...station.replay import MomentParts, replay_moment
from ...storage.objects import open_store
from ..engine_pool import EnginePool
from ..hls.listeners import HlsListeners
from ..relay.origin import Origin
from ..workers.stream_workers import IDLE_S, StreamWorkers
from .audience import Audience
from .awake import AwakeStations
from .capacity import PROVISIONAL, capacities
from .channel import Channel
from .first_clip import first_clip
from .history_recorder import HistoryRecorder
from .kept_prompt import KeptPrompt
from .private import CLAIM_S, ID_BYTES, PrivateStation, PrivateStations
from .watchdog import Watchdog

if TYPE_CHECKING:  # loaded with a store alone
    from ...segments.history import StoreHistory
    from ..store.production import MakeQueue, StationProduction

HISTORY_RETRY_S = 5.0  # seconds after a failure before the history is written again
FIRST_RESERVE_S = 5.0  # seconds that the station buffers while the first clip is made, to leave it the processor

log = logging.getLogger(__name__)


class Channels:
    """All stations of a server with their listeners, clips and history, from start to stop.

    Event loop only, except for ``engine``, which any thread may call, and ``stop``, which blocks.
    """

    def __init__(
        self, settings: Settings, engines: EnginePool, clock: Clock, refused: RefusedWords | None = None
    ) -> None:
        self.settings = settings
        self.origin = Origin(settings.relay) if settings.relay else None
        self.store = open_store(settings.store) if settings.store else None
        self.stored: StoreHistory | None = None  # the history that servers share
        if self.store is not None:
            from ...segments.history import StoreHistory

            self.stored = StoreHistory(self.store)
        self.productions: dict[str, StationProduction] = {}  # of stations that this process may make the music of
        self._refused = refused or RefusedWords()  # a prompt with such a word is not played again after a restart
        self.audience = Audience([own.id for own in settings.stations], settings.default_station)
        main = settings.default_station
        self.clips = ClipStore(settings.paths.clips(main), settings.max_clips, settings.max_clip_mb * 1e6)
        self.archive_engine = ArchiveEngine(self.clips)
        self._keeping = ThreadPoolExecutor(1, "kept-prompts")
        self.engines = engines
        self.clock = clock
        self.stations = {own.id: self._new_channel(own) for own in settings.stations}
        self.default = self.stations[main]
        self.workers = StreamWorkers(
            lambda: engines.get(EMBEDDED),
            lambda: engines.isolated(EMBEDDED),
            lambda: (self.awake.capacity.workers, self.awake.capacity.per_worker),
            clock,
        )
        self.private = PrivateStations(
            settings,
            self._private_engine,
            self.workers.output,
            self._private_ended,
            clock,
            self.audience,
            self._refused,
        )
        self.awake = AwakeStations(
            settings, self.stations, self.private.channels, lambda id: self.private.end(id, "busy")
        )
        self.clip_ready = asyncio.Event()
        self.by_address: Counter[str] = Counter()  # audio connections by client address
        self.hls_listeners = HlsListeners(self.audience, self.by_address)
        self.began = clock.wall()
        max_age_s = settings.max_history_days * 86400 or math.inf
        place = settings.database_url or settings.paths.history
        self.history = History(place, settings.max_history_mb * 1e6, max_age_s, HISTORY_RETRY_S)
        self._stopping = threading.Event()
        self._encoding = ThreadPoolExecutor(1, "clips")
        self._encoding.submit(self.history.database.open)  # not here: a locked file takes a second, a large one more
        self._first: threading.Thread | None = None
        self._measuring: threading.Thread | None = None
        self._watched = {name: channel.station for name, channel in self.stations.items()}
        self.watchdog = Watchdog(self._watched, clock)
        loop = asyncio.get_running_loop()
        self._loop = loop
        self.audience.watch(self._heard)
        for channel in self.stations.values():
            self._record_history(channel.station)
        clip_recorder = ClipRecorder(self.clips, self._encoding, RATE, settings.clip_s, settings.bitrate_kbps)
        self.default.station.subscribe(lambda step: self._record(clip_recorder, step))

        def ready(clip: Clip) -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self.clip_ready.set)

        self.clips.watch(ready)
        if self.clips.newest is not None:
            self.clip_ready.set()

    def engine(self, name: str) -> Engine:
        """The engine that played under ``name``; the archive engine included."""
        return self.archive_engine if name == ArchiveEngine.name else self.engines.get(name)

    def _private_engine(self, id: str, name: str) -> Engine:
        """The engine called ``name`` for the private stream ``id``. Any thread."""
        return self.workers.engine(id) if name == EMBEDDED else self.engines.get(name)

    def _private_ended(self, id: str) -> None:
        """The engine of a private stream is free; a worker without streams ends after a while. Any thread."""
        self.workers.release(id)
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._loop.call_later, IDLE_S + 1.0, self._end_idle_workers)

    def _end_idle_workers(self) -> None:
        self._loop.run_in_executor(None, self.workers.end_idle)

    def start(self) -> None:
        """Let the default station fill its buffer, and make a first clip if there is none."""
        self.watchdog.start()
        if not self.settings.max_awake:
            self._measuring = threading.Thread(target=self._measure, name="measure", daemon=True)
            self._measuring.start()
        self.default.station.start(FIRST_RESERVE_S if self.clips.newest is None else None)
        if self.store is not None:  # they read what their producers tell, also while they sleep
            for channel in self.stations.values():
                channel.station.start()
        for channel in self.stations.values():
            channel.follow_settings()
        if self.clips.newest is None:
            self._first = threading.Thread(target=self._first_clip, name="first-clip", daemon=True)
            self._first.start()

    def _new_channel(self, config: StationSettings) -> Channel:
        """A station that has not started yet, with its channel. It goes on with the prompt that it was steered to."""
        settings, paths = self.settings, self.settings.paths
        if self.store is not None:
            from ...segments.stored_station import StoredStation
            from ..hls.stored_feed import StoredHls

            stored = StoredStation(config, settings, self.engines.get, self.clock, self.store)
            return Channel(stored, settings, stored=partial(StoredHls, self.store, stored, self.clock))
        kept = KeptPrompt(paths.steered(config.id), self.clock, self._keeping)
        archive = self.archive_engine if config.id == settings.default_station else None
        steered = kept.read(config) if settings.keep_steered else None
        if steered is not None and self._refused.find(steered):
            steered = None
        station = Station(config, settings, self.engines.get, self.clock, archive, steered)
        if settings.keep_steered:
            kept.follow(station)
        return Channel(station, settings, origin=self.origin)

    def produce(self, queue_maker: Callable[[str], MakeQueue]) -> None:
        """Make the music of stations that no other process of the store makes. ``queue_maker`` gets a station's id.

        With a cluster, that is left to its actors as long as they work.
        """
        if self.store is None or not self.settings.produce:
            return
        from ...segments.precedence import Rank
        from ..store.production import StationProduction

        rank = Rank.DEFERRING if self.settings.cluster else Rank.EQUAL
        for config in self.settings.stations:
            archive = self.archive_engine if config.id == self.settings.default_station else None
            args = config, self.settings, self.store, self.engines.get, self.clock, archive, queue_maker(config.id)
            self.productions[config.id] = StationProduction(*args, rank)
            self.productions[config.id].start()

    @property
    def produced(self) -> list[str]:
        """The stations of a shared store whose music this process makes now."""
        return [name for name, production in self.productions.items() if production.producing]

    def replay(self, station: str, wall: float, seconds: float, stopped: Callable[[], bool]) -> tuple[Audio, bool]:
        """What a station played from ``wall`` on (seconds since 1970), and whether it is exact. Blocks; any thread.

        Raises:
            NotFound, SnapshotError, StreamClosed, StorageUnavailable
        """
        if self.stored is not None:
            return self.stored.replay(station, wall, seconds, stopped), True
        return replay_moment(self.history, station, wall, seconds, self.engine, stopped)

    def parts(self, station: str, wall: float, seconds: float) -> MomentParts:
        """The notes and stems of what a station played from ``wall`` on. Blocks; any thread.

        Raises:
            Unsupported: the stations are those of a shared store, which keeps sound alone.
            NotFound, SnapshotError, StorageUnavailable
        """
        if self.stored is not None:
            raise Unsupported("station", station, "servers that share a store keep no notes and no stems of the past")
        return MomentParts.find(self.history, station, wall, seconds, self.engine)

    def piece_at(self, station: str, wall: float) -> Mapping[str, Any]:
        """The piece that a station played at a time of day; empty if none had begun. Blocks; any thread.

        Raises:
            NotFound, StorageUnavailable
        """
        if self.stored is not None:
            return self.stored.piece(station, wall)
        return self.history.piece(self.history.moment(station, wall))

    def _record_history(self, station: Station) -> None:
        if self.store is not None:  # its producer does
            return
        HistoryRecorder(station, self.history, self._encoding, self.settings, self.clock)

    def add(self, config: StationSettings) -> Channel:
        """Add a station; it sleeps until it has a listener."""
        channel = self._new_channel(config)
        self._record_history(channel.station)
        self.audience.add(config.id)
        self.stations[config.id] = channel
        self._watched[config.id] = channel.station
        channel.follow_settings()
        self.awake.update()
        return channel

    def remove(self, name: str) -> Channel:
        """Remove a station and end its connections; ``finish`` ends its threads."""
        channel = self.stations.pop(name)
        del self._watched[name]
        self.audience.remove(name)
        channel.close()
        channel.station.stop()
        self.awake.update()
        return channel

    def finish(self, channel: Channel) -> None:
        """Wait for the threads of a station that was removed, and forget its prompt. Blocks; any thread."""
        channel.station.join()
        with suppress(OSError):
            self.settings.paths.steered(channel.station.id).unlink(missing_ok=True)

    async def fork(self, channel: Channel, frame: int | None, address: str, owner: bool) -> PrivateStation:
        """Begin a private stream with the music of ``channel`` from ``frame`` on; returns once it has music.

        Raises:
            Busy, StationBusy, Full: there are too many.
            EngineFailed: it has no music.
        """
        self.private.check(address, owner, channel.station.engine_name)
        async with self.private.turn():
            self.private.check(address, owner, channel.station.engine_name)  # others have begun meanwhile
            fork = await asyncio.to_thread(channel.station.fork, frame)
            id = secrets.token_hex(ID_BYTES)
            self.awake.check(id)
            self.private.add(id, channel.station.config, fork, address, owner)
            self.awake.admit(id, CLAIM_S)
            return await self.private.ready(id)

    @property
    def max_private(self) -> int:
        """How many private streams may play now, beside the stations that are awake."""
        most, room = self.settings.max_private, self.awake.private_limit
        return room if most is None else min(most, room)

    def refuse(self, words: RefusedWords) -> None:
        """Refuse prompts that have one of the words from now on."""
        self._refused = words
        self.private.refuse(words)

    def release(self) -> None:
        """End every listener's connection."""
        self.hls_listeners.close()
        self.private.release()
        for channel in self.stations.values():
            channel.close()

    def stop(self) -> None:
        """Stop all threads. Blocks until they have ended."""
        self._stopping.set()
        self.watchdog.stop()
        for production in self.productions.values():
            production.stop()
        for production in self.productions.values():
            production.join()
        for channel in self.stations.values():
            channel.station.stop()
        for channel in self.stations.values():
            channel.station.join()
        self.private.stop()
        self.workers.close()
        for thread in (self._first, self._measuring):
            if thread is not None:
                thread.join(1.0)
        self._encoding.shutdown(wait=True)
        self._keeping.shutdown(wait=True)
        self.history.close()

    def _heard(self, station: str, count: int) -> None:
        if station in self.stations:
            self.stations[station].set_listeners(count)
        self.awake.update()

    def _measure(self) -> None:
        """Measure how many stations may be awake, once the first clip is made."""
        try:
            while self._first is not None and self._first.is_alive() and not self._stopping.is_set():
                self._first.join(0.2)
            for capacity in capacities(self.engines.get(EMBEDDED), self.settings, self._stopping):
                self._loop.call_soon_threadsafe(self.awake.measured, capacity)
        except Exception:
            if not self._stopping.is_set():
                log.exception("the machine's speed was not measured: at most %d stations are awake", PROVISIONAL)

    def _first_clip(self) -> None:
        """Make a clip with the embedded engine, so that ``/current.mp3`` works seconds after the first start."""
        settings, station = self.settings, self.default.station
        try:
            request = Request(station.prompt, (station.seed + 1) % 2**63, duration_s=settings.clip_s)
            data = first_clip(self.engines.get(EMBEDDED), request, settings, self._encoding, self._stopping)
            if data is not None and self.clips.newest is None:
                self.clips.add(data)
        except Exception:
            if not self._stopping.is_set():
                log.exception("the first clip could not be made; the station records the next one")
        finally:
            station.fill_reserve()

    def _record(self, clip_recorder: ClipRecorder, step: PlayoutStep) -> None:
        """Hand a step of the default station's playout, with its pieces and beats, to the clip recorder."""
        begin, station = step.mastered_frame, self.default.station
        pieces = []
        for mark in step.block.marks:
            if mark.kind == "piece":
                name = EMBEDDED if mark.data.get("source") else station.engine_name  # only fallbacks name a source
                made_by = self.engine(name).made_by if self.store is None else name
                facts = {"seed": station.seed, "engine": made_by}
                pieces.append((mark.frame - begin, {**facts, **mark.data}))
        clip_recorder.feed(step.mastered, pieces, [beat - begin for beat in step.block.beats])
