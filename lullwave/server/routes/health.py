"""``/healthz`` and ``/readyz``: whether the process works, and what every station airs in truth."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from ...station import Cause, Tier
from ..live.channel import Channel, Channels
from .radio import channels_of

router = APIRouter(tags=["server"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", responses={503: {"description": "a part of the process has died; start it again"}})
async def healthz(request: Request) -> JSONResponse:
    """The server answers, and the threads that make its music live."""
    dead = [name for name, channel in channels_of(request).stations.items() if not channel.station.alive]
    return JSONResponse({"status": "broken", "stations": dead}, 503) if dead else JSONResponse({"status": "ok"})


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses={503: {"description": "not yet"}})
async def readyz(request: Request) -> JSONResponse:
    """The default station has music; which rung each station is on, and why.

    A station that plays without its own engine, or asks less of it than it should, is ready, and degraded.
    """
    channels = channels_of(request)
    ready = _has_music(channels.default)
    degraded = [name for name, channel in channels.stations.items() if _degraded(channel)]
    body = {
        "status": "ready" if ready else "starting",
        "reserve_s": round(channels.default.station.reserve_s, 1),
        "degraded": degraded,
        "stations": {name: _told(channel) for name, channel in channels.stations.items()},
        "history": _history(channels),
    }
    return JSONResponse(body, 200 if ready else 503)


def _has_music(channel: Channel) -> bool:
    return channel.station.reserve_s > 0 or channel.station.edge > 0


def _degraded(channel: Channel) -> bool:
    status = channel.station.failover
    well = status.tier is Tier.PRIMARY and status.cause is Cause.NONE and not status.lighter_options
    return _has_music(channel) and not well


def _told(channel: Channel) -> dict[str, Any]:
    station = channel.station
    return {
        "state": station.state,
        "engine": station.playing_engine,
        **station.failover.data(),
        "reserve_s": round(station.reserve_s, 1),
    }


def _history(channels: Channels) -> str:
    return "kept" if channels.history.works else "cannot be kept"
