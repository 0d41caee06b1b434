"""Work for a client that ends when the client disconnects. Knows nothing of what the work is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

from starlette.types import Receive

from ..errors import LullwaveError

T = TypeVar("T")


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
