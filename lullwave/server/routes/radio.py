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
from ..live.channel import OnAir, OnAirs
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


def onairs(request: Request) -> OnAirs:
    found: OnAirs = request.app.state.onairs
    return found


def station_of(request: Request, name: str) -> OnAir:
    stations = onairs(request).stations
    if name not in stations:
        raise NotFound("station", name[:64], stations)
    return stations[name]


def _stream(request: Request, onair: OnAir, listener: str | None) -> Response:
    all_of_them = onairs(request)
    if all_of_them.audience.connections(onair.station.id) >= all_of_them.settings.max_listeners:
        raise Full("the station is full: it has as many listeners as it may have")
    address = request.client.host if request.client else ""
    if all_of_them.by_address[address] >= all_of_them.settings.max_per_address:
        raise Full("as many listen from your address as may at once")
    titles = request.headers.get("icy-metadata", "").strip() == "1"
    kbps = all_of_them.settings.bitrate_kbps
    return LiveAudio(onair, all_of_them.audience, listener, titles, kbps, all_of_them.by_address, address)


AUDIO: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/mpeg": {"schema": {"type": "string", "format": "binary"}}}, "description": "MP3"}
}


@router.head("/stream.mp3", include_in_schema=False)
@router.get("/stream.mp3", response_class=Response, responses=AUDIO)
async def stream(request: Request, listener: ListenerId = None) -> Response:
    """The default station, endlessly."""
    return _stream(request, onairs(request).default, listener)


@router.head("/stations/{station}/stream.mp3", include_in_schema=False)
@router.get("/stations/{station}/stream.mp3", response_class=Response, responses=AUDIO)
async def station_stream(request: Request, station: str, listener: ListenerId = None) -> Response:
    """A station, endlessly."""
    return _stream(request, station_of(request, station), listener)


@router.head("/current.mp3", include_in_schema=False)
@router.get("/current.mp3", response_class=Response, responses=AUDIO)
async def current(request: Request) -> Response:
    """The newest complete clip of the default station: a whole file, another one after each slot."""
    all_of_them = onairs(request)
    all_of_them.default.lease()
    if not all_of_them.clip_ready.is_set():
        try:
            async with asyncio.timeout(FIRST_CLIP_S):
                await all_of_them.clip_ready.wait()
        except TimeoutError:
            raise Busy("the first clip is not ready yet", 2.0) from None
    clip = all_of_them.clips.newest
    assert clip is not None
    return whole_or_part(
        request, clip.data, f'"{clip.digest}"', "audio/mpeg", {"Cache-Control": "no-cache, no-transform"}
    )


@router.get("/api/stations")
async def stations(request: Request) -> JSONResponse:
    """Every station and what it plays."""
    all_of_them = onairs(request)
    return JSONResponse(
        {
            "default": all_of_them.default.station.id,
            "stations": [station_json(all_of_them, onair) for onair in all_of_them.stations.values()],
        }
    )


def station_json(all_of_them: OnAirs, onair: OnAir) -> dict[str, Any]:
    station = onair.station
    return {
        "id": station.id,
        "name": station.config.title,
        "prompt": station.prompt,
        "engine": station.playing_engine,
        "listeners": all_of_them.audience.people(station.id),
        "state": station.state,
        **station.failover.data(),
        "stream": f"{all_of_them.settings.root_path}/stations/{station.id}/stream.mp3",
        "now": now_json(onair),
    }


def now_json(onair: OnAir) -> dict[str, Any]:
    station, now = onair.station, onair.station.now
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
    all_of_them = onairs(request)
    onair = all_of_them.default if station is None else station_of(request, station)

    def hello() -> list[Event]:
        now = onair.station.now
        told = [
            Event("state", onair.station.edge, {"state": onair.station.state, "engine": onair.station.playing_engine}),
            onair.station.tier_event(),
            Event("listeners", onair.station.edge, {"count": all_of_them.audience.people(onair.station.id)}),
        ]
        if now is not None:
            told.append(Event("piece", now.started_frame, now.data))
        return told

    return LiveEvents(onair, all_of_them.audience, listener, hello)


@router.websocket("/ws")
async def listeners_socket(socket: WebSocket) -> None:
    """``listening`` and ``paused`` in, the number of people out, once on connect and on every change."""
    all_of_them: OnAirs = socket.app.state.onairs
    listener = socket.query_params.get("listener")
    if listener is not None and not LISTENER.fullmatch(listener):
        await socket.close(1008, "listener: 1 to 64 letters, digits, - and _")
        return
    await socket.accept()
    telling = asyncio.create_task(_tell_count(socket, all_of_them))
    try:
        await _hear(socket, all_of_them, listener)
    finally:
        telling.cancel()


async def _hear(socket: WebSocket, all_of_them: OnAirs, listener: str | None) -> None:
    """Count the socket while it says that it listens."""
    listening: Any = None
    try:
        while (message := await socket.receive())["type"] == "websocket.receive":
            text = message.get("text")
            if text == "listening" and listening is None:
                listening = all_of_them.audience.socket(listener)
                listening.__enter__()
            elif text == "paused" and listening is not None:
                listening.__exit__(None, None, None)
                listening = None
    except WebSocketDisconnect:
        pass
    finally:
        if listening is not None:
            listening.__exit__(None, None, None)


async def _tell_count(socket: WebSocket, all_of_them: OnAirs) -> None:
    """Only the newest number is ever sent, however slow the client is."""
    told: int | None = None
    try:
        while True:
            count = all_of_them.audience.total
            if count != told:
                await socket.send_text(str(count))
                told = count
                await asyncio.sleep(COUNT_EVERY_S)
                continue
            await all_of_them.audience.changed()
    except (WebSocketDisconnect, RuntimeError, OSError):
        return
