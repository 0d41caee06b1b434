"""The old dialects: ``generate`` over a websocket gives five MP3s; over HTTP they are asked for one by one.

Knows nothing of how clips are made (``batches``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from ...errors import Busy, EngineFailed
from .batches import PROMPTS, Batch, Batches

MAX_ASKED = 4  # batches that one connection may wait for
_BROKE, _BUSY = 1011, 1013  # RFC 6455, 7.4; and IANA's registry of close codes

log = logging.getLogger(__name__)


class PlainSocket:
    """One old client: each ``generate`` is answered by five binary frames; other text is ignored."""

    def __init__(self, socket: WebSocket, batches: Batches) -> None:
        self._socket = socket
        self._batches = batches
        self._loop = asyncio.get_running_loop()
        self._asked = 0
        self._wanted = asyncio.Event()

    async def run(self) -> None:
        """Serve the client until one of the two goes away."""
        await self._socket.accept()
        answering = asyncio.create_task(self._answer())
        hearing = asyncio.create_task(self._hear())
        try:
            await asyncio.wait({answering, hearing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            answering.cancel()
            hearing.cancel()
            await asyncio.gather(answering, hearing, return_exceptions=True)

    async def _hear(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while (message := await self._socket.receive())["type"] == "websocket.receive":
                if message.get("text") == "generate" and self._asked < MAX_ASKED:
                    self._asked += 1
                    self._wanted.set()

    async def _answer(self) -> None:
        try:
            while True:
                await self._wanted.wait()
                await self._one_batch()
                self._asked -= 1
                if not self._asked:
                    self._wanted.clear()
        except Busy as error:
            await self._close(_BUSY, str(error))
        except EngineFailed as error:
            await self._close(_BROKE, str(error))
        except (WebSocketDisconnect, RuntimeError, OSError):
            return

    async def _one_batch(self) -> None:
        clips: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        batch = self._batches.add(*_handed_over(self._loop, clips))
        try:
            for _ in PROMPTS:
                clip = await clips.get()
                if isinstance(clip, Exception):
                    raise EngineFailed(f"the engine broke: {clip}") from clip
                await self._socket.send_bytes(clip)
        finally:
            self._batches.drop(batch)

    async def _close(self, code: int, reason: str) -> None:
        with suppress(RuntimeError, OSError):
            await self._socket.close(code, reason.encode()[:120].decode(errors="ignore"))


class PlainHttp:
    """``POST /generate`` starts five clips, ``POST /clips/0`` … ``/clips/4`` give them."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._clips: dict[int, bytes] = {}
        self._gathering: asyncio.Task[None] | None = None

    async def generate(self, request: Request) -> Response:
        """409 while a batch is being made."""
        if self._gathering is not None and not self._gathering.done():
            return JSONResponse({"error": "five clips are being made already"}, 409)
        clips: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        try:
            batch = self._batches.add(*_handed_over(asyncio.get_running_loop(), clips))
        except Busy as error:
            return JSONResponse({"error": str(error)}, 503, {"Retry-After": str(round(error.retry_after_s))})
        self._clips = {}
        self._gathering = asyncio.create_task(self._gather(batch, clips, self._clips))
        return JSONResponse({"status": "generating", "clips": len(PROMPTS)})

    async def clip(self, request: Request) -> Response:
        """404 until it is ready."""
        number = request.path_params["number"]
        if number not in self._clips:
            return JSONResponse({"error": f"clip {number} is not ready"}, 404)
        return Response(self._clips[number], media_type="audio/mpeg", headers={"Cache-Control": "no-store"})

    def stop(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()

    async def _gather(self, batch: Batch, clips: asyncio.Queue[bytes | Exception], into: dict[int, bytes]) -> None:
        try:
            for number in range(len(PROMPTS)):
                clip = await clips.get()
                if isinstance(clip, Exception):
                    return
                into[number] = clip
        finally:
            self._batches.drop(batch)


def _handed_over(
    loop: asyncio.AbstractEventLoop, clips: asyncio.Queue[bytes | Exception]
) -> tuple[Callable[[int, bytes], None], Callable[[Exception], None]]:
    """What a batch calls on a worker's thread, so that clips and failures come into ``clips`` on the loop."""

    def put(item: bytes | Exception) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(clips.put_nowait, item)

    return lambda number, clip: put(clip), put
