"""``POST /api/generate``: a clip, sent while it is made; and the list of engines.

A few clips are made at a time, a few wait, more are refused. Who goes away stops the making.
"""

import asyncio
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse, Response
from pydantic import Field
from starlette.types import Receive, Scope, Send

from ... import request as music
from ...audio import Audio
from ...codecs import FORMATS, StreamEncoder, format_named, rate_for
from ...engines.base import Stream
from ...errors import Busy, InvalidInput, LullwaveError, StreamClosed
from ...mastering import Master
from ...settings import Settings
from ..engine_config import elsewhere, place
from ..engine_pool import EngineShelf
from ..errors import reply
from ..live.responses import until_gone
from ..schema import model_of, options_schema
from ..threads import iterate

log = logging.getLogger(__name__)

CLIP_S = 60.0  # length of a clip when none is asked for
BLOCK_S = 0.5


class Kitchen:
    """Where clips are made: a few at a time, a few in the queue."""

    def __init__(self, settings: Settings, shelf: EngineShelf) -> None:
        self._settings = settings
        self._shelf = shelf
        self.executor = ThreadPoolExecutor(settings.max_generations, "generate")
        self._stopping = threading.Event()
        self._streams: set[Stream] = set()
        self.busy = 0  # made or waiting; on the event loop

    def enter(self) -> None:
        """Take a place in the queue; ``leave`` gives it back.

        Raises:
            Busy: there is none.
        """
        if self.busy >= self._settings.max_generations + self._settings.max_queue:
            raise Busy(f"{self.busy} clips are being made or waiting; try again later", 10.0)
        self.busy += 1

    def leave(self) -> None:
        self.busy -= 1

    def bytes_of(self, engine: str, wish: music.Request, format: str) -> AsyncIterator[bytes]:
        """The encoded clip, block by block."""
        return iterate(lambda: self._make(engine, wish, format), self.executor)

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        """Break off what is being made."""
        self._stopping.set()
        for stream in list(self._streams):
            stream.close()
        self.executor.shutdown(wait=False, cancel_futures=True)

    def _make(self, name: str, wish: music.Request, format: str) -> Iterator[bytes]:
        settings = self._settings
        with self._shelf(name).stream(wish) as stream:
            self._streams.add(stream)
            try:
                total = stream.total_frames
                assert total is not None, "a clip has a length"
                master = Master(stream.rate, stream.channels, settings.loudness_lufs, settings.ceiling_dbtp)
                out_rate = rate_for(format, stream.rate)
                out_total = -(-total * out_rate // stream.rate)
                resample = _resampler(stream.rate, out_rate, stream.channels)
                encoder = StreamEncoder(format, out_rate, stream.channels, out_total, settings.bitrate_kbps)
                late, left = master.latency_frames, out_total
                header = encoder.header
                while left:
                    if self.stopping:
                        raise StreamClosed("the server ends")
                    block = stream.read(round(BLOCK_S * stream.rate))
                    ended = not block.frames
                    mastered = master.flush() if ended else master.process(block)
                    skip = min(late, mastered.frames)
                    late -= skip
                    made = resample(mastered[skip : mastered.frames], ended)
                    if ended and made.frames < left:
                        made = Audio.of(_padded(made, left), out_rate)
                    made = made[: min(left, made.frames)]
                    left -= made.frames
                    data = header + (encoder.encode(made) if made.frames else b"")
                    header = b""
                    if data:
                        yield data
                yield encoder.flush()
            finally:
                self._streams.discard(stream)


def _resampler(rate: int, out_rate: int, channels: int) -> Callable[[Audio, bool], Audio]:
    if rate == out_rate:
        return lambda audio, last: audio
    import soxr

    stream = soxr.ResampleStream(rate, out_rate, channels, dtype="float32")
    return lambda audio, last: Audio(stream.resample_chunk(audio.samples, last), out_rate)


def _padded(audio: Audio, frames: int) -> Any:
    import numpy as np

    return np.pad(audio.samples, ((0, frames - audio.frames), (0, 0)))


class MadeWhileSent(Response):
    """A clip whose first bytes exist; errors before them are ordinary replies."""

    def __init__(self, kitchen: Kitchen, engine: str, wish: music.Request, format: str) -> None:
        self._kitchen = kitchen
        self._engine, self._wish, self._format = engine, wish, format
        named = format_named(format)
        self.media_type = named.media_type
        self.status_code = 200
        self.background = None
        self.init_headers(
            {
                "Cache-Control": "no-store",
                "Content-Disposition": f'inline; filename="lullwave{named.suffix}"',
                "X-Accel-Buffering": "no",
            }
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(until_gone(receive))
        sending = asyncio.create_task(self._send(scope, receive, send))
        try:
            await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
            self._kitchen.leave()

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        async with aclosing(self._kitchen.bytes_of(self._engine, self._wish, self._format)) as pieces:  # type: ignore[type-var]
            try:
                async for piece in pieces:
                    if not begun:
                        begun = True
                        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            except LullwaveError as error:
                if not begun:
                    await reply(error)(scope, receive, send)
                elif self._kitchen.stopping and (transport := scope.get("lullwave.transport")) is not None:
                    transport.abort()
                    await until_gone(receive)
                else:  # the reply stays incomplete, so that nobody takes it for whole
                    log.error("a clip broke off: %s", error)
                return
        if begun:
            await send({"type": "http.response.body", "body": b""})


def router_for(settings: Settings, shelf: EngineShelf, kitchen: Kitchen) -> APIRouter:
    """The routes, with a body model that is made from ``Request`` and the settings."""
    router = APIRouter(tags=["music"])
    Wish = model_of(
        music.Request,
        "Wish",
        {
            "seed": (
                int | None,
                Field(None, ge=0, le=music.MAX_SEED, description="where all chance comes from; nothing: a new one"),
            ),
            "duration_s": (
                float,
                Field(
                    min(CLIP_S, settings.max_generate_s),
                    ge=1,
                    le=settings.max_generate_s,
                    allow_inf_nan=False,
                    description="length in seconds",
                ),
            ),
            "engine": (str, Field(settings.engine, description="one of GET /api/engines")),
            "format": (
                str,
                Field("mp3", description="what kind of file it becomes", json_schema_extra={"enum": [*FORMATS]}),
            ),
            "options": (
                dict[str, Any],
                Field(default_factory=dict, description="the engine's own options, see GET /api/engines"),
            ),
        },
    )
    Wish.model_config["json_schema_extra"] = {
        "examples": [{"prompt": "rainy night piano", "seed": 7, "duration_s": 30}]
    }
    request_schema = Wish.model_json_schema()
    binary = {"schema": {"type": "string", "format": "binary"}}

    async def generate(wish: Any) -> Response:
        """A clip of music, sent while it is made."""
        names = shelf.names() + elsewhere(settings)
        if wish.engine not in names:
            raise InvalidInput("engine", wish.engine, "one of " + ", ".join(names))
        format_named(wish.format)
        seed = wish.seed if wish.seed is not None else secrets.randbits(48)
        asked = music.Request(wish.prompt, seed, wish.duration_s, wish.options)
        kitchen.enter()
        return MadeWhileSent(kitchen, place(settings, wish.engine), asked, wish.format)

    generate.__annotations__["wish"] = Annotated[Wish, Body()]
    router.add_api_route(
        "/api/generate",
        generate,
        methods=["POST"],
        response_class=Response,
        responses={200: {"content": {f.media_type: binary for f in FORMATS.values()}, "description": "the clip"}},
    )

    @router.get("/api/engines")
    def engines() -> JSONResponse:
        """The engines, with the options that a request may set, and the schema of the request itself."""
        names = shelf.names() + elsewhere(settings)
        return JSONResponse(
            {
                "default": settings.engine,
                "engines": [_engine_json(shelf, name) for name in names],
                "request": request_schema,
                "needs_token": settings.public,
            }
        )

    return router


def _engine_json(shelf: EngineShelf, name: str) -> dict[str, Any]:
    try:
        found = shelf.facts_of(name)
    except LullwaveError as error:
        return {"name": name, "available": False, "why": str(error)}
    return {"name": name, "available": True, "summary": found.summary, "options": options_schema(found.options)}
