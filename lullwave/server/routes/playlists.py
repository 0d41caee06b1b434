"""Playlists for players, and the status page for directories in Icecast's format."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from ... import __version__
from ..deps import Services, now_json
from ..live.channel import Channel

StationName = Annotated[str | None, Query(max_length=64, description="one station; without it, all of them")]


def router(services: Services) -> APIRouter:
    """``/listen.m3u``, ``/listen.pls`` and ``/status-json.xsl``."""
    routes = APIRouter(tags=["radio"], dependencies=services.checks)

    @routes.get("/listen.m3u", response_class=Response)
    async def m3u(request: Request, station: StationName = None) -> Response:
        """A playlist of the streams for players."""
        lines = ["#EXTM3U"]
        for channel in _chosen(services, station):
            lines += [f"#EXTINF:-1,{channel.station.config.title}", _address(request, channel)]
        return Response("\r\n".join([*lines, ""]), media_type="audio/x-mpegurl; charset=utf-8")

    @routes.get("/listen.pls", response_class=Response)
    async def pls(request: Request, station: StationName = None) -> Response:
        """A playlist of the streams in the older PLS format."""
        chosen = _chosen(services, station)
        lines = ["[playlist]", f"NumberOfEntries={len(chosen)}"]
        for number, channel in enumerate(chosen, 1):
            title = channel.station.config.title
            lines += [f"File{number}={_address(request, channel)}", f"Title{number}={title}", f"Length{number}=-1"]
        return Response("\r\n".join([*lines, "Version=2", ""]), media_type="audio/x-scpls; charset=utf-8")

    @routes.get("/status-json.xsl")
    async def status(request: Request) -> JSONResponse:
        """What plays and how many listen, in the format of Icecast's status page."""
        channels = services.channels
        sources = [_source(services, request, channel) for channel in channels.stations.values()]
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

    return routes


def _chosen(services: Services, station: str | None) -> list[Channel]:
    return list(services.channels.stations.values()) if station is None else [services.channel(station)]


def _address(request: Request, channel: Channel) -> str:
    return str(request.base_url).rstrip("/") + f"/stations/{channel.station.id}/stream.mp3"


def _source(services: Services, request: Request, channel: Channel) -> dict[str, Any]:
    settings = services.settings
    return {
        "audio_info": f"bitrate={settings.bitrate_kbps}",
        "bitrate": settings.bitrate_kbps,
        "genre": "lo-fi",
        "listener_peak": channel.peak,
        "listeners": services.channels.audience.connections(channel.station.id),
        "listenurl": _address(request, channel),
        "server_description": channel.station.prompt,
        "server_name": channel.station.config.title,
        "server_type": "audio/mpeg",
        "title": now_json(channel)["title"],
    }
