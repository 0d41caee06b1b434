"""A ring buffer of numbered items with any number of readers. Knows neither the items nor HTTP.

A reader is a cursor, a number into the ring, and owns no queue: memory does not depend on how many readers there are
or how slow they are. A reader that the ring has overtaken gets ``FellBehind``, not a stream with a gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from .errors import LullwaveError

T = TypeVar("T")


class FellBehind(LullwaveError):
    """The items that a reader needs next were overwritten."""


class Ring(Generic[T]):
    """The newest ``keep`` items, and the readers that wait for the next one.

    Event loop only, except for ``publish``, which any thread may call.
    """

    def __init__(self, keep: int, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._items: deque[T] = deque(maxlen=keep)
        self._end = 0  # number of the next item
        self._loop = loop or asyncio.get_running_loop()
        self._waiting: set[asyncio.Future[None]] = set()
        self._watchers: list[Callable[[T], None]] = []
        self.closed = False

    @property
    def end(self) -> int:
        """The number of the next item to be published."""
        return self._end

    @property
    def begin(self) -> int:
        """The number of the oldest item kept."""
        return self._end - len(self._items)

    def publish(self, item: T) -> None:
        """Add an item. Thread-safe; no effect once the loop is closed."""
        try:
            self._loop.call_soon_threadsafe(self._add, item)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def watch(self, watcher: Callable[[T], None]) -> None:
        """Call ``watcher`` with every item, on the event loop."""
        self._watchers.append(watcher)

    def close(self) -> None:
        """End every reader."""
        self.closed = True
        self._wake()

    def newest(self) -> T | None:
        return self._items[-1] if self._items else None

    def since(self, wanted: Callable[[T], bool]) -> int:
        """The number from which on all items are ``wanted``."""
        number = self._end
        for item in reversed(self._items):
            if not wanted(item):
                break
            number -= 1
        return number

    def cursor(self, at: int | None = None) -> Cursor[T]:
        """A reader that begins at item number ``at`` (default: the next one to be published)."""
        return Cursor(self, self._end if at is None else at)

    def items(self, start: int) -> list[T]:
        """All items from number ``start`` on.

        Raises:
            FellBehind
        """
        if start < self.begin:
            raise FellBehind(f"the reader is {self.begin - start} items behind what the stream keeps")
        missing = start - self.begin
        if missing == len(self._items) - 1:
            return [self._items[-1]]
        return list(self._items)[missing:]

    async def changed(self) -> None:
        """Return after the next ``publish`` or ``close``."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    def _add(self, item: T) -> None:
        if self.closed:
            return
        self._items.append(item)
        self._end += 1
        for watcher in self._watchers:
            watcher(item)
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)


class Cursor(Generic[T]):
    """One reader of a ring. Event loop only."""

    def __init__(self, ring: Ring[T], at: int) -> None:
        self._ring = ring
        self.at = at  # number of the next item to be read

    def ready(self) -> list[T]:
        """The items that can be read now.

        Raises:
            FellBehind
        """
        items = self._ring.items(self.at)
        self.at += len(items)
        return items

    async def next(self) -> list[T]:
        """Wait for at least one item; an empty list once the ring is closed.

        Raises:
            FellBehind
        """
        while not self._ring.closed:
            if items := self.ready():
                return items
            await self._ring.changed()
        return []
