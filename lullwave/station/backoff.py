"""When a broken engine is tried again: soon at first, then less and less, never in step with others; knows no engine.

Each wait is twice the one before, and a random half of it is left out, so that many stations that lost one machine do
not come back to it at one moment.
"""

from __future__ import annotations

from collections.abc import Callable

FIRST_S = 1.0
LONGEST_S = 15.0  # for an engine that cannot be reached
LONGEST_BROKEN_S = 300.0  # for one that answers, and breaks
TRUST_S = 120.0  # who plays as long without a fault is trusted again


class Backoff:
    """The waits of one engine. Times are seconds of one clock that only goes forward."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance  # from 0 to 1
        self._playing_since: float | None = None
        self.failures = 0  # since it was trusted last

    def failed(self, now: float, longest_s: float = LONGEST_S) -> float:
        """It failed; gives the moment of the next try."""
        if self._playing_since is not None and now - self._playing_since > TRUST_S:
            self.failures = 0
        self._playing_since = None
        wait_s = min(FIRST_S * 2.0 ** min(self.failures, 20), longest_s)
        self.failures += 1
        return now + wait_s * (0.5 + 0.5 * self._chance())

    def plays(self, now: float) -> None:
        """It is heard, from now on."""
        if self._playing_since is None:
            self._playing_since = now
