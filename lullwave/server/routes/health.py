"""``/healthz`` and ``/readyz``: whether the process works, and what each station really plays."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.types import Scope

from ...station import Cause, Tier
from ..deps import Services
from ..live.channel import Channel
from ..ownership import published


def router(services: Services) -> APIRouter:
    """The routes for service managers and monitoring."""
    routes = APIRouter(tags=["server"])

    @routes.head("/healthz", include_in_schema=False)
    @routes.get("/healthz", responses={503: {"description": "a thread of the process has died; restart it"}})
    async def healthz(request: Request) -> JSONResponse:
        """The server answers, and every station's threads are alive."""
        dead = [name for name, channel in services.channels.stations.items() if not channel.station.alive]
        return JSONResponse({"status": "broken", "stations": dead}, 503) if dead else JSONResponse({"status": "ok"})

    @routes.head("/readyz", include_in_schema=False)
    @routes.get("/readyz", responses={503: {"description": "not yet"}})
    async def readyz(request: Request) -> JSONResponse:
        """The default station has music; the fallback tier of each station, and its cause.

        A station that plays without its own engine, or with lighter options than it should, is ready and degraded.
        """
        channels = services.channels
        ready = _has_music(channels.default)
        body = {
            "status": "ready" if ready else "starting",
            "reserve_s": round(channels.default.station.reserve_s, 1),
            "degraded": [name for name, channel in channels.stations.items() if _degraded(channel)],
            "stations": {name: _station_json(channel, request.scope) for name, channel in channels.stations.items()},
            "history": "kept" if channels.history.available else "cannot be kept",
        }
        return JSONResponse(body, 200 if ready else 503)

    return routes


def _has_music(channel: Channel) -> bool:
    return channel.station.reserve_s > 0 or channel.station.edge > 0


def _degraded(channel: Channel) -> bool:
    status = channel.station.failover
    well = status.tier is Tier.PRIMARY and status.cause is Cause.NONE and not status.lighter_options
    return _has_music(channel) and not well


def _station_json(channel: Channel, scope: Scope) -> dict[str, Any]:
    station = channel.station
    return {
        "state": station.state,
        "engine": station.playing_engine,
        **published(station.failover.data(), scope),
        "reserve_s": round(station.reserve_s, 1),
    }
