"""``/healthz`` and ``/readyz``: whether the process works, and what each station really plays."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.types import Scope

from ...archive.database import HistoryDatabase
from ...station import Cause, Tier
from ..deps import Services
from ..live.channel import Channel
from ..ownership import published


def router(services: Services) -> APIRouter:
    """The routes for service managers and monitoring."""
    routes = APIRouter(tags=["server"], dependencies=services.checks)

    @routes.head("/healthz", include_in_schema=False)
    @routes.get("/healthz", responses={503: {"description": "a station stays silent; restart the process"}})
    async def healthz(request: Request) -> JSONResponse:
        """The server answers, and every station that should play does.

        A station that falls silent or loses a thread is restarted inside the process; only if that has failed for 30 s
        does this fail: a new process costs every listener the music.
        """
        dead = services.channels.watchdog.given_up
        return JSONResponse({"status": "broken", "stations": dead}, 503) if dead else JSONResponse({"status": "ok"})

    @routes.head("/readyz", include_in_schema=False)
    @routes.get("/readyz", responses={503: {"description": "not yet"}})
    async def readyz(request: Request) -> JSONResponse:
        """The default station has music; the fallback tier of each station, and its cause.

        ``silent`` names the stations that should play, do not, and are being restarted. A station that plays without
        its own engine, or with lighter options than it should, is ready and degraded.
        """
        channels = services.channels
        silent = channels.watchdog.silent
        heard = channels.default.station.id not in silent
        ready = heard and _has_music(channels.default)
        body = {
            "status": "ready" if ready else "starting" if heard else "silent",
            "silent": silent,
            "reserve_s": round(channels.default.station.reserve_s, 1),
            "degraded": [name for name, channel in channels.stations.items() if _degraded(channel)],
            "stations": {name: _station_json(channel, request.scope) for name, channel in channels.stations.items()},
            "awake": channels.awake.awake,
            "max_awake": channels.awake.limit,
            "private": len(channels.private),
            "max_private": channels.max_private,
            **({} if channels.store is None else {"produces": channels.produced}),
            **_history_json(channels.history.database),
        }
        return JSONResponse(body, 200 if ready else 503)

    return routes


def _history_json(database: HistoryDatabase) -> dict[str, str]:
    """Whether what plays is kept, and the reason if not, which names no paths and addresses."""
    state = "kept" if database.kept else "cannot be kept" if database.error else "opening"
    return {"history": state, **({"history_error": database.error} if database.error else {})}


def _has_music(channel: Channel) -> bool:
    if not channel.station.contiguous:  # it is made elsewhere, and read as soon as somebody listens
        from ...segments.stored_station import StoredStation

        return isinstance(channel.station, StoredStation) and channel.station.facts.epoch > 0
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
