"""Endless replies over plain ASGI: the audio stream and the event stream.

Each ends when the client disconnects, or when the station closes its rings.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...clock import Clock
from ...ring import FellBehind
from ...station import RATE, Chunk, Event
from .. import streaming
from ..ownership import published
from ..streaming import until_gone, while_connected
from .audience import Audience
from .audio_feed import AudioFeed
from .channel import Channel
from .fanout import AudioConnection
from .icy import METAINT, Interleaver, clean


@contextmanager
def counted(counts: Counter[str], key: str) -> Iterator[None]:
    """Count one more of ``key`` while the block runs."""
    counts[key] += 1
    try:
        yield
    finally:
        counts[key] -= 1
        if not counts[key]:
            del counts[key]


class LiveAudio(Response):
    """The endless MP3 of a station, with titles between the bytes if ``titles``. Event loop only.

    ``burst_s``: seconds of past music to send at once, at most those of the setting, which is the default.
    """

    media_type = "audio/mpeg"

    def __init__(
        self,
        channel: Channel,
        audience: Audience,
        listener: str | None,
        titles: bool = False,
        kbps: int | None = None,
        burst_s: float | None = None,
        by_address: Counter[str] | None = None,
        address: str = "",
    ) -> None:
        self._by_address = by_address if by_address is not None else Counter()
        self._address = address
        self._kbps = channel.main.kbps if kbps is None or channel.relay is not None else kbps
        self._burst_s = burst_s
        self._channel = channel
        self._icy = Interleaver() if titles else None
        self._audience = audience
        self._listener = listener
        self.background = None
        self.status_code = 200
        self.init_headers(
            {
                "Cache-Control": "no-store, no-transform",
                "Connection": "close",
                "Accept-Ranges": "none",
                "X-Accel-Buffering": "no",
                "icy-genre": "lo-fi",
                "icy-br": str(self._kbps),
                "icy-pub": "0",
                **({"icy-metaint": str(METAINT)} if titles else {}),
            }
        )
        # UTF-8, as Icecast sends it; Starlette would encode it in Latin-1, which has no other letters.
        self.raw_headers.append((b"icy-name", clean(channel.station.config.title).encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        if scope["method"] == "HEAD":
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        with (
            counted(self._by_address, self._address),
            self._channel.reply(),
            self._audience.audio(self._channel.station.id, self._listener) as listener,
            self._channel.feed(self._kbps) as feed,
        ):
            await send(start)
            transport = scope.get("lullwave.transport")
            if transport is not None:
                await self._fan_out(scope, receive, send, transport, listener, feed)
                return
            await while_connected(self._send(listener, send, feed), receive)

    async def _fan_out(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        transport: asyncio.Transport,
        listener: str,
        feed: AudioFeed,
    ) -> None:
        """Let the fanout write to the socket until the client disconnects or the station ends."""
        channel, chunked = self._channel, scope["http_version"] == "1.1"
        connection = AudioConnection(transport, feed.burst_start(self._burst_s), chunked, self._icy, channel.title_at)
        feed.fanout.add(connection)
        self._publish_first(listener, connection, feed)
        gone = asyncio.ensure_future(until_gone(receive))
        channel.releasing.add(gone)
        try:
            if feed.chunks.closed:
                gone.cancel()
            await gone
        except asyncio.CancelledError:
            if not feed.chunks.closed:
                raise
            await send({"type": "http.response.body", "body": b""})
        finally:
            channel.releasing.discard(gone)
            gone.cancel()
            feed.fanout.remove(connection)

    def _publish_first(self, listener: str, connection: AudioConnection, feed: AudioFeed) -> None:
        """Publish the first frame of a connection as soon as a chunk is written."""
        if feed.chunks.newest() is None or connection.begun is None:
            connection.on_begin = lambda chunk: self._started(listener, chunk)
        else:
            self._started(listener, connection.begun)

    def _started(self, listener: str, chunk: Chunk) -> None:
        channel = self._channel
        frame = chunk.frame if self._icy is not None else chunk.frame - chunk.lead_frames
        self._audience.given(channel.station.id, listener, frame)
        channel.events.publish(Event("first", frame, {"listener": listener}))

    async def _send(self, listener: str, send: Send, feed: AudioFeed) -> None:
        cursor = feed.chunks.cursor(feed.burst_start(self._burst_s))
        first = True
        while True:
            try:
                ready = await cursor.next()
            except FellBehind:
                break
            if not ready:
                break
            if self._icy is not None:
                body = b"".join(
                    [self._icy.feed(c.data, self._channel.title_at(c.frame + c.frames // 2)) for c in ready]
                )
            else:
                body = b"".join([chunk.data for chunk in ready])
            if first:
                first = False
                self._started(listener, ready[0])
                if self._icy is None:
                    body = ready[0].lead + body
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class LiveEvents(Response):
    """The events of a station as server-sent events, stamped with stream frames. Event loop only."""

    media_type = streaming.EVENTS_TYPE

    def __init__(
        self,
        channel: Channel,
        audience: Audience,
        listener: str | None,
        clock: Clock,
        hello: Callable[[], list[Event]],
    ) -> None:
        self._channel = channel
        self._audience = audience
        self._listener = listener
        self._clock = clock
        self._hello = hello
        self.background = None
        self.status_code = 200
        self.init_headers(streaming.EVENTS_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        self._channel.watching += 1
        try:
            with self._channel.reply():
                await while_connected(self._send(scope, send), receive)
        finally:
            self._channel.watching -= 1

    async def _send(self, scope: Scope, send: Send) -> None:
        events = self._channel.events
        cursor = events.cursor()
        first_frame = self._audience.first_frame(self._channel.station.id, self._listener)
        hello = {
            "station": self._channel.station.id,
            "rate": RATE,
            "frame": self._channel.edge,
            "wall": round(self._clock.wall(), 3),
            "first_frame": first_frame,
        }
        text = (
            "retry: 2000\n\n"
            + streaming.event_text("hello", hello)
            + "".join(_event(one, scope) for one in self._hello())
        )
        while True:
            if text:
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
            try:
                async with asyncio.timeout(streaming.HEARTBEAT_S):
                    ready = await cursor.next()
            except TimeoutError:
                text = streaming.HEARTBEAT
                continue
            except FellBehind:
                break
            if not ready:
                break
            text = "".join(
                _event(one, scope) for one in ready if one.kind != "first" or one.data["listener"] == self._listener
            )
        await send({"type": "http.response.body", "body": b""})


def _event(event: Event, scope: Scope) -> str:
    return streaming.event_text(event.kind, {"frame": event.frame, **published(event.data, scope)})
