"""``/healthz`` and ``/readyz``: whether the process works, and what every station airs in truth."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from ...station import Cause, Tier
from ..live.channel import OnAir, OnAirs
from .radio import onairs

router = APIRouter(tags=["server"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", responses={503: {"description": "a part of the process has died; start it again"}})
async def healthz(request: Request) -> JSONResponse:
    """The server answers, and the threads that make its music live."""
    dead = [name for name, onair in onairs(request).stations.items() if not onair.station.alive]
    return JSONResponse({"status": "broken", "stations": dead}, 503) if dead else JSONResponse({"status": "ok"})


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses={503: {"description": "not yet"}})
async def readyz(request: Request) -> JSONResponse:
    """The default station has music; which rung each station is on, and why.

    A station that plays without its own engine, or asks less of it than it should, is ready, and degraded.
    """
    all_of_them = onairs(request)
    ready = _has_music(all_of_them.default)
    degraded = [name for name, onair in all_of_them.stations.items() if _degraded(onair)]
    body = {
        "status": "ready" if ready else "starting",
        "reserve_s": round(all_of_them.default.station.reserve_s, 1),
        "degraded": degraded,
        "stations": {name: _told(onair) for name, onair in all_of_them.stations.items()},
        "history": _history(all_of_them),
    }
    return JSONResponse(body, 200 if ready else 503)


def _has_music(onair: OnAir) -> bool:
    return onair.station.reserve_s > 0 or onair.station.edge > 0


def _degraded(onair: OnAir) -> bool:
    status = onair.station.failover
    well = status.tier is Tier.PRIMARY and status.cause is Cause.NONE and not status.lighter_options
    return _has_music(onair) and not well


def _told(onair: OnAir) -> dict[str, Any]:
    station = onair.station
    return {
        "state": station.state,
        "engine": station.playing_engine,
        **station.failover.data(),
        "reserve_s": round(station.reserve_s, 1),
    }


def _history(all_of_them: OnAirs) -> str:
    return "kept" if all_of_them.history.works else "cannot be kept"
