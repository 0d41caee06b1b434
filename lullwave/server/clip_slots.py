"""Places for work that few may do at a time: the owner's first, and a small share for each address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..errors import Busy

RETRY_S = 10.0  # seconds after which a refused client is told to try again


class ClipSlot:
    """One place; ``turn`` waits until its work may begin, ``release`` gives it back. Event loop only."""

    def __init__(self, address: str, owner: bool, release: Callable[[ClipSlot], None]) -> None:
        self.address = address
        self.owner = owner
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._release = release

    async def turn(self) -> None:
        """Return when the work may begin."""
        await asyncio.shield(self.begun)

    def release(self) -> None:
        """Give the place back, waiting or not. A second call has no effect."""
        self._release(self)


class ClipSlots:
    """``running`` pieces of work at a time, ``waiting`` more in a queue. Event loop only.

    Work of the owner goes before all that waits, and strangers' work never fills the owner's part of the queue.
    A stranger's address holds at most ``per_address`` places.
    """

    def __init__(self, running: int, waiting: int, per_address: int | None = None) -> None:
        self._most_running = running
        self._most_waiting = waiting
        self._per_address = per_address
        self._running: list[ClipSlot] = []
        self._waiting: list[ClipSlot] = []  # in the order in which they begin

    @property
    def active(self) -> int:
        """Places that are taken."""
        return len(self._running) + len(self._waiting)

    @property
    def owner_waits(self) -> bool:
        """Whether work of the owner waits. Any thread."""
        return any(slot.owner for slot in tuple(self._waiting))

    def place(self, slot: ClipSlot) -> int:
        """Where a slot is in the queue: 1 is the next; 0 if its work has begun."""
        return self._waiting.index(slot) + 1 if slot in self._waiting else 0

    def reserve(self, address: str, owner: bool) -> ClipSlot:
        """Take a place.

        Raises:
            Busy: every place is taken, or the address has its share.
        """
        rivals = [slot for slot in self._running + self._waiting if slot.owner == owner]
        if not owner and self._per_address is not None:
            own = sum(1 for slot in rivals if slot.address == address)
            if own >= self._per_address:
                raise Busy(f"your address has {own} clips being made or waiting; try again later", RETRY_S)
        if len(rivals) >= self._most_running + self._most_waiting:
            raise Busy(f"{len(rivals)} clips are being made or waiting; try again later", RETRY_S)
        slot = ClipSlot(address, owner, self._give_back)
        strangers = next((n for n, other in enumerate(self._waiting) if not other.owner), len(self._waiting))
        self._waiting.insert(strangers if owner else len(self._waiting), slot)
        self._begin()
        return slot

    def _begin(self) -> None:
        while self._waiting and len(self._running) < self._most_running:
            slot = self._waiting.pop(0)
            self._running.append(slot)
            slot.begun.set_result(None)

    def _give_back(self, slot: ClipSlot) -> None:
        for places in (self._running, self._waiting):
            if slot in places:
                places.remove(slot)
        self._begin()
