"""What was played: the history of a station, and any kept moment of it as sound again."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from ...codecs import encode, format_named
from ...errors import InvalidInput, NotFound
from ...station import RATE, OutputLevels
from ...station.replay import replay
from ..threads import result_of
from .radio import AUDIO, channels_of, station_of

MAX_REPLAY_S = 300.0

router = APIRouter(tags=["stations"])


def wall_time(text: str, field: str = "at") -> float:
    """Seconds since 1970 of ``text``: such seconds, or ISO 8601 (local time unless it says otherwise).

    ``field`` is what an error names.

    Raises:
        InvalidInput
    """
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError, OSError):
            seconds = float("nan")
    if not 0 <= seconds <= time.time() + 10 * 366 * 86400:
        raise InvalidInput(field, text, "a time such as 2025-01-31T22:15:00, or seconds since 1970")
    return seconds


@router.get("/api/stations/{station}/history")
async def history(
    request: Request,
    station: str,
    limit: Annotated[int, Query(ge=1, le=500, description="how many entries")] = 50,
    before: Annotated[str | None, Query(max_length=64, description="only what was heard before this time")] = None,
) -> JSONResponse:
    """Pieces and steering that were heard, newest first, with the time at which each began."""
    channel = station_of(request, station)
    kept = channels_of(request).history
    found = await asyncio.to_thread(
        kept.past, channel.station.id, limit, wall_time(before, "before") if before else None
    )
    return JSONResponse({"station": channel.station.id, "rate": RATE, "history": [_entry(past) for past in found]})


def _entry(past: Any) -> dict[str, Any]:
    at = None if past.wall is None else datetime.fromtimestamp(past.wall, UTC).isoformat(timespec="milliseconds")
    begun = {"run": past.run, "frame": past.frame, "until": past.until, "wall": past.wall, "at": at}
    return {**begun, "kind": past.kind, **past.data}


@router.get("/api/stations/{station}/replay", response_class=Response, responses=AUDIO)
async def replayed(
    request: Request,
    station: str,
    at: Annotated[str, Query(max_length=64, description="a time of day: ISO 8601, or seconds since 1970")],
    seconds: Annotated[float, Query(ge=1, le=MAX_REPLAY_S, allow_inf_nan=False, description="how much")] = 60.0,
    format: Annotated[str, Query(max_length=8, description="mp3, flac, wav, ogg or opus")] = "mp3",
) -> Response:
    """A moment that was on air, made again: the same samples while the engine's version is the same."""
    named = format_named(format)
    channel = station_of(request, station)
    channels = channels_of(request)
    wall = wall_time(at)
    if wall + seconds > channels.clock.wall():
        raise NotFound("moment", f"{at} and {seconds:g} s after it, which have not all passed")

    def make() -> tuple[bytes, bool]:
        moment = channels.history.moment(channel.station.id, wall)
        frames = round(seconds * RATE)
        states = channels.history.states(moment, frames + RATE)
        levels = OutputLevels(0, *channels.history.levels(moment.run))
        sound, exact = replay(states, moment.frame, frames, levels, channels.engine)
        return encode(sound, named.name, channels.settings.bitrate_kbps), exact

    clips = request.app.state.clips
    clips.reserve_slot()
    try:
        data, exact = await result_of(make, clips.executor)
    finally:
        clips.release_slot()
    headers = {"Cache-Control": "no-store", "X-Lullwave-Exact": "yes" if exact else "no"}
    return Response(data, media_type=named.media_type, headers=headers)
