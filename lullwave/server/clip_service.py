"""Clips for HTTP: rendered, mastered and encoded on worker threads, sent while they are made.

A fixed number of clips is made at a time, a fixed number may wait, and further requests are refused.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..audio import Audio
from ..blocks import ClipFormat, ClipMaker
from ..codecs import format_named
from ..engines.base import Stream
from ..errors import LullwaveError, StreamClosed
from ..request import Request
from ..settings import Settings
from .clip_slots import ClipSlot, ClipSlots
from .engine_pool import EnginePool
from .errors import reply
from .streaming import until_gone
from .threads import iterate

log = logging.getLogger(__name__)

JOBS_PER_ADDRESS = 2  # of the Studio, that an address other than the owner's may have made or waiting
REPLAYS_PER_ADDRESS = 2  # past moments that an address may have made again or waiting


class ClipService:
    """Makes clips on ``settings.max_generations`` threads. Used on the event loop; the encoding runs on the threads.

    Replays need no token, so they have a thread and places of their own.
    """

    def __init__(self, settings: Settings, engines: EnginePool) -> None:
        self._settings = settings
        self._engines = engines
        self._executor = ThreadPoolExecutor(settings.max_generations, "generate")
        self._replaying = ThreadPoolExecutor(1, "replay")
        self.slots = ClipSlots(settings.max_generations, settings.max_queue, JOBS_PER_ADDRESS)
        self.replay_slots = ClipSlots(1, settings.max_queue, REPLAYS_PER_ADDRESS)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._streams: set[Stream] = set()  # open now; changed by the worker threads, under the lock

    @property
    def active(self) -> int:
        """Clips that are being made or wait for a thread."""
        return self.slots.active + self.replay_slots.active

    @property
    def replay_executor(self) -> Executor:
        """The thread for work that holds one of ``replay_slots``."""
        return self._replaying

    @property
    def stopping(self) -> bool:
        """Tell whether ``stop`` was called."""
        return self._stopping.is_set()

    def encode(self, engine: str, request: Request, delivery: ClipFormat) -> AsyncIterator[bytes]:
        """Make the clip and yield its file, block by block."""
        return iterate(lambda: self._encode(engine, request, delivery), self._executor)

    def stop(self) -> None:
        """Cancel every clip that is being made or waits."""
        self._stopping.set()
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.close()
        for executor in (self._executor, self._replaying):
            executor.shutdown(wait=False, cancel_futures=True)

    def _until_stopped(self, blocks: Iterator[Audio]) -> Iterator[Audio]:
        """Pass the blocks on as long as the server runs."""
        for block in blocks:
            if self.stopping:
                raise StreamClosed("the server ends")
            yield block

    def _encode(self, engine: str, request: Request, delivery: ClipFormat) -> Iterator[bytes]:
        loaded = self._engines.get(engine)
        with loaded.stream(request) as stream:
            with self._lock:
                self._streams.add(stream)
            try:
                for data in ClipMaker(stream, loaded.made_by, delivery, self._until_stopped).file():
                    if data:
                        yield data
            finally:
                with self._lock:
                    self._streams.discard(stream)


class StreamedClip(Response):
    """The reply that sends a clip while it is made, and cancels it when the client disconnects.

    ``slot`` is the caller's place in the service, given back at the end. The status line waits for the first bytes of
    the clip, so that an error before them is an ordinary reply; an error after them leaves the body incomplete.
    """

    def __init__(self, clips: ClipService, slot: ClipSlot, engine: str, request: Request, delivery: ClipFormat) -> None:
        self._clips, self._slot = clips, slot
        self._engine, self._request, self._delivery = engine, request, delivery
        named = format_named(delivery.format)
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
            self._slot.release()

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False
        await self._slot.turn()
        async with aclosing(self._clips.encode(self._engine, self._request, self._delivery)) as blocks:  # type: ignore[type-var]
            try:
                async for block in blocks:
                    if not started:
                        started = True
                        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                    await send({"type": "http.response.body", "body": block, "more_body": True})
            except LullwaveError as error:
                if not started:
                    await reply(error, scope)(scope, receive, send)
                elif self._clips.stopping and (transport := scope.get("lullwave.transport")) is not None:
                    transport.abort()
                    await until_gone(receive)
                else:  # end without a final chunk: the client sees that the clip is incomplete
                    log.error("a clip stopped before its end: %s", error)
                return
        if started:
            await send({"type": "http.response.body", "body": b""})
