"""What a station played: its history, and any moment of it generated again."""

from __future__ import annotations

import asyncio
import math
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from ...archive.history import LAST, HistoryEntry
from ...archive.times import time_text, wall_time
from ...codecs import FORMAT_NAMES, Tags, encode, format_named
from ...conversions.stem_files import write_stems_archive
from ...errors import InvalidInput, NotFound
from ...station import RATE
from ..clients import client_key
from ..deps import AUDIO, Services
from ..jobs.store import UNFINISHED
from ..ownership import is_owner
from ..streaming import while_connected
from ..threads import result_of

MAX_REPLAY_S = 300.0  # seconds; a reply is made whole before it is sent
SENT_AT_ONCE = 256 * 1024  # bytes of an archive
DISCONNECTED = 499  # a status that nobody reads: the client has disconnected

T = TypeVar("T")
Stopped = Callable[[], bool]
At = Annotated[str, Query(max_length=64, description="a time: ISO 8601, or seconds since 1970")]
Seconds = Annotated[float, Query(ge=1, le=MAX_REPLAY_S, allow_inf_nan=False, description="length in seconds")]

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILE: dict[str, dict[int | str, dict[str, Any]]] = {
    kind: {200: {"content": {kind: _BINARY}, "description": text}}
    for kind, text in (("audio/midi", "MIDI"), ("application/zip", "a ZIP archive"))
}


def router(services: Services) -> APIRouter:
    """``/api/stations/{station}/history`` and ``/replay``."""
    routes = APIRouter(tags=["stations"], dependencies=services.checks)

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
        channels, since = services.channels, _read_cursor(cursor) if cursor else LAST
        if channels.stored is not None:
            entries = await asyncio.to_thread(channels.stored.entries, id, limit, until, since, channels.clock.wall())
        else:
            entries = await asyncio.to_thread(channels.history.entries, id, limit, until, since)
        kept = channels.stored is not None or channels.history.database.kept
        following = f"{entries[-1].wall!r}_{entries[-1].id}" if len(entries) == limit else None
        listed = [_entry_json(entry) for entry in entries]
        body = {"station": id, "rate": RATE, "kept": kept, "history": listed, "next": following}
        return JSONResponse(body)

    @routes.get("/api/stations/{station}/replay", response_class=Response, responses=AUDIO)
    async def replayed(
        request: Request,
        station: str,
        at: At,
        seconds: Seconds = 60.0,
        format: Annotated[str, Query(max_length=8, description=FORMAT_NAMES)] = "mp3",
    ) -> Response:
        """A moment that was on air, generated again: the same samples while the engine's version is the same.

        It is shorter than asked (`X-Lullwave-Seconds`) if the station slept or stopped before.
        """
        named = format_named(format)
        channels, (id, wall) = services.channels, past(station, at, seconds)

        def make(stopped: Stopped) -> tuple[bytes, bool, float]:
            sound, exact = channels.replay(id, wall, seconds, stopped)
            return encode(sound, named.name, services.settings.bitrate_kbps, sound.tags), exact, sound.duration_s

        made = await in_turn(request, make)
        if made is None:
            return Response(status_code=DISCONNECTED)
        data, exact, made_s = made
        headers = {
            "Cache-Control": "no-store",
            "X-Lullwave-Exact": "yes" if exact else "no",
            "X-Lullwave-Seconds": f"{made_s:.3f}",
        }
        return Response(data, media_type=named.media_type, headers=headers)

    @routes.get("/api/stations/{station}/replay/midi", response_class=Response, responses=_FILE["audio/midi"])
    async def notes(request: Request, station: str, at: At, seconds: Seconds = 60.0) -> Response:
        """The notes of a moment that was on air, each where it is heard. 422: an engine that played writes none."""
        channels, (id, wall) = services.channels, past(station, at, seconds)

        def make(stopped: Stopped) -> bytes:
            return channels.parts(id, wall, seconds).midi(stopped)

        data = await in_turn(request, make)
        if data is None:
            return Response(status_code=DISCONNECTED)
        return Response(data, media_type="audio/midi", headers={"Cache-Control": "no-store"})

    @routes.get("/api/stations/{station}/replay/stems", response_class=Response, responses=_FILE["application/zip"])
    async def stems(request: Request, station: str, at: At, seconds: Seconds = 60.0) -> Response:
        """The parts of a moment that was on air: FLAC files in a ZIP archive. Their sum is its music before mastering.

        They are softer by `X-Lullwave-Gain-dB` where they would clip. 422: an engine that played writes none.
        """
        channels, (id, wall) = services.channels, past(station, at, seconds)
        root = services.settings.paths.studio

        def make(stopped: Stopped) -> tuple[BinaryIO, int, float]:
            parts = channels.parts(id, wall, seconds)
            piece = channels.piece_at(id, wall)
            made_by = channels.engine(parts.spans[0].state.engine).made_by
            tags = Tags.of_generated(str(piece.get("title", "")), str(piece.get("prompt", "")), engine=made_by)
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=root, prefix=UNFINISHED) as folder:
                archive = tempfile.TemporaryFile(dir=root, prefix=UNFINISHED)  # noqa: SIM115 - it is sent below
                gain_db = write_stems_archive(archive, parts.stems(Path(folder), stopped), RATE, tags)
            size = archive.tell()
            archive.seek(0)
            return archive, size, gain_db

        made = await in_turn(request, make)
        if made is None:
            return Response(status_code=DISCONNECTED)
        archive, size, gain_db = made
        headers = {"Cache-Control": "no-store", "X-Lullwave-Gain-dB": f"{gain_db:.2f}", "Content-Length": str(size)}
        blocks = iter(lambda: archive.read(SENT_AT_ONCE), b"")
        return StreamingResponse(blocks, media_type="application/zip", headers=headers)

    def past(station: str, at: str, seconds: float) -> tuple[str, float]:
        """The id of a station, and a moment that has passed whole, in seconds since 1970."""
        wall = wall_time(at)
        if wall + seconds > services.channels.clock.wall():
            raise NotFound("moment", f"{at} and {seconds:g} s after it, which have not all passed")
        return services.channel(station).station.id, wall

    async def in_turn(request: Request, make: Callable[[Stopped], T]) -> T | None:
        """Call ``make`` on a thread once a place for replays is free; None if the client disconnects first."""
        clips, gone = services.clips, threading.Event()

        def stopped() -> bool:
            return gone.is_set() or clips.stopping

        slot = clips.replay_slots.reserve(client_key(request.scope), is_owner(request.scope))

        async def made() -> T:
            await slot.turn()
            return await result_of(lambda: make(stopped), clips.replay_executor)

        try:
            return await while_connected(made(), request.receive)
        finally:
            gone.set()
            slot.release()

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
