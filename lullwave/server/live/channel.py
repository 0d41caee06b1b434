"""A station on the event loop: its chunks and events as rings, its people, its clips; knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from ...archive.clip_recorder import OVERLAP_S, ClipRecorder
from ...archive.clips import Clip, ClipStore
from ...archive.history import History
from ...clock import Clock
from ...engines.base import Engine
from ...request import Request
from ...ring import Ring
from ...settings import Settings
from ...station import CHUNK_S, RATE, ArchiveEngine, Chunk, Event, PlayoutStep, Station
from ...station.playout import MP3_FRAME
from ...station.producer import EMBEDDED
from ..engine_pool import EnginePool
from .audience import Audience
from .bands import measured
from .fanout import Fanout
from .first_clip import first_clip
from .history_recorder import HistoryRecorder

EVENTS_KEPT = 512
COUNT_EVERY_S = 0.2  # a crowd that comes in at once is told once
FIRST_RESERVE_S = 5.0  # while the first clip is made, the station makes no more than it needs
LEASE_S = 180.0  # how long a station stays awake for somebody who fetches its clips

log = logging.getLogger(__name__)


class Channel:
    """One station and all that the routes need of it."""

    def __init__(self, station: Station, settings: Settings) -> None:
        loop = asyncio.get_running_loop()
        self.station = station
        self.chunks: Ring[Chunk] = Ring(max(8, round(settings.ring_s / CHUNK_S)), loop)
        self.events: Ring[Event] = Ring(EVENTS_KEPT, loop)
        self._burst_frames = round(settings.burst_s * RATE)
        self._people = 0
        self.peak = 0
        self.dropped = 0  # listeners who stalled
        self._titles: deque[tuple[int, str]] = deque(maxlen=64)  # (frame, title), as they went on air
        self.watching = 0  # event streams that are open: without one, nothing is measured
        self._lease: asyncio.TimerHandle | None = None
        self._count_due: asyncio.TimerHandle | None = None
        self.fanout = Fanout(self.chunks, settings.stall_s, self._count_drop)
        self.releasing: set[asyncio.Future[None]] = set()  # what is cancelled to let a connection end
        station.subscribe(self._aired, self.events.publish)

    def burst_start(self) -> int:
        """The number of the chunk that a new listener is sent first: a few seconds back, never more."""
        newest = self.chunks.newest()
        if newest is None:
            return self.chunks.end
        end = newest.frame + newest.frames
        return self.chunks.since(lambda chunk: end - chunk.frame <= self._burst_frames)

    @staticmethod
    def first_frame(chunk: Chunk) -> int:
        """The stream frame that is heard first by who begins with this chunk and its lead."""
        return chunk.frame - (2 * MP3_FRAME if chunk.lead else 0)

    def title_at(self, frame: int) -> str:
        """The title that is heard at a frame."""
        return next((title for begin, title in reversed(self._titles) if begin <= frame), "")

    def people(self, count: int) -> None:
        """How many people hear the station now."""
        self._people = count
        self.peak = max(self.peak, count)
        self._tell()
        if self._count_due is None:
            self._count_due = asyncio.get_running_loop().call_later(COUNT_EVERY_S, self._publish_count)

    def lease(self) -> None:
        """Keep the station awake for a while for somebody whom the audience does not count."""
        if self._lease is not None:
            self._lease.cancel()
        self._lease = asyncio.get_running_loop().call_later(LEASE_S, self._lease_over)
        self._tell()

    def close(self) -> None:
        """Release everybody."""
        for timer in (self._lease, self._count_due):
            if timer is not None:
                timer.cancel()
        self.chunks.close()
        self.events.close()
        self.fanout.close()
        for waiting in list(self.releasing):
            waiting.cancel()

    def _count_drop(self) -> None:
        self.dropped += 1

    def _publish_count(self) -> None:
        self._count_due = None
        self.events.publish(Event("listeners", self.station.edge, {"count": self._people}))

    def _lease_over(self) -> None:
        self._lease = None
        self._tell()

    def _tell(self) -> None:
        self.station.set_listening(self._people > 0 or self._lease is not None)

    def _aired(self, step: PlayoutStep) -> None:
        for mark in step.block.marks:
            if mark.kind == "piece":
                self._titles.append((mark.frame, str(mark.data.get("title", ""))))
        self.chunks.publish(step.chunk)
        if self.watching:
            for frame, levels in measured(step.mastered, step.mastered_frame):
                self.events.publish(Event("bands", frame, {"levels": levels}))


class Channels:
    """All stations of a server, from start to stop."""

    def __init__(self, settings: Settings, engines: EnginePool, clock: Clock) -> None:
        self.settings = settings
        self.audience = Audience([own.id for own in settings.stations], settings.default_station)
        main = settings.default_station
        self.clips = ClipStore(settings.paths.clips(main), settings.max_clips, settings.max_clip_mb * 1e6)
        self.archive_engine = ArchiveEngine(self.clips)
        self.stations = {
            own.id: Channel(
                Station(own, settings, engines.get, clock, self.archive_engine if own.id == main else None), settings
            )
            for own in settings.stations
        }
        self.default = self.stations[main]
        self.clip_ready = asyncio.Event()
        self.by_address: Counter[str] = Counter()  # audio connections
        self.clock = clock
        self.began = clock.wall()
        self.history = History.open_or_recover(settings.paths.history, settings.max_history_mb * 1e6)
        self.engines = engines
        self._stopping = threading.Event()
        self._encoding = ThreadPoolExecutor(1, "clips")
        self._first: threading.Thread | None = None
        loop = asyncio.get_running_loop()
        self.audience.watch(lambda station, count: self.stations[station].people(count))
        for channel in self.stations.values():
            HistoryRecorder(channel.station, self.history, self._encoding, settings, clock)
        clip_recorder = ClipRecorder(self.clips, self._encoding, RATE, settings.clip_s, settings.bitrate_kbps)
        self.default.station.subscribe(lambda step: _cut(clip_recorder, step))

        def ready(clip: Clip) -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self.clip_ready.set)

        self.clips.watch(ready)
        if self.clips.newest is not None:
            self.clip_ready.set()

    def engine(self, name: str) -> Engine:
        """The engine of that name, clips of earlier included: what a past moment is made again with."""
        return self.archive_engine if name == ArchiveEngine.name else self.engines.get(name)

    def start(self) -> None:
        """Let the default station make its first music, and a first clip if there is none."""
        self.default.station.start(FIRST_RESERVE_S if self.clips.newest is None else None)
        if self.clips.newest is None:
            self._first = threading.Thread(target=self._first_clip, name="first-clip", daemon=True)
            self._first.start()

    def release(self) -> None:
        """Let every listener's connection end."""
        for channel in self.stations.values():
            channel.close()

    def stop(self) -> None:
        """End all threads. Blocks, shortly."""
        self._stopping.set()
        for channel in self.stations.values():
            channel.station.stop()
        for channel in self.stations.values():
            channel.station.join()
        if self._first is not None:
            self._first.join(1.0)
        self._encoding.shutdown(wait=True)
        self.history.close()

    def _first_clip(self) -> None:
        """A clip of its own by the embedded engine, so that there is one seconds after the first start."""
        settings, station = self.settings, self.default.station
        try:
            length_s = max(1.0, settings.clip_s + OVERLAP_S)
            request = Request(station.prompt, (station.seed + 1) % 2**63, duration_s=length_s)
            data = first_clip(self.engines.get(EMBEDDED), request, settings, self._encoding, self._stopping)
            if data is not None and self.clips.newest is None:
                self.clips.add(data)
        except Exception:
            if not self._stopping.is_set():
                log.exception("the first clip could not be made; the next one comes with the programme")
        finally:
            station.fill_reserve()


def _cut(clip_recorder: ClipRecorder, step: PlayoutStep) -> None:
    """What went on air, with its pieces and beats, to who cuts it into clips."""
    begin = step.mastered_frame
    pieces = [(m.frame - begin, m.data) for m in step.block.marks if m.kind == "piece"]
    clip_recorder.feed(step.mastered, pieces, [beat - begin for beat in step.block.beats])
