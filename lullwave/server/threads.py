"""Runs blocking work on threads and hands its results to asyncio, for requests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import suppress
from typing import TypeVar

from ..errors import StreamClosed

T = TypeVar("T")

_AHEAD = 4  # items that may wait to be read
_POLL_S = 0.25  # seconds between two checks whether the reader has stopped
_CLOSED = "the server is stopping"


class _End:
    """Follows the last item; ``error`` is what ended the iterator early."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


async def iterate(work: Callable[[], Iterator[T]], executor: Executor) -> AsyncIterator[T]:
    """Run the blocking iterator ``work()`` on a thread and yield its items as they come.

    At most ``_AHEAD`` items wait for the reader. If the reader stops early, the iterator is closed (its ``finally``
    runs) after the item that it is making.

    Raises:
        StreamClosed: the executor was shut down before the work began.
    """
    loop = asyncio.get_running_loop()
    room = threading.Semaphore(_AHEAD)
    items: asyncio.Queue[T | _End] = asyncio.Queue()
    unread = threading.Event()  # set when the reader has stopped

    def give(item: T | _End) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(items.put_nowait, item)

    def run() -> None:
        error: BaseException | None = None
        source: Iterator[T] | None = None
        try:
            if unread.is_set():
                return
            source = work()
            for item in source:
                give(item)
                while not room.acquire(timeout=_POLL_S):
                    if unread.is_set():
                        return
                if unread.is_set():
                    return
        except BaseException as caught:
            error = caught
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()
            give(_End(error))

    def ended(running: asyncio.Future[None]) -> None:
        if running.cancelled():  # it never ran: the executor was shut down while it waited
            items.put_nowait(_End(StreamClosed(_CLOSED)))

    try:
        running = loop.run_in_executor(executor, run)
    except RuntimeError:  # the executor has been shut down
        raise StreamClosed(_CLOSED) from None
    running.add_done_callback(ended)
    try:
        while True:
            item = await items.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
            room.release()
    finally:
        unread.set()
        room.release()
        with suppress(CancelledError, asyncio.CancelledError):
            if not running.done():
                running.cancel()


async def result_of(work: Callable[[], T], executor: Executor) -> T:
    """The result of the blocking ``work()``, run on a thread.

    Raises:
        StreamClosed: the executor was shut down before the work began.
    """

    def once() -> Iterator[T]:
        yield work()

    async for item in iterate(once, executor):
        return item
    raise StreamClosed(_CLOSED)
