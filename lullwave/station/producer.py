"""Keeps a station's reserve full: from its engine, and from what stands in while the engine does not give enough.

One thread that never waits for an engine: readers wait for theirs, the failover says whose music goes into the reserve,
and this puts it there. Knows nothing of mastering or of listeners.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from ..clock import Clock, Waiter
from ..engines.base import Engine
from ..request import Request
from .archive_engine import ArchiveEngine
from .crossfade import CHOICE_S, JoinWindow, earliest_join, latest_join
from .failover import FALLBACKS, Cause, Failover, FailoverStatus, Tier
from .fallbacks import SKIP_S, Fallbacks
from .governor import TRIED_S, Pace
from .lookout import Lookout
from .primary import PrimarySupervisor
from .reserve import Reserve
from .source import ROOM_S, OpenStream, Source
from .steering import LEAD_S, SteerResult
from .switcher import Switcher
from .wishes import SteerQueue

EMBEDDED = "synth"
STAND_IN_S = 10.0  # how much of a stand-in's music is kept in reserve: it is not to stay
WORDS = {
    Tier.PRIMARY: "its own engine",
    Tier.RESERVE: "what was made before",
    Tier.ARCHIVE: "clips from earlier",
    Tier.EMBEDDED: "the embedded engine",
}

log = logging.getLogger(__name__)


class Producer:
    """The thread that makes a station's music ahead of the air."""

    def __init__(
        self,
        name: str,
        reserve: Reserve,
        engine: Callable[[str], Engine],
        engine_name: str,
        request: Request,
        target_s: float,
        clock: Clock,
        archive: ArchiveEngine | None = None,
        told: Callable[[FailoverStatus], None] = lambda status: None,
        embedded: str = EMBEDDED,
    ) -> None:
        self._name = name
        self._clock = clock
        self._told = told
        self._reserve = reserve
        self._deck = Switcher(reserve)
        self._wishes = SteerQueue(request.prompt, self._deck, self._wake)
        other = None if engine_name == embedded else (embedded, lambda: engine(embedded))
        self._own = PrimarySupervisor(
            name, engine_name, lambda: engine(engine_name), request, clock, self._reader, at_once=other is None
        )
        self._fallbacks = Fallbacks(name, request.seed, other, archive, clock, self._reader)
        self._lookout = Lookout(self._deck, self._own, self._fallbacks, self._wishes, clock, target_s)
        self._failover = Failover()
        self._readers: list[Source] = []  # that have not ended
        self._awake = True
        self._complained = False
        self._said = False  # where the station is
        self._status = FailoverStatus(Tier.PRIMARY, Cause.NONE, engine_name, engine_name)
        self._stopping = threading.Event()
        self._waiter: Waiter | None = None
        self._thread = threading.Thread(target=self._run, name=f"producer-{name}", daemon=True)

    @property
    def failover(self) -> FailoverStatus:
        """What is on air and why."""
        return self._status

    @property
    def pace(self) -> Pace:
        """How fast the station's own engine is."""
        return self._own.pace

    @property
    def intermittent(self) -> bool:
        """Whether the engine is heard in stretches, because it is too slow."""
        return self._own.governor.sharing

    @property
    def lighter_level(self) -> int:
        """How many steps of its lighter options the engine is asked for."""
        return self._own.governor.level

    @property
    def times_lost(self) -> int:
        """How often the engine was lost."""
        return self._own.lost

    @property
    def engine(self) -> Engine | None:
        """The engine that answers what a prompt means; None while there is none."""
        for reader in (self._deck.on_air, self._own.reader):
            if reader is None or reader.ended or reader.source == Tier.ARCHIVE:
                continue
            if reader.engine is not None:
                return reader.engine
        return None

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._waiter = self._clock.waiter()
        self._lookout.begin()
        self._reserve.on_change.append(self._wake)
        self._thread.start()

    def stop(self) -> None:
        """End the threads as soon as the engines let go."""
        self._stopping.set()
        self._reserve.close()
        self._wake()

    def join(self, timeout_s: float) -> bool:
        """Wait for the threads' end; False when one is still busy."""
        if self._thread.ident is None:
            return True
        ends = time.monotonic() + timeout_s
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and all(r.join(max(0.0, ends - time.monotonic())) for r in self._readers)

    def set_target(self, target_s: float) -> None:
        """How much the reserve is to hold, from now on."""
        self._lookout.target_s = target_s
        self._wake()

    def rest(self, asleep: bool) -> None:
        """Whether nobody hears: an engine that is lost is not tried for nobody."""
        self._awake = not asleep
        self._wake()

    def steer(self, prompt: str, over_s: float = 8.0) -> Future[SteerResult]:
        """Turn the music towards ``prompt`` as soon as can be. From any thread."""
        return self._wishes.add(prompt, over_s)

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.wake()

    def _reader(self, name: str, how: Callable[[Source], OpenStream], source: str = "") -> Source:
        reader = Source(name, how, self._clock, self._reserve.changed, self._wake, source)
        self._readers = [*(one for one in self._readers if one.alive), reader]
        return reader

    def _run(self) -> None:
        assert self._waiter is not None
        try:
            while not self._stopping.is_set():
                try:
                    moment = self._tend()
                except Exception:  # a fault of ours must not end the music
                    if not self._complained:
                        log.exception("station %s: its producer failed; it goes on", self._name)
                    self._complained = True
                    self._failover.tier = Tier.RESERVE
                    moment = self._clock.now() + 1.0
                self._waiter.wait_until(moment)
        finally:
            self._own.close()
            self._fallbacks.close()
            self._wishes.close()
            self._waiter.close()

    def _tend(self) -> float:
        """Everything that can be done now; gives the moment at which to look again."""
        deck, own, failover = self._deck, self._own, self._failover
        self._transfer()
        due = own.mind(self._wishes.prompt, self._awake)
        self._follow()
        self._govern()
        cause = own.cause()
        due = min(due, self._lookout.prepare(cause, failover.tier))
        if failover.tier is Tier.PRIMARY and deck.on_air is not own.reader:
            failover.tier = Tier.RESERVE
        before = failover.tier
        if failover.next_tier(self._lookout.sight(cause)) is not before:
            self._climb(failover.tier)
        self._transfer()
        if deck.on_air is not None and failover.tier in (Tier.PRIMARY, Tier.EMBEDDED) and not deck.on_air.ended:
            self._wishes.serve(deck.on_air)
        self._tell(cause)
        return max(due, self._clock.now() + 0.01)

    def _transfer(self) -> None:
        """From who is on air into the reserve."""
        if self._failover.tier is Tier.RESERVE and not (self._deck.on_air and self._deck.on_air.ended):
            return
        stays = not self._deck.stand_in or self._status.cause is Cause.FAILED
        self._deck.transfer(self._lookout.target_s if stays else min(self._lookout.target_s, STAND_IN_S))

    def _follow(self) -> None:
        """An engine that is not heard follows what is asked for, too, and reads as far ahead as it will have to."""
        reader = self._own.reader
        if reader is None or not reader.opened:
            return
        on_air = reader is self._deck.on_air
        trial = self._own.trial
        if not on_air and reader.prompt != self._wishes.prompt:
            self._own.again("another prompt is in force")
        elif trial is not None and trial.opened and trial.prompt != self._wishes.prompt:
            self._own.drop_trial()
        elif trial is not None and trial.opened:  # it is to show how quick it is alone
            trial.give_room(TRIED_S + ROOM_S)
            reader.give_room(0.0)
        elif self.intermittent:
            reader.give_room(self._own.stretch_s + ROOM_S)
        else:
            reader.give_room(ROOM_S if on_air else self._lookout.margin_s() + ROOM_S)

    def _govern(self) -> None:
        """Watch how fast the engine is."""
        own = self._own
        heard = self._failover.tier is Tier.PRIMARY and self._deck.on_air is own.reader
        ahead_s = 0.0 if own.reader is None else own.reader.ahead_s
        own.govern(heard, self._deck.reserve_s + ahead_s, self._lookout.target_s, self._awake)

    def _climb(self, tier: Tier) -> None:
        """Put on air what the failover says."""
        deck, own, wishes = self._deck, self._own, self._wishes
        turns = wishes.waiting
        wishes.take_back()
        if tier is Tier.PRIMARY:
            assert own.reader is not None
            deck.put(own.reader, _soon_or_later if deck.stand_in else latest_join)
            own.plays()
            self._fallbacks.close()
            self._fallbacks.clips_over = False
        elif tier in FALLBACKS:
            reader = self._fallbacks[tier]
            place = _soon if turns else latest_join
            frame = deck.put(reader, place, wishes.told_by(reader), SKIP_S[tier])
            wishes.begun(reader, frame)
            reader.give_room(ROOM_S)
            self._fallbacks.close(but=reader)

    def _tell(self, cause: Cause) -> None:
        """Say it once when the rung or the cause is another one."""
        own, before = self._own, self._status
        on_air = self._deck.on_air
        detail = own.detail if cause in (Cause.LOST, Cause.FAILED) else ""
        name = own.name if on_air is None else on_air.name
        self._status = status = FailoverStatus(
            self._failover.tier, cause, name, own.name, detail, own.asked, round(own.stretch_s, 1)
        )
        begins = on_air is None and cause in (Cause.NONE, Cause.LOADING)
        if begins or (status == before and self._said):
            return
        if status.tier is not before.tier or not self._said:
            down = status.tier in FALLBACKS and cause is not Cause.LOADING
            level = logging.WARNING if down else logging.INFO
            why = "" if cause is Cause.NONE else f" (engine {own.name}: {cause})"
            log.log(level, "station %s: on air is now: %s%s", self._name, WORDS[status.tier], why)
        self._said = True
        self._told(status)


def _soon(reserve: Reserve) -> JoinWindow:
    return earliest_join(reserve, LEAD_S)


def _soon_or_later(reserve: Reserve) -> JoinWindow:
    return earliest_join(reserve, LEAD_S, CHOICE_S)
