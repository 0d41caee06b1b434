"""What the producer sees of its reserve and its readers, as the failover wants to know it, and who is to be ready.

All calls from the producer's thread; puts nobody on air.
"""

from __future__ import annotations

from ..clock import FOREVER, Clock
from .adapter import RATE
from .failover import Cause, Observation, Tier
from .fallbacks import Fallbacks
from .governor import RETURN_S
from .primary import STARVE_S, PrimarySupervisor
from .source import ROOM_S, STEP
from .switcher import Switcher
from .wishes import SteerQueue

LOW_S = 8.0  # a reserve below this (a third of a small one) is low
FLOOR = 0.4  # of that: nearly out
START_S = 0.5  # a station that begins waits this long for its engine, and then not any more


class Lookout:
    """``target_s`` is how much the reserve is to hold."""

    def __init__(
        self,
        deck: Switcher,
        own: PrimarySupervisor,
        fallbacks: Fallbacks,
        wishes: SteerQueue,
        clock: Clock,
        target_s: float,
    ) -> None:
        self.target_s = target_s
        self._deck = deck
        self._own = own
        self._fallbacks = fallbacks
        self._wishes = wishes
        self._clock = clock
        self._began = 0.0

    @property
    def low_s(self) -> float:
        return min(LOW_S, self.target_s / 3)

    def begin(self) -> None:
        """The station begins now."""
        self._began = self._clock.now()

    def margin_s(self) -> float:
        """How much the engine has to have made before it is heard."""
        own, deck = self._own, self._deck
        reader = own.reader
        if reader is None or not reader.opened:
            return RETURN_S
        empty = deck.reserve_s < ROOM_S
        if not own.governor.sharing and deck.follows(reader) and (not empty or own.is_embedded):
            return STEP / RATE
        return own.governor.margin_s(own.pace, deck.stand_in, empty)

    def prepare(self, cause: Cause, tier: Tier) -> float:
        """See to it that somebody can take over in time; gives the moment at which to look again."""
        now, reader, reserve_s = self._clock.now(), self._own.reader, self._deck.reserve_s
        if tier is Tier.RESERVE and not self._own.played and now - self._began < START_S:
            return self._began + START_S
        if tier is Tier.PRIMARY and cause in (Cause.NONE, Cause.SLOW):
            late = reader is not None and reader.waits_s(now) >= STARVE_S
            low = reserve_s < (1.5 if cause is Cause.SLOW else 1.0) * self.low_s
            if not (low and (late or cause is Cause.SLOW)):
                self._fallbacks.close()
                return FOREVER
        wanted = self._fallbacks.wanted(self._own.played, self._wishes.waiting)
        if wanted is None:
            return FOREVER
        return self._fallbacks.open(wanted, self._wishes.wanted, self._deck.piece())

    def sight(self, cause: Cause) -> Observation:
        """For the failover."""
        reader, deck = self._own.reader, self._deck
        waits_s = 0.0 if reader is None else reader.waits_s(self._clock.now())
        return Observation(
            cause=cause,
            reserve_s=deck.reserve_s,
            low_s=self.low_s,
            ahead_s=0.0 if reader is None else reader.ahead_s,
            margin_s=self.margin_s(),
            settled=deck.settled or deck.on_air is None,
            starving=deck.reserve_s < FLOOR * self.low_s and waits_s >= STARVE_S,
            ready=self._fallbacks.ready(deck.on_air, deck.reserve_s),
            clips_over=self._fallbacks.clips_over,
            steer_waiting=self._wishes.waiting,
        )
