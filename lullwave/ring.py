"""One ring of numbered items for any number of readers; knows nothing of what the items are or of HTTP.

The writer is any thread; the readers live on one event loop. A reader is a cursor, a number into the ring: it owns
no queue, so memory is the ring's alone however many readers there are and however slow they are. A reader that the
ring has overtaken is told so (``FellBehind``) instead of being given a stream with a hole.

Every field here is touched on the event loop only; ``publish`` crosses into it once per item.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from .errors import LullwaveError

T = TypeVar("T")


class FellBehind(LullwaveError):
    """The reader was slower than the ring is long."""


class Ring(Generic[T]):
    """The newest items in order, and whoever waits for the next."""

    def __init__(self, keep: int, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._items: deque[T] = deque(maxlen=keep)
        self._end = 0  # number of the item that comes next
        self._loop = loop or asyncio.get_running_loop()
        self._waiting: set[asyncio.Future[None]] = set()
        self._watchers: list[Callable[[T], None]] = []
        self.closed = False

    @property
    def end(self) -> int:
        """The number that the next item will have."""
        return self._end

    @property
    def begin(self) -> int:
        """The number of the oldest item kept."""
        return self._end - len(self._items)

    def publish(self, item: T) -> None:
        """Add an item, from any thread. Without effect after the loop has ended."""
        try:
            self._loop.call_soon_threadsafe(self._add, item)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def watch(self, watcher: Callable[[T], None]) -> None:
        """Call ``watcher`` with every item, on the loop."""
        self._watchers.append(watcher)

    def close(self) -> None:
        """Let every reader end. On the loop."""
        self.closed = True
        self._wake()

    def newest(self) -> T | None:
        return self._items[-1] if self._items else None

    def since(self, wanted: Callable[[T], bool]) -> int:
        """The number of the oldest item of the unbroken run at the end of the ring that is ``wanted``."""
        number = self._end
        for item in reversed(self._items):
            if not wanted(item):
                break
            number -= 1
        return number

    def cursor(self, at: int | None = None) -> Cursor[T]:
        """A reader whose first item is number ``at`` (default: the next one to come)."""
        return Cursor(self, self._end if at is None else at)

    def items(self, start: int) -> list[T]:
        """Everything from number ``start`` on."""
        if start < self.begin:
            raise FellBehind("the reader was slower than the stream and fell behind what is kept of it")
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
    """One reader."""

    def __init__(self, ring: Ring[T], at: int) -> None:
        self._ring = ring
        self.at = at  # number of the next item to be read

    def ready(self) -> list[T]:
        """What is there to be read now.

        Raises:
            FellBehind
        """
        items = self._ring.items(self.at)
        self.at += len(items)
        return items

    async def next(self) -> list[T]:
        """At least one item, as soon as there is one; none once the ring is closed.

        Raises:
            FellBehind
        """
        while not self._ring.closed:
            if items := self.ready():
                return items
            await self._ring.changed()
        return []
