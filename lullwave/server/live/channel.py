"""One station on the event loop: its chunks and events as rings, its listeners, its titles. Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from ...codecs import fragmented_mp4
from ...ring import Ring
from ...settings import Settings
from ...station import Event, PlayoutStep, Station
from ..hls.feed import HlsFeed
from ..hls.playout_feed import PlayoutHls
from ..relay.origin import Origin
from ..relay.programme import RelayedProgramme, moved_facts
from .audio_feed import AudioFeed, LowFeed
from .bands import measured
from .scenery import SceneryReader

EVENTS_KEPT = 512  # events that a slow client may lag behind
COUNT_EVERY_S = 0.2  # shortest time between two ``listeners`` events: many who join at once cause one event
KEEP_AWAKE_S = 180.0  # a request for a clip keeps the station awake for this long


class Channel:
    """A station and what its routes need.

    Event loop only, except for ``_on_step`` and ``_own_event``, which threads of the station call: they append to
    ``_titles``, publish to the rings, which are thread-safe, and feed ``low`` and ``hls``.
    """

    def __init__(
        self,
        station: Station,
        settings: Settings,
        hls: bool = True,
        origin: Origin | None = None,
        stored: Callable[[], HlsFeed] | None = None,
    ) -> None:
        """``stored`` makes the HLS of a station in a shared store; without it, HLS is made of what is on air here."""
        self._loop = loop = asyncio.get_running_loop()
        self.station = station
        self.events: Ring[Event] = Ring(EVENTS_KEPT, loop)
        self.scenery = SceneryReader(station)
        self._listeners = 0
        self.peak = 0  # most listeners at once
        self.dropped = 0  # connections that stalled
        self._titles: deque[tuple[int, str]] = deque(maxlen=64)  # (first frame, title), oldest first
        self.watching = 0  # open event streams; without one, no band levels are measured
        self.replies = 0  # open audio and event streams
        self.on_replies: Callable[[], None] = lambda: None  # called when their number changes
        self._awake: asyncio.TimerHandle | None = None
        self._count_due: asyncio.TimerHandle | None = None
        self.main = AudioFeed(settings, settings.bitrate_kbps, self._count_drop)
        self.low = LowFeed(settings, self._count_drop)
        self.hls: HlsFeed | None = (stored or PlayoutHls)() if hls and fragmented_mp4.installed() else None
        self.releasing: set[asyncio.Future[None]] = set()  # one per audio connection; cancelling it ends the connection
        self.relay: RelayedProgramme | None = None  # of a server that passes on another one's stations
        if origin is not None:
            self.relay = RelayedProgramme(
                station,
                origin,
                self.main,
                self.events,
                lambda *title: self._titles.append(title),
                settings.burst_s,
                self.hls if isinstance(self.hls, PlayoutHls) else None,
            )
        self._publish_event = self._own_event if self.relay is None else self.relay.local_event
        station.subscribe(self._on_step, self._publish_event)

    def feed(self, kbps: int) -> AbstractContextManager[AudioFeed]:
        """The chunks at a bit rate, the main one or ``LOW_KBPS``, while the block runs. A relay has only the first."""
        return nullcontext(self.main) if kbps == self.main.kbps or self.relay is not None else self.low.listening()

    @property
    def edge(self) -> int:
        """The frame that goes on air next, as listeners count."""
        return self.station.edge if self.relay is None else self.relay.edge

    def counted(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Facts of the station with its frames as listeners count them."""
        return facts if self.relay is None else moved_facts(facts, self.relay.offset)

    def present(self) -> list[Event]:
        """The events that describe what is on air, for a client that has just connected."""
        if self.relay is not None:
            return self.relay.present()
        station, now = self.station, self.station.now
        state = Event("state", station.edge, {"state": station.state, "engine": station.playing_engine})
        piece = [] if now is None else [Event("piece", now.started_frame, now.data)]
        return [state, station.tier_event(), *piece]

    @property
    def titles(self) -> list[tuple[int, str]]:
        """The latest pieces: (first frame, title), oldest first."""
        titles = list(self._titles)  # a copy: the playout thread may append at any time
        told = self.station.pieces
        return sorted({**dict(titles), **dict(told)}.items()) if told else titles

    @contextmanager
    def reply(self) -> Iterator[None]:
        """Count an audio or event stream as open while the block runs."""
        self.replies += 1
        self.on_replies()
        try:
            yield
        finally:
            self.replies -= 1
            self.on_replies()

    def title_at(self, frame: int) -> str:
        """The title of the piece at a frame; empty before the first."""
        return next((title for begin, title in reversed(self.titles) if begin <= frame), "")

    @property
    def wanted(self) -> bool:
        """Whether somebody listens or fetches clips, or the station is always on."""
        return self._listeners > 0 or self._awake is not None or self.station.config.always_on

    def follow_settings(self) -> None:
        """Wake a station that is always on, and let another one sleep. Call it when the settings have changed."""
        if self.hls is not None:
            self.hls.keep(self.station.config.always_on)
        self._update_listening()

    def set_listeners(self, count: int) -> None:
        """Note how many people hear the station now."""
        self._listeners = count
        self.peak = max(self.peak, count)
        self._update_listening()
        if self._count_due is None:
            self._count_due = asyncio.get_running_loop().call_later(COUNT_EVERY_S, self._publish_count)

    def keep_awake(self) -> None:
        """Keep the station awake for ``KEEP_AWAKE_S``, for a client that fetches clips: it is no listener."""
        if self._awake is not None:
            self._awake.cancel()
        self._awake = asyncio.get_running_loop().call_later(KEEP_AWAKE_S, self._awake_over)
        self._update_listening()

    def close(self) -> None:
        """End every connection."""
        for timer in (self._awake, self._count_due):
            if timer is not None:
                timer.cancel()
        self.main.close()
        self.low.close()
        if self.hls is not None:
            self.hls.close()
        if self.relay is not None:
            self.relay.close()
        self.events.close()
        for connection in list(self.releasing):
            connection.cancel()

    def _count_drop(self) -> None:
        self.dropped += 1

    def _publish_count(self) -> None:
        self._count_due = None
        self.events.publish(Event("listeners", self.edge, {"count": self._listeners}))

    def _awake_over(self) -> None:
        self._awake = None
        self._update_listening()

    def _update_listening(self) -> None:
        (self.relay or self.station).set_listening(self.wanted)

    def _own_event(self, event: Event) -> None:
        """Publish an event of the station. Any thread."""
        if event.kind == "piece":
            self._titles.append((event.frame, str(event.data.get("title", ""))))
        elif event.kind == "state" and event.data["state"] == "asleep" and not self.station.contiguous:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self.main.cut)
        self.events.publish(event)

    def _on_step(self, step: PlayoutStep) -> None:
        """Publish a step of the playout. Playout thread."""
        if self.relay is not None:
            self.relay.local_step(step)
        else:
            self.main.chunks.publish(step.chunk)
            self.low.add(step)
        if self.hls is not None:
            self.hls.add(step)
        if self.watching:
            for frame, levels in measured(step.mastered, step.mastered_frame):
                self._publish_event(Event("bands", frame, {"levels": levels}))
