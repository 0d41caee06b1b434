"""The radio over HTTP: endless streams, the current clip, the list of stations, events, the listeners' socket."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from ...errors import Busy, NotFound
from ...station import Event
from ..byte_ranges import whole_or_part
from ..errors import Full
from ..live.channel import Channel, Channels
from ..live.responses import LiveAudio, LiveEvents

FIRST_CLIP_S = 30.0  # how long a request waits for the first clip of a new installation
COUNT_EVERY_S = 0.1  # the number of listeners is sent at most this often

LISTENER = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
ListenerId = Annotated[
    str | None,
    Query(
        pattern=LISTENER.pattern,
        description="an id that the client chose, such as a UUID; joins its audio, its events and its socket",
    ),
]

router = APIRouter(tags=["radio"])


def channels_of(request: Request) -> Channels:
    found: Channels = request.app.state.channels
    return found


def station_of(request: Request, name: str) -> Channel:
    stations = channels_of(request).stations
    if name not in stations:
        raise NotFound("station", name[:64], stations)
    return stations[name]


def _stream(request: Request, channel: Channel, listener: str | None) -> Response:
    channels = channels_of(request)
    if channels.audience.connections(channel.station.id) >= channels.settings.max_listeners:
        raise Full("the station is full: it has as many listeners as it may have")
    address = request.client.host if request.client else ""
    if channels.by_address[address] >= channels.settings.max_per_address:
        raise Full("as many listen from your address as may at once")
    titles = request.headers.get("icy-metadata", "").strip() == "1"
    kbps = channels.settings.bitrate_kbps
    return LiveAudio(channel, channels.audience, listener, titles, kbps, channels.by_address, address)


AUDIO: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/mpeg": {"schema": {"type": "string", "format": "binary"}}}, "description": "MP3"}
}


@router.head("/stream.mp3", include_in_schema=False)
@router.get("/stream.mp3", response_class=Response, responses=AUDIO)
async def stream(request: Request, listener: ListenerId = None) -> Response:
    """The default station, endlessly."""
    return _stream(request, channels_of(request).default, listener)


@router.head("/stations/{station}/stream.mp3", include_in_schema=False)
@router.get("/stations/{station}/stream.mp3", response_class=Response, responses=AUDIO)
async def station_stream(request: Request, station: str, listener: ListenerId = None) -> Response:
    """A station, endlessly."""
    return _stream(request, station_of(request, station), listener)


@router.head("/current.mp3", include_in_schema=False)
@router.get("/current.mp3", response_class=Response, responses=AUDIO)
async def current(request: Request) -> Response:
    """The newest complete clip of the default station: a whole file, another one after each slot."""
    channels = channels_of(request)
    channels.default.lease()
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


@router.get("/api/stations")
async def stations(request: Request) -> JSONResponse:
    """Every station and what it plays."""
    channels = channels_of(request)
    return JSONResponse(
        {
            "default": channels.default.station.id,
            "stations": [station_json(channels, channel) for channel in channels.stations.values()],
        }
    )


def station_json(channels: Channels, channel: Channel) -> dict[str, Any]:
    station = channel.station
    return {
        "id": station.id,
        "name": station.config.title,
        "prompt": station.prompt,
        "engine": station.playing_engine,
        "listeners": channels.audience.people(station.id),
        "state": station.state,
        **station.failover.data(),
        "stream": f"{channels.settings.root_path}/stations/{station.id}/stream.mp3",
        "now": now_json(channel),
    }


def now_json(channel: Channel) -> dict[str, Any]:
    station, now = channel.station, channel.station.now
    data = now.data if now is not None else {}
    return {
        "title": data.get("title", ""),
        "tempo_bpm": data.get("tempo_bpm"),
        "key": data.get("key"),
        "prompt": data.get("prompt", station.prompt),
        "frame": station.edge,
        "frames": data.get("frames"),
        "started_frame": now.started_frame if now is not None else None,
    }


@router.get(
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
    channels = channels_of(request)
    channel = channels.default if station is None else station_of(request, station)

    def hello() -> list[Event]:
        now = channel.station.now
        told = [
            Event(
                "state",
                channel.station.edge,
                {"state": channel.station.state, "engine": channel.station.playing_engine},
            ),
            channel.station.tier_event(),
            Event("listeners", channel.station.edge, {"count": channels.audience.people(channel.station.id)}),
        ]
        if now is not None:
            told.append(Event("piece", now.started_frame, now.data))
        return told

    return LiveEvents(channel, channels.audience, listener, hello)


@router.websocket("/ws")
async def listeners_socket(socket: WebSocket) -> None:
    """``listening`` and ``paused`` in, the number of people out, once on connect and on every change."""
    channels: Channels = socket.app.state.channels
    listener = socket.query_params.get("listener")
    if listener is not None and not LISTENER.fullmatch(listener):
        await socket.close(1008, "listener: 1 to 64 letters, digits, - and _")
        return
    await socket.accept()
    telling = asyncio.create_task(_tell_count(socket, channels))
    try:
        await _hear(socket, channels, listener)
    finally:
        telling.cancel()


async def _hear(socket: WebSocket, channels: Channels, listener: str | None) -> None:
    """Count the socket while it says that it listens."""
    listening: Any = None
    try:
        while (message := await socket.receive())["type"] == "websocket.receive":
            text = message.get("text")
            if text == "listening" and listening is None:
                listening = channels.audience.socket(listener)
                listening.__enter__()
            elif text == "paused" and listening is not None:
                listening.__exit__(None, None, None)
                listening = None
    except WebSocketDisconnect:
        pass
    finally:
        if listening is not None:
            listening.__exit__(None, None, None)


async def _tell_count(socket: WebSocket, channels: Channels) -> None:
    """Only the newest number is ever sent, however slow the client is."""
    told: int | None = None
    try:
        while True:
            count = channels.audience.total
            if count != told:
                await socket.send_text(str(count))
                told = count
                await asyncio.sleep(COUNT_EVERY_S)
                continue
            await channels.audience.changed()
    except (WebSocketDisconnect, RuntimeError, OSError):
        return
