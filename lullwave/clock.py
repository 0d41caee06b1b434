"""The clock that threads wait on: the system's, or a simulated one that a test advances.

A thread that waits gets a ``Waiter`` of its own from the clock. ``SimulatedClock.advance`` moves from one due moment to
the next, and lets every thread finish its work at that moment before time goes on: what happens when does not depend on
the speed of the machine. A thread may use several waiters in turn (a source reads an engine that waits by the same
clock): it is at rest while one of them waits.
"""

from __future__ import annotations

import math
import threading
import time
from typing import Protocol

FOREVER = math.inf
STUCK_S = 120.0  # real seconds after which `advance` fails because a thread neither waits nor ends


class Waiter(Protocol):
    """Lets one thread wait."""

    def wait_until(self, moment: float) -> None:
        """Return at ``moment`` (of ``Clock.now``), or when woken; at once if it was woken before."""

    def wake(self) -> None:
        """End the wait. Thread-safe."""

    def close(self) -> None:
        """Tell the clock that the thread will not wait any more."""


class Clock(Protocol):
    """A source of time. Thread-safe."""

    def now(self) -> float:
        """Monotonic seconds, from an arbitrary beginning."""

    def wall(self) -> float:
        """The time of day, in seconds since 1970."""

    def waiter(self) -> Waiter:
        """A new waiter, for one thread."""


class SystemClock:
    """The clock of the machine."""

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
    """A clock that stands still until ``advance``. Thread-safe.

    Each waiter has a condition of its own, all over one lock: only those that are due or woken are notified.
    """

    def __init__(self, wall: float = 1_700_000_000.0) -> None:
        self._now = 0.0
        self._wall = wall
        self._lock = threading.Lock()
        self._rest = threading.Condition(self._lock)  # notified when every thread waits
        self._waiters: list[_SimulatedWaiter] = []

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._wall + self._now

    def waiter(self) -> Waiter:
        with self._lock:
            waiter = _SimulatedWaiter(self, self._lock)
            self._waiters.append(waiter)
            return waiter

    def settle(self) -> None:
        """Return once every thread waits for a later moment."""
        self.advance(0.0)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass, stopping at each moment that a thread waits for."""
        with self._lock:
            target = self._now + seconds
            while True:
                if not self._rest.wait_for(self._at_rest, STUCK_S):
                    raise RuntimeError(f"at {self._now:.3f} s: a thread neither waits nor ends after {STUCK_S:g} s")
                due = min((w.until for w in self._waiters if w.idle), default=FOREVER)
                if due > target:
                    break
                self._now = max(self._now, due)
                for waiter in self._waiters:
                    if waiter.idle and waiter.until <= self._now:
                        waiter.release()
            self._now = target

    def rested(self) -> None:
        """Note, with the lock held, that one thread less may be at work."""
        if self._at_rest():
            self._rest.notify_all()

    def _at_rest(self) -> bool:
        """Whether every thread waits, on one waiter or another."""
        waiting = {w.thread for w in self._waiters if w.idle}
        return all(w.idle or w.thread in waiting for w in self._waiters)

    def forget(self, waiter: _SimulatedWaiter) -> None:
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            self.rested()


class _SimulatedWaiter:
    def __init__(self, clock: SimulatedClock, lock: threading.Lock) -> None:
        self._clock = clock
        self._released = threading.Condition(lock)
        self._woken = False
        self.until = -FOREVER
        self.idle = False  # waits, and has not been released
        self.thread: int | None = None  # the last one that waited here

    def wait_until(self, moment: float) -> None:
        with self._released:
            self.thread = threading.get_ident()
            self.until = moment
            self.idle = not self._woken and moment > self._clock.now()
            if self.idle:
                self._clock.rested()
                self._released.wait_for(lambda: not self.idle)
            self._woken = False

    def wake(self) -> None:
        with self._released:
            self._woken = True
            self.release()

    def release(self) -> None:
        """End the wait, with the lock held."""
        self.idle = False
        self._released.notify_all()

    def close(self) -> None:
        self._clock.forget(self)
