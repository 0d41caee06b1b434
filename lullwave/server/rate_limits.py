"""Rate limits: an average per second, with a burst.

The rule is the generic cell rate algorithm (ITU-T I.371, annex A): one number.
"""

from __future__ import annotations

MAX_KNOWN = 4096  # clients that are remembered before those that have rested are forgotten


class RateLimit:
    """Allows ``per_s`` events per second on average, ``burst`` of them at once. Not thread-safe."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._every_s = 1.0 / per_s
        self._early_s = (burst - 1) * self._every_s  # an event may come this long before its regular time
        self._due = float("-inf")  # regular time of the next event

    def turn(self, now: float) -> float:
        """Take the next turn; returns the seconds until it comes, 0 if it is now."""
        regular = max(self._due, now)
        self._due = regular + self._every_s
        return max(0.0, regular - self._early_s - now)

    def allows(self, now: float) -> bool:
        """Take the next turn if it is now; otherwise take none and return False."""
        if max(self._due, now) - self._early_s > now:
            return False
        self._due = max(self._due, now) + self._every_s
        return True

    def rested(self, now: float) -> bool:
        """Tell whether it is as good as new: the whole burst is free again."""
        return self._due <= now


class RateLimits:
    """One ``RateLimit`` per client, by any key; clients that have rested are forgotten when there are many."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s, self._burst = per_s, burst
        self._known: dict[str, RateLimit] = {}

    def of(self, client: str, now: float) -> RateLimit:
        """The pace of a client."""
        if (pace := self._known.get(client)) is not None:
            return pace
        if len(self._known) >= MAX_KNOWN:
            self._known = {known: pace for known, pace in self._known.items() if not pace.rested(now)}
        pace = self._known[client] = RateLimit(self._per_s, self._burst)
        return pace
