"""What players and directories read: playlists, and the status page in Icecast's shape."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from ... import __version__
from ..live.channel import Channel
from .radio import channels_of, now_json, station_of

router = APIRouter(tags=["radio"])
StationName = Annotated[str | None, Query(max_length=64, description="one station; without it, all of them")]


def _chosen(request: Request, station: str | None) -> list[Channel]:
    return list(channels_of(request).stations.values()) if station is None else [station_of(request, station)]


def _address(request: Request, channel: Channel) -> str:
    return str(request.base_url).rstrip("/") + f"/stations/{channel.station.id}/stream.mp3"


@router.get("/listen.m3u", response_class=Response)
async def m3u(request: Request, station: StationName = None) -> Response:
    """A playlist of the streams for players."""
    lines = ["#EXTM3U"]
    for channel in _chosen(request, station):
        lines += [f"#EXTINF:-1,{channel.station.config.title}", _address(request, channel)]
    return Response("\r\n".join([*lines, ""]), media_type="audio/x-mpegurl; charset=utf-8")


@router.get("/listen.pls", response_class=Response)
async def pls(request: Request, station: StationName = None) -> Response:
    """The same in the older format."""
    chosen = _chosen(request, station)
    lines = ["[playlist]", f"NumberOfEntries={len(chosen)}"]
    for number, channel in enumerate(chosen, 1):
        title = channel.station.config.title
        lines += [f"File{number}={_address(request, channel)}", f"Title{number}={title}", f"Length{number}=-1"]
    return Response("\r\n".join([*lines, "Version=2", ""]), media_type="audio/x-scpls; charset=utf-8")


@router.get("/status-json.xsl")
async def status(request: Request) -> JSONResponse:
    """What plays and who listens, in the shape of Icecast's status page."""
    channels = channels_of(request)
    sources = [_source(request, channel) for channel in channels.stations.values()]
    began = channels.began
    stats: dict[str, Any] = {
        "admin": "",
        "host": request.url.hostname or "",
        "location": "",
        "server_id": f"Lullwave {__version__}",
        "server_start": datetime.fromtimestamp(began, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000"),
        "server_start_iso8601": datetime.fromtimestamp(began, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000"),
        "source": sources[0] if len(sources) == 1 else sources,
    }
    return JSONResponse({"icestats": stats})


def _source(request: Request, channel: Channel) -> dict[str, Any]:
    settings = channels_of(request).settings
    return {
        "audio_info": f"bitrate={settings.bitrate_kbps}",
        "bitrate": settings.bitrate_kbps,
        "genre": "lo-fi",
        "listener_peak": channel.peak,
        "listeners": channels_of(request).audience.connections(channel.station.id),
        "listenurl": _address(request, channel),
        "server_description": channel.station.prompt,
        "server_name": channel.station.config.title,
        "server_type": "audio/mpeg",
        "title": now_json(channel)["title"],
    }
