"""A timer that is put off again and again, at the cost of an assignment. Knows nothing of what it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class IdleTimer:
    """Calls ``over`` once ``hold`` has not been called for a while. Event loop only.

    The loop keeps one timer; when that ends too early, it is set again. A timer for each call would be one for every
    request, and the loop sorts them all.
    """

    def __init__(self, over: Callable[[], None]) -> None:
        self._over = over
        self._until = 0.0  # in the event loop's time
        self._timer: asyncio.TimerHandle | None = None

    def hold(self, for_s: float) -> None:
        """End ``for_s`` seconds from now, and no sooner or later, whatever was said before."""
        loop = asyncio.get_running_loop()
        self._until = loop.time() + for_s
        if self._timer is None or self._timer.when() > self._until:
            self.cancel()
            self._timer = loop.call_at(self._until, self._look)

    def cancel(self) -> None:
        """Do not call ``over`` until the next ``hold``."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        if loop.time() < self._until:
            self._timer = loop.call_at(self._until, self._look)
        else:
            self._over()
