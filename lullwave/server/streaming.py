"""Shared by streamed replies: server-sent events (WHATWG HTML, 9.2), and work that ends with its client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

from starlette.types import Receive

from ..errors import LullwaveError

T = TypeVar("T")

HEARTBEAT_S = 4.0  # seconds of silence after which something is sent: proxies close silent connections after 10 s
HEARTBEAT = ": still here\n\n"
EVENTS_TYPE = "text/event-stream"
EVENTS_HEADERS = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx passes events on at once
    "Content-Encoding": "identity",  # a proxy that compresses would hold events back until its block is full
}


def event_text(kind: str, data: object) -> str:
    """One server-sent event."""
    return f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


async def until_gone(receive: Receive) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def while_connected(work: Awaitable[T], receive: Receive) -> T | None:
    """The result of ``work``, or None if the client disconnects first; ``work`` is then cancelled and awaited."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(until_gone(receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, gone):
            task.cancel()
        for task in (working, gone):
            with suppress(asyncio.CancelledError, OSError, LullwaveError):
                await task
