"""When to retry an engine that failed: exponential backoff with jitter.

Each wait is twice the last one, up to a limit; a random part of up to one half is subtracted, so that many stations
that lost the same machine do not all return to it at the same moment.
"""

from __future__ import annotations

from collections.abc import Callable

FIRST_S = 1.0  # the first wait
LONGEST_S = 15.0  # the longest wait for an engine that cannot be reached
LONGEST_BROKEN_S = 300.0  # the longest wait for an engine that answers and then fails
TRUST_S = 120.0  # after playing for this long without a failure, waits start from FIRST_S again


class Backoff:
    """The waits of one engine, in seconds of a monotonic clock. One thread.

    ``random`` returns numbers from 0 to 1.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._playing_since: float | None = None
        self.failures = 0  # since it was last trusted

    def failed(self, now: float, longest_s: float = LONGEST_S) -> float:
        """Note a failure; returns when to retry."""
        if self._playing_since is not None and now - self._playing_since > TRUST_S:
            self.failures = 0
        self._playing_since = None
        wait_s = min(FIRST_S * 2.0 ** min(self.failures, 20), longest_s)
        self.failures += 1
        return now + wait_s * (0.5 + 0.5 * self._random())

    def playing(self, now: float) -> None:
        """Note that the engine is on air."""
        if self._playing_since is None:
            self._playing_since = now
