"""The two legacy protocols: over a websocket, ``generate`` returns five MP3s; over HTTP they are fetched one by one.

``batches`` makes the clips.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from ...errors import Busy, EngineFailed
from ..clients import client_key
from .batches import PROMPTS, Batch, Batches

MAX_REQUESTS = 4  # batches that one connection may wait for
_FAILED, _BUSY = 1011, 1013  # close codes: RFC 6455, 7.4; and IANA's registry
_CLIP_NUMBER = re.compile("[0-9]{1,3}")  # longer ones are no clips, and `int` raises on very long ones

log = logging.getLogger(__name__)


class LegacySocket:
    """One websocket client: each ``generate`` is answered by five binary frames; other text is ignored.

    Event loop only.
    """

    def __init__(self, socket: WebSocket, batches: Batches) -> None:
        self._socket = socket
        self._batches = batches
        self._loop = asyncio.get_running_loop()
        self._requests = 0
        self._requested = asyncio.Event()

    async def run(self) -> None:
        """Serve the client until either side closes the connection."""
        await self._socket.accept()
        answering = asyncio.create_task(self._answer())
        receiving = asyncio.create_task(self._receive())
        try:
            await asyncio.wait({answering, receiving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            answering.cancel()
            receiving.cancel()
            await asyncio.gather(answering, receiving, return_exceptions=True)

    async def _receive(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while (message := await self._socket.receive())["type"] == "websocket.receive":
                if message.get("text") == "generate" and self._requests < MAX_REQUESTS:
                    self._requests += 1
                    self._requested.set()

    async def _answer(self) -> None:
        try:
            while True:
                await self._requested.wait()
                await self._send_batch()
                self._requests -= 1
                if not self._requests:
                    self._requested.clear()
        except Busy as error:
            await self._close(_BUSY, str(error))
        except EngineFailed as error:
            await self._close(_FAILED, str(error))
        except (WebSocketDisconnect, RuntimeError, OSError):
            return

    async def _send_batch(self) -> None:
        clips: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        batch = self._batches.add(*_into_queue(self._loop, clips))
        try:
            for _ in PROMPTS:
                clip = await clips.get()
                if isinstance(clip, Exception):
                    raise EngineFailed(f"the engine failed: {clip}") from clip
                await self._socket.send_bytes(clip)
        finally:
            self._batches.drop(batch)

    async def _close(self, code: int, reason: str) -> None:
        with suppress(RuntimeError, OSError):
            await self._socket.close(code, reason.encode()[:120].decode(errors="ignore"))


class LegacyHttp:
    """``POST /generate`` starts a batch, ``POST /clips/0`` … ``/clips/4`` return its clips. Event loop only.

    infinifi's web server polls ``/clips/0`` alone and then fetches the others once, so no clip is given before all are
    there. It polls for ever, too: a batch that failed is begun again at the next poll.
    """

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._clips: tuple[bytes, ...] = ()  # the last whole batch
        self._expecting: set[str] = set()  # addresses that asked for the next batch, and get no clip of the last
        self._gathering: asyncio.Task[None] | None = None
        self._failed = False

    async def generate(self, request: Request) -> Response:
        """Start a batch; 409 while one is being made."""
        if self._making:
            self._expecting.add(client_key(request.scope))
            return JSONResponse({"error": "five clips are being made already"}, 409)
        try:
            self._start()
        except Busy as error:
            return JSONResponse({"error": str(error)}, 503, {"Retry-After": str(round(error.retry_after_s))})
        self._expecting.add(client_key(request.scope))
        return JSONResponse({"status": "generating", "clips": len(PROMPTS)})

    async def clip(self, request: Request) -> Response:
        """Return a clip; 404 until all clips of its batch are ready."""
        shown = request.path_params["number"]
        number = int(shown) if _CLIP_NUMBER.fullmatch(shown) else -1
        if self._failed and not self._making:
            with suppress(Busy):
                self._start()
        if client_key(request.scope) in self._expecting or not 0 <= number < len(self._clips):
            return JSONResponse({"error": f"clip {shown[:20]} is not ready"}, 404)
        return Response(self._clips[number], media_type="audio/mpeg", headers={"Cache-Control": "no-store"})

    def stop(self) -> None:
        """Cancel the batch that is being made."""
        if self._gathering is not None:
            self._gathering.cancel()

    @property
    def _making(self) -> bool:
        return self._gathering is not None and not self._gathering.done()

    def _start(self) -> None:
        """Start a batch.

        Raises:
            Busy: too many batches wait.
        """
        clips: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        batch = self._batches.add(*_into_queue(asyncio.get_running_loop(), clips))
        self._failed = False
        self._gathering = asyncio.create_task(self._gather(batch, clips))

    async def _gather(self, batch: Batch, clips: asyncio.Queue[bytes | Exception]) -> None:
        made: list[bytes] = []
        try:
            while len(made) < len(PROMPTS):
                clip = await clips.get()
                if isinstance(clip, Exception):
                    self._failed = True
                    return
                made.append(clip)
            self._clips = tuple(made)
            self._expecting.clear()
        finally:
            self._batches.drop(batch)


def _into_queue(
    loop: asyncio.AbstractEventLoop, clips: asyncio.Queue[bytes | Exception]
) -> tuple[Callable[[int, bytes], None], Callable[[Exception], None]]:
    """The two callbacks of a batch, which put clips and failures into ``clips`` from a worker thread."""

    def put(item: bytes | Exception) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(clips.put_nowait, item)

    return lambda number, clip: put(clip), put
