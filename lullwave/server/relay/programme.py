"""What a relay puts on air at one station: the origin's MP3 frames while they come, its own station's otherwise.

Frames are counted without a gap, whichever of the two plays. Events of both are moved to that count. Knows nothing of
HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...codecs.mp3 import MUTED_LEAD_LOW, FrameSplitter, Mp3Header, mp3_frames, muted
from ...errors import LullwaveError
from ...ring import Ring
from ...station import RATE, Chunk, Event, PlayoutStep, Station
from ...station.backoff import Backoff
from ..hls.playout_feed import PlayoutHls
from ..live.audio_feed import AudioFeed
from .hls_numbers import HlsNumbers
from .origin import Origin

if TYPE_CHECKING:
    from ...client import Event as OriginEvent

STALL_S = 2.0  # a connection from which nothing comes for so long is given up; the origin sends every 0.5 s
PATIENCE_S = 4.0  # how long the first listener waits for the origin, which may have to wake its station
PLAYLIST_S = 1.0  # seconds for which a playlist of HLS is passed on to others, too
WARM_S = 4.0  # seconds of its own music that a relay makes in advance
OWN_KINDS = frozenset({"hello", "first", "listeners", "busy"})  # events that each server sends of itself
LASTING_KINDS = ("state", "rung", "programme", "queue", "piece")  # of which the newest describes the station

log = logging.getLogger(__name__)


@dataclass
class _Source:
    """One run of music from one of the two."""

    name: str
    offset: int | None = None  # what is added to its frames; None until it is on air
    held: list[Event] = field(default_factory=list)  # events that came before


class RelayedProgramme:
    """Switches one station between the origin and its own music. Event loop only, but for the ``local_…`` methods.

    ``feed`` and ``events`` are what listeners get; ``on_title`` is called with (frame, title) of each piece.
    """

    def __init__(
        self,
        station: Station,
        origin: Origin,
        feed: AudioFeed,
        events: Ring[Event],
        on_title: Callable[[int, str], None],
        burst_s: float,
        own_hls: PlayoutHls | None = None,
    ) -> None:
        """``own_hls`` encodes what the own station plays; None if there is no HLS."""
        self._station, self._origin, self._feed, self._events = station, origin, feed, events
        self._own_hls, self._hls_numbers = own_hls, HlsNumbers()
        self._on_title = on_title
        self._burst_s = burst_s
        self._loop = asyncio.get_running_loop()
        self.edge = 0  # the frame that goes on air next
        self._source: _Source | None = None
        self._newest = {"state": self._asleep()}  # of each of LASTING_KINDS
        self._task: asyncio.Task[None] | None = None
        self._impatient: asyncio.TimerHandle | None = None
        self._decided = asyncio.Event()  # which of the two plays
        self._chunks = 0  # number of the next chunk
        self._published_frames, self._since = 0, 0.0  # since the present listeners came

    @property
    def live(self) -> bool:
        """Tell whether the origin's music is on air."""
        return self._source is not None and self._source.name == "origin"

    @property
    def offset(self) -> int:
        """What is added to the frames of the music that is on air."""
        return (self._source.offset or 0) if self._source is not None else 0

    def present(self) -> list[Event]:
        """The events that describe what is on air."""
        return list(self._newest.values())

    @property
    def own(self) -> bool:
        """Tell whether the own station plays, because the origin is away."""
        return self._source is not None and self._source.name == "own"

    async def hls(self, name: str) -> bytes | None:
        """A file of the origin's HLS; None if it has none, or its music is not on air."""
        if self._task is None:
            return None
        await self._decided.wait()
        if not self.live:
            return None
        playlist = name.endswith(".m3u8")
        data = await self._origin.file(self._hls_path(name), PLAYLIST_S if playlist else math.inf)
        if data is None or not playlist:
            return data
        return self._hls_numbers.passed(name, data) if self.live else None

    def kept_hls(self, name: str) -> bytes | None:
        """The same, if it is kept here; None if the origin has to be asked."""
        data = self._origin.kept(self._hls_path(name)) if self.live and self._decided.is_set() else None
        return self._hls_numbers.passed(name, data) if data is not None and name.endswith(".m3u8") else data

    def _hls_path(self, name: str) -> str:
        return f"/stations/{self._station.id}/hls/{name}"

    def set_listening(self, listening: bool) -> None:
        """Tell whether there are listeners: only while there are, one connection to the origin is open."""
        if listening and self._task is None:
            self._station.start(WARM_S)
            self._published_frames, self._since = 0, self._loop.time()
            self._impatient = self._loop.call_later(PATIENCE_S, self._play_own)
            self._task = self._loop.create_task(self._follow_origin())
        elif not listening and self._task is not None:
            self.close()

    def close(self) -> None:
        """Close the connection to the origin, and let the own station sleep."""
        if self._impatient is not None:
            self._impatient.cancel()
        if self._task is not None:
            self._task.cancel()
        self._task = self._source = None
        self._decided.set()  # requests that wait get nothing
        self._decided.clear()
        self._station.set_listening(False)
        self._feed.cut()
        self._newest = {"state": self._asleep()}
        self._events.publish(self._newest["state"])

    def local_step(self, step: PlayoutStep) -> None:
        """Take what the own station puts on air. Its playout thread."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._own_chunk, step.chunk)

    def local_event(self, event: Event) -> None:
        """Take an event of the own station. Any thread."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._own_event, event)

    def _asleep(self) -> Event:
        return Event("state", self.edge, {"state": "asleep", "engine": self._station.playing_engine})

    # ---- the own station

    def _play_own(self) -> None:
        """Let the own station play, unless it does."""
        if self._task is None or self.own:
            return
        log.info("station %s: the origin is away; own music plays", self._station.id)
        self._source = _Source("own")
        if self._own_hls is not None:
            self._own_hls.begin_anew(self._hls_numbers.next, self._hls_numbers.next_jumps)
        station, now = self._station, self._station.now
        tier = {**station.tier_event().data, "rung": "embedded", "cause": "lost"}
        self._source.held += [
            Event("state", station.edge, {"state": "on air", "engine": station.playing_engine}),
            Event("rung", station.edge, tier),
            *([Event("piece", now.started_frame, now.data)] if now is not None else []),
        ]
        self._decided.set()
        station.fill_reserve()
        station.set_listening(True)

    def _own_chunk(self, chunk: Chunk) -> None:
        source = self._source
        if source is None or not self.own:
            return
        if source.offset is None:
            self._begin(source, chunk.frame - chunk.lead_frames)
            chunk = replace(chunk, data=chunk.lead + chunk.data, frames=chunk.lead_frames + chunk.frames, lead=b"")
        self._publish(chunk.data, chunk.frames, chunk.lead, chunk.lead_frames if chunk.lead else 0)

    def _own_event(self, event: Event) -> None:
        if self._source is not None and self.own and event.kind not in OWN_KINDS:
            self._tell(self._source, event)

    # ---- the origin

    async def _follow_origin(self) -> None:
        """Connect to the origin again and again; the own station plays meanwhile."""
        backoff, told = Backoff(random.random), ""
        while True:
            try:
                await self._play_origin(backoff)
                reason = "the stream ended"
            except TimeoutError:
                reason = f"nothing came for {STALL_S:g} s"
            except LullwaveError as error:
                reason = str(error)
            except (LookupError, TypeError, ValueError) as error:
                reason = f"the origin's events are not understood ({error!r})"
            if reason != told:
                log.warning("station %s: relaying stopped: %s", self._station.id, reason)
            told = reason
            self._play_own()
            now = self._loop.time()
            await asyncio.sleep(max(0.0, backoff.failed(now) - now))

    async def _play_origin(self, backoff: Backoff) -> None:
        """Put the origin's frames on air until they end.

        Raises:
            LullwaveError, TimeoutError: the connection failed, or nothing comes any more.
        LookupError, TypeError, ValueError: an event lacks what it needs.
        """
        source, listener = _Source("origin"), secrets.token_hex(8)
        hello: asyncio.Future[int] = self._loop.create_future()
        first: asyncio.Future[int] = self._loop.create_future()
        watching = self._loop.create_task(self._watch(source, listener, hello, first))
        sound = self._origin.listen(self._station.id, listener)
        try:
            async with asyncio.timeout(PATIENCE_S):
                edge = await _of(hello, watching)
                data = await anext(sound, b"")
                begin = await _of(first, watching)
            splitter = FrameSplitter()
            frames = splitter.feed(data)
            past: deque[bytes] = deque(maxlen=MUTED_LEAD_LOW)
            if skipped := self._skipped(edge - begin, frames):
                past += frames[:skipped]
                silent = _silenced(past)
                begin += _samples(frames[:skipped]) - _samples(silent)
                frames = [*silent, *frames[skipped:]]
                past.clear()
            self._take_over(source, begin)
            backoff.playing(self._loop.time())
            while True:
                if frames:
                    lead = _silenced(past)
                    self._publish(b"".join(frames), _samples(frames), b"".join(lead), _samples(lead))
                    past += frames
                async with asyncio.timeout(STALL_S):
                    data = await anext(sound, b"")
                if not data or watching.done():
                    return
                frames = splitter.feed(data)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await sound.aclose()

    def _skipped(self, burst_frames: int, frames: list[bytes]) -> int:
        """How many MP3 frames of the origin's burst are left out, so that no listener is more than a burst ahead."""
        ahead_s = self._published_frames / RATE - (self._loop.time() - self._since)
        room = max(0.0, self._burst_s - max(0.0, ahead_s)) * RATE if self._published_frames else burst_frames
        skipped, left = 0, float(burst_frames)
        while skipped < len(frames) - 1 and left > room:
            left -= _samples(frames[skipped : skipped + 1])
            skipped += 1
        return skipped

    def _take_over(self, source: _Source, begin: int) -> None:
        """Put the origin on air from its frame ``begin`` on."""
        if self._impatient is not None:
            self._impatient.cancel()
        if self._source is not None:
            log.info("station %s: the origin is back", self._station.id)
        self._source = source
        if self._own_hls is not None:
            self._hls_numbers.follow_own(self._own_hls.next_number, self._own_hls.next_jumps)
        self._station.set_listening(False)
        self._station.sleep_early()
        self._begin(source, begin)
        self._decided.set()

    async def _watch(
        self, source: _Source, listener: str, hello: asyncio.Future[int], first: asyncio.Future[int]
    ) -> None:
        """Pass the origin's events on.

        Raises:
            LullwaveError
        """
        async for event in self._origin.events(self._station.id, listener):
            if event.kind == "hello" and not hello.done():
                hello.set_result(int(event.data["frame"]))
            elif event.kind == "first" and not first.done():
                first.set_result(int(event.data["frame"]))
            elif event.kind not in OWN_KINDS and event.frame is not None:
                self._tell(source, _event(event))

    # ---- on air

    def _begin(self, source: _Source, frame: int) -> None:
        """Note that a source's ``frame`` goes on air next, and tell what it has told so far."""
        if not self._published_frames and not self.edge:
            self.edge = frame
        source.offset = self.edge - frame
        held, source.held = source.held, []
        self._newest.clear()
        for event in held:
            self._tell(source, event)

    def _publish(self, data: bytes, frames: int, lead: bytes, lead_frames: int) -> None:
        self._feed.chunks.publish(Chunk(self._chunks, self.edge, frames, data, lead, lead_frames))
        self._chunks += 1
        self.edge += frames
        self._published_frames += frames

    def _tell(self, source: _Source, event: Event) -> None:
        if source.offset is None:
            source.held.append(event)
            return
        if source is not self._source:
            return
        moved = Event(event.kind, event.frame + source.offset, moved_facts(event.data, source.offset))
        if event.kind in LASTING_KINDS:
            self._newest[event.kind] = moved
        if event.kind == "piece":
            self._on_title(moved.frame, str(moved.data.get("title", "")))
        self._events.publish(moved)


