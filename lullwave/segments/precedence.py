"""Which of the processes that may produce a station goes first: an actor of a cluster before a web server.

A preferred producer renews a heartbeat in the store while it works, whether it has the lease or waits for it. A
deferring one leaves the lease to it: it does not take it, and gives it back, until the heartbeat has stopped. That
decides who should produce; who does is decided by the lease alone.
"""

from __future__ import annotations

from contextlib import suppress
from enum import Enum

from ..clock import FOREVER, Clock
from ..errors import StorageUnavailable
from ..storage.objects import ObjectStore
from .heartbeat import LAPSE_S, RENEW_S, Heartbeat
from .segment import Keys

LOOK_S = RENEW_S / 2  # between two looks at the heartbeat


class Rank(Enum):
    """How a process stands to others that may produce the same station."""

    EQUAL = "equal"  # the first one with the lease keeps it
    PREFERRED = "preferred"
    DEFERRING = "deferring"  # produces only while no preferred one works


class Precedence:
    """The rank of one process at one station. One thread."""

    def __init__(self, store: ObjectStore, station: str, clock: Clock, rank: Rank) -> None:
        self._rank, self._clock = rank, clock
        self._heartbeat = Heartbeat(store, Keys(station).preferred, clock)  # of preferred producers
        self._look_at = -FOREVER

    def defers(self) -> bool:
        """Whether a preferred producer works, to which this process leaves the station."""
        if self._rank is not Rank.DEFERRING:
            return False
        if self._is_due():
            with suppress(StorageUnavailable):  # what was seen last counts
                self._heartbeat.look()
        return self._heartbeat.idle_s < LAPSE_S

    def show(self) -> None:
        """Let deferring producers see that a preferred one works. No effect in a process of another rank.

        Raises:
            StorageUnavailable
        """
        if self._rank is Rank.PREFERRED and self._is_due():
            self._heartbeat.renew()

    def _is_due(self) -> bool:
        now = self._clock.now()
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_S
        return True
