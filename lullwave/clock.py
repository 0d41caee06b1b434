"""Time as something that is handed in: the system's, or a simulated one that a test moves; knows no music.

A thread that waits for a moment asks the clock for a ``Waiter`` of its own. Under the simulated clock ``advance``
moves from one due moment to the next and lets every waiter finish what it does at that moment before time goes on,
so that what happens when does not depend on how fast the machine is. A thread may wait on several waiters in turn
(an engine that is slow by this clock waits inside of whoever reads it): it rests while one of them waits.
"""

from __future__ import annotations

import math
import threading
import time
from typing import Protocol

FOREVER = math.inf
STUCK_S = 120.0  # real seconds after which a simulated clock says that somebody neither waits nor ends


class Waiter(Protocol):
    """One thread's way to wait."""

    def wait_until(self, moment: float) -> None:
        """Return at ``moment`` (of ``Clock.now``), or sooner when woken. A wake before the wait ends it at once."""

    def wake(self) -> None:
        """End the wait, from any thread."""

    def close(self) -> None:
        """The thread will not wait any more."""


class Clock(Protocol):
    """What the air thread asks for the time."""

    def now(self) -> float:
        """Seconds that only go forward, from an arbitrary beginning."""

    def wall(self) -> float:
        """Seconds since 1970, for people."""

    def waiter(self) -> Waiter:
        """For one thread."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    def waiter(self) -> Waiter:
        return _SystemWaiter()


class _SystemWaiter:
    def __init__(self) -> None:
        self._woken = threading.Event()

    def wait_until(self, moment: float) -> None:
        left = moment - time.monotonic()
        if left > 0:
            self._woken.wait(None if math.isinf(left) else left)
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        pass


class SimulatedClock:
    """A clock that stands still until ``advance``."""

    def __init__(self, wall: float = 1_700_000_000.0) -> None:
        self._now = 0.0
        self._wall = wall
        self._changed = threading.Condition()
        self._waiters: list[_SimulatedWaiter] = []

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._wall + self._now

    def waiter(self) -> Waiter:
        with self._changed:
            waiter = _SimulatedWaiter(self, self._changed)
            self._waiters.append(waiter)
            return waiter

    def settle(self) -> None:
        """Return when every waiter waits for a moment that has not come."""
        self.advance(0.0)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass, stopping at every moment that somebody waits for."""
        with self._changed:
            target = self._now + seconds
            while True:
                if not self._changed.wait_for(self._at_rest, STUCK_S):
                    raise RuntimeError(f"at {self._now:.3f} s: a thread neither waits nor ends")
                due = min((w.until for w in self._waiters if w.idle), default=FOREVER)
                if due > target:
                    break
                self._now = max(self._now, due)
                for waiter in self._waiters:
                    if waiter.until <= self._now:
                        waiter.idle = False
                self._changed.notify_all()
            self._now = target

    def _at_rest(self) -> bool:
        """Whether every thread waits: on this waiter, or on another one meanwhile."""
        waiting = {w.thread for w in self._waiters if w.idle}
        return all(w.idle or w.thread in waiting for w in self._waiters)

    def forget(self, waiter: _SimulatedWaiter) -> None:
        with self._changed:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            self._changed.notify_all()


class _SimulatedWaiter:
    def __init__(self, clock: SimulatedClock, changed: threading.Condition) -> None:
        self._clock = clock
        self._changed = changed
        self._woken = False
        self.until = -FOREVER
        self.idle = False  # waits, and has not been told to go on
        self.thread: int | None = None  # that waited here last

    def wait_until(self, moment: float) -> None:
        with self._changed:
            self.thread = threading.get_ident()
            self.until = moment
            self.idle = not self._woken and moment > self._clock.now()
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self.idle)
            self._woken = False

    def wake(self) -> None:
        with self._changed:
            self._woken = True
            self.idle = False
            self._changed.notify_all()

    def close(self) -> None:
        self._clock.forget(self)
