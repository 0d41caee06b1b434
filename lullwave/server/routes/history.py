"""What a station played: its history, and any moment of it generated again."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from ...archive.history import LAST, HistoryEntry
from ...archive.times import time_text, wall_time
from ...codecs import FORMAT_NAMES, encode, format_named
from ...errors import InvalidInput, NotFound
from ...station import RATE
from ...station.replay import replay_moment
from ..clients import client_key
from ..deps import AUDIO, Services
from ..ownership import is_owner
from ..streaming import while_connected
from ..threads import result_of

MAX_REPLAY_S = 300.0  # seconds; a reply is made whole before it is sent


def router(services: Services) -> APIRouter:
    """``/api/stations/{station}/history`` and ``/replay``."""
    routes = APIRouter(tags=["stations"])

    @routes.get("/api/stations/{station}/history")
    async def history(
        request: Request,
        station: str,
        limit: Annotated[int, Query(ge=1, le=500, description="how many entries")] = 50,
        before: Annotated[str | None, Query(max_length=64, description="only what was heard before this time")] = None,
        cursor: Annotated[str | None, Query(max_length=64, description="`next` of a reply, to read on")] = None,
    ) -> JSONResponse:
        """Pieces and steering that were heard, newest first, with the time at which each began.

        `next` leads to the entries before these; it is null after the last. `kept` tells whether what plays now is
        written down.
        """
        id = services.channel(station).station.id
        until = wall_time(before, "before") if before else None
        kept = services.channels.history
        entries = await asyncio.to_thread(kept.entries, id, limit, until, _read_cursor(cursor) if cursor else LAST)
        following = f"{entries[-1].wall!r}_{entries[-1].id}" if len(entries) == limit else None
        listed = [_entry_json(entry) for entry in entries]
        body = {"station": id, "rate": RATE, "kept": kept.file.kept, "history": listed, "next": following}
        return JSONResponse(body)

    @routes.get("/api/stations/{station}/replay", response_class=Response, responses=AUDIO)
    async def replayed(
        request: Request,
        station: str,
        at: Annotated[str, Query(max_length=64, description="a time: ISO 8601, or seconds since 1970")],
        seconds: Annotated[
            float, Query(ge=1, le=MAX_REPLAY_S, allow_inf_nan=False, description="length in seconds")
        ] = 60.0,
        format: Annotated[str, Query(max_length=8, description=FORMAT_NAMES)] = "mp3",
    ) -> Response:
        """A moment that was on air, generated again: the same samples while the engine's version is the same.

        It is shorter than asked (`X-Lullwave-Seconds`) if the station slept or stopped before.
        """
        named = format_named(format)
        channels, id = services.channels, services.channel(station).station.id
        wall = wall_time(at)
        if wall + seconds > channels.clock.wall():
            raise NotFound("moment", f"{at} and {seconds:g} s after it, which have not all passed")

        clips, gone = services.clips, threading.Event()

        def stopped() -> bool:
            return gone.is_set() or clips.stopping

        def make() -> tuple[bytes, bool, float]:
            sound, exact = replay_moment(channels.history, id, wall, seconds, channels.engine, stopped)
            return encode(sound, named.name, services.settings.bitrate_kbps, sound.tags), exact, sound.duration_s

        slot = clips.replay_slots.reserve(client_key(request.scope), is_owner(request.scope))

        async def in_turn() -> tuple[bytes, bool, float]:
            await slot.turn()
            return await result_of(make, clips.replay_executor)

        try:
            made = await while_connected(in_turn(), request.receive)
        finally:
            gone.set()
            slot.release()
        if made is None:
            return Response(status_code=499)  # the client has disconnected
        data, exact, made_s = made
        headers = {
            "Cache-Control": "no-store",
            "X-Lullwave-Exact": "yes" if exact else "no",
            "X-Lullwave-Seconds": f"{made_s:.3f}",
        }
        return Response(data, media_type=named.media_type, headers=headers)

    return routes


def _read_cursor(text: str) -> tuple[float, int]:
    """The time and id in a cursor.

    Raises:
        InvalidInput: it is none.
    """
    wall, _, id = text.partition("_")
    try:
        read = float(wall), int(id)
        if not (math.isfinite(read[0]) and 0 <= read[1] < 2**63):
            raise ValueError
    except ValueError:
        raise InvalidInput("cursor", text, "the `next` of a reply") from None
    return read


def _entry_json(entry: HistoryEntry) -> dict[str, Any]:
    begun = {"run": entry.run, "frame": entry.frame, "until": entry.until, "wall": entry.wall}
    return {**begun, "at": time_text(entry.wall), "kind": entry.kind, **entry.data}
