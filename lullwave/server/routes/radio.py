"""The radio over HTTP: live streams, the current clip, the list of stations, events, and the listeners' websocket."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from ...errors import Busy, InvalidInput
from ...station import Event
from ..byte_ranges import whole_or_part
from ..clients import client_key
from ..deps import AUDIO, LISTENER, ListenerId, Services, check_room, station_json
from ..live.audience import Audience
from ..live.audio_feed import LOW_KBPS
from ..live.channel import Channel
from ..live.channels import Channels
from ..live.responses import LiveAudio, LiveEvents

FIRST_CLIP_S = 30.0  # seconds that a request waits for the first clip of a new installation
LISTENING = ("listening", "playing")  # what infinifi's pages send, newer and older
COUNT_EVERY_S = 0.1  # shortest time between two messages with the number of listeners

Kbps = Annotated[
    int | None,
    Query(description=f"{LOW_KBPS}: the same music for slow networks; without it, the server's own bit rate"),
]
BurstS = Annotated[
    float | None,
    Query(
        ge=0.5,
        le=3,
        description="seconds of past music to send at once: changes are heard sooner with less, and slow networks need "
        "more; at most, and without it, those of the setting `burst_s`",
    ),
]


def router(services: Services) -> APIRouter:
    """The routes that listeners and the page use."""
    routes = APIRouter(tags=["radio"], dependencies=services.checks)

    @routes.head("/stream.mp3", include_in_schema=False)
    @routes.get("/stream.mp3", response_class=Response, responses=AUDIO)
    async def stream(
        request: Request, listener: ListenerId = None, kbps: Kbps = None, burst_s: BurstS = None
    ) -> Response:
        """The default station, endlessly."""
        return _stream(services, request, services.channels.default, listener, kbps, burst_s)

    @routes.head("/stations/{station}/stream.mp3", include_in_schema=False)
    @routes.get("/stations/{station}/stream.mp3", response_class=Response, responses=AUDIO)
    async def station_stream(
        request: Request, station: str, listener: ListenerId = None, kbps: Kbps = None, burst_s: BurstS = None
    ) -> Response:
        """A station or a private stream, endlessly."""
        return _stream(services, request, services.heard_channel(station), listener, kbps, burst_s)

    @routes.head("/current.mp3", include_in_schema=False)
    @routes.get("/current.mp3", response_class=Response, responses=AUDIO)
    async def current(request: Request) -> Response:
        """The newest complete clip of the default station: a whole file, replaced when the next clip is complete."""
        channels = services.channels
        channels.default.keep_awake()
        if not channels.clip_ready.is_set():
            try:
                async with asyncio.timeout(FIRST_CLIP_S):
                    await channels.clip_ready.wait()
            except TimeoutError:
                raise Busy("the first clip is not ready yet", 2.0) from None
        clip = channels.clips.newest
        assert clip is not None
        return whole_or_part(
            request, clip.data, f'"{clip.digest}"', "audio/mpeg", {"Cache-Control": "no-cache, no-transform"}
        )

    @routes.get("/api/stations")
    async def stations(request: Request) -> JSONResponse:
        """Every station and what it plays; ``private`` tells whether the server has private streams."""
        channels = services.channels
        await asyncio.gather(*(channel.scenery.read() for channel in channels.stations.values()))
        return JSONResponse(
            {
                "default": channels.default.station.id,
                "private": services.settings.max_private != 0,
                "stations": [station_json(channels, channel, request) for channel in channels.stations.values()],
            }
        )

    @routes.get(
        "/api/events",
        response_class=Response,
        responses={
            200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "server-sent events"}
        },
    )
    async def events(
        request: Request, station: Annotated[str | None, Query(max_length=64)] = None, listener: ListenerId = None
    ) -> Response:
        """What happens at a station while it happens, stamped with stream frames."""
        channels = services.channels
        channel = channels.default if station is None else services.heard_channel(station)
        return LiveEvents(channel, channels.audience, listener, channels.clock, lambda: _present(channel, channels))

    @routes.websocket("/ws")
    async def listeners_socket(socket: WebSocket) -> None:
        """Receive ``listening`` (or ``playing``) and ``paused``; send the number of listeners, and each change."""
        audience = services.channels.audience
        listener = socket.query_params.get("listener")
        if listener is not None and not LISTENER.fullmatch(listener):
            await socket.close(1008, "listener: 1 to 64 letters, digits, - and _")
            return
        await socket.accept()
        sending = asyncio.create_task(_send_counts(socket, audience))
        try:
            await _receive(socket, audience, listener)
        finally:
            sending.cancel()

    return routes


def _stream(
    services: Services,
    request: Request,
    channel: Channel,
    listener: str | None,
    kbps: int | None,
    burst_s: float | None,
) -> Response:
    channels, settings = services.channels, services.settings
    if kbps not in (None, LOW_KBPS, settings.bitrate_kbps):
        raise InvalidInput("kbps", kbps, f"{LOW_KBPS} or {settings.bitrate_kbps}")
    check_room(services, channel, request)
    if request.method == "HEAD":
        channels.awake.check(channel.station.id)
    else:
        channels.awake.admit(channel.station.id)
    titles = request.headers.get("icy-metadata", "").strip() == "1"
    by_address, address = channels.by_address, client_key(request.scope)
    return LiveAudio(channel, channels.audience, listener, titles, kbps, burst_s, by_address, address)


def _present(channel: Channel, channels: Channels) -> list[Event]:
    """The events that describe a station as it is now, for a client that has just connected."""
    name = channel.station.id
    busy, people = channels.awake.busy(name), channels.audience.people(name)
    counts = [Event("busy", channel.edge, {"busy": busy}), Event("listeners", channel.edge, {"count": people})]
    return [*counts, *channel.present()]


async def _receive(socket: WebSocket, audience: Audience, listener: str | None) -> None:
    """Count the socket as a listener from one of ``LISTENING`` to ``paused`` or to its end."""
    listening: Any = None
    try:
        while (message := await socket.receive())["type"] == "websocket.receive":
            text = message.get("text")
            if text in LISTENING and listening is None:
                listening = audience.socket(listener)
                listening.__enter__()
            elif text == "paused" and listening is not None:
                listening.__exit__(None, None, None)
                listening = None
    except WebSocketDisconnect:
        pass
    finally:
        if listening is not None:
            listening.__exit__(None, None, None)


async def _send_counts(socket: WebSocket, audience: Audience) -> None:
    """Send the number of listeners when it changes; a slow client skips to the newest number."""
    sent: int | None = None
    try:
        while True:
            count = audience.total
            if count != sent:
                await socket.send_text(str(count))
                sent = count
                await asyncio.sleep(COUNT_EVERY_S)
                continue
            await audience.changed()
    except (WebSocketDisconnect, RuntimeError, OSError):
        return