FRAME_FIELDS = ("frame", "started_frame")  # of facts: stream frames


def moved_facts(data: Mapping[str, Any], offset: int) -> dict[str, Any]:
    """Facts with their stream frames moved by ``offset``, at any depth."""
    return {name: _moved(name, value, offset) for name, value in data.items()}


def _moved(name: str, value: Any, offset: int) -> Any:
    if isinstance(value, Mapping):
        return moved_facts(value, offset)
    if isinstance(value, list):
        return [_moved("", one, offset) for one in value]
    return value + offset if name in FRAME_FIELDS and isinstance(value, int) else value


def _event(event: OriginEvent) -> Event:
    data = {name: value for name, value in event.data.items() if name != "frame"}
    return Event(event.kind, event.frame or 0, data)


async def _of(future: asyncio.Future[int], task: asyncio.Task[None]) -> int:
    """The result of ``future``, or the error with which ``task`` ended before."""
    waited: set[asyncio.Future[Any]] = {future, task}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if not future.done():
        task.result()
        raise TimeoutError
    return future.result()


def _samples(frames: list[bytes]) -> int:
    """Samples per channel in MP3 frames of one stream."""
    header = Mp3Header.parse(frames[0]) if frames else None
    return header.pcm_frames * len(frames) if header is not None else 0


def _silenced(past: Iterable[bytes]) -> list[bytes]:
    """The silent frames for a decoder that begins after ``past``."""
    return mp3_frames(muted(past))
