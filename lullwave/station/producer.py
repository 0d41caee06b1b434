"""Keeps a station's reserve full: from its own engine, and from a fallback while that engine does not deliver enough.

One thread that never waits for an engine: each source waits for its own, ``Failover`` decides which one is on air, and
the producer carries that out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from ..clock import FOREVER, Clock, Waiter
from ..engines.base import Engine
from ..errors import EngineError
from ..request import Request
from .adapter import RATE
from .archive_engine import ArchiveEngine
from .crossfade import at_once, latest_join, soon, soon_or_later
from .failover import FALLBACKS, Cause, Failover, FailoverStatus, Observation, Tier
from .fallbacks import SKIP_S, Fallbacks
from .governor import RETURN_S, TRIAL_MEASURE_S, Governor, Pace
from .primary import STARVE_S, TRANSIENT, PrimarySupervisor, ResumePoint
from .programme import PromptGuard
from .reserve import Reserve
from .source import LOOKAHEAD_S, STEP, Opener, Source
from .steering import SteerQueue, SteerResult
from .switcher import Switcher

EMBEDDED = "synth"  # the engine that every installation has
FALLBACK_RESERVE_S = 10.0  # reserve to keep while a fallback is on air: it should be over soon
LOW_S = 8.0  # a reserve below this, or below a third of its target, is low
NEARLY_OUT = 0.4  # share of a low reserve
START_S = 0.5  # usual `patience_s`
RETRY_S = 1.0  # wait after an error of our own

log = logging.getLogger(__name__)


class Producer:
    """The thread that renders a station's music ahead of playout.

    Thread-safe: commands (``set_target``, ``set_sleeping``, ``steer``) and properties may be used by any thread; all
    else happens on the producer's own. ``on_failover`` is called on that thread when the tier or its cause changed, and
    ``on_return`` with the prompt to which the station returns because another one breaks its music.
    """

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
        on_failover: Callable[[FailoverStatus], None] = lambda status: None,
        on_return: Callable[[str], None] = lambda prompt: None,
        guard: PromptGuard | None = None,
        resume_from: ResumePoint | None = None,
    ) -> None:
        self._name = name
        self._clock = clock
        self._on_failover = on_failover
        self._on_return = on_return
        self._reserve = reserve
        self._target_s = target_s  # that the reserve is to hold
        self._switcher = Switcher(reserve)
        self._steering = SteerQueue(request.prompt, self._switcher, self._wake)
        other = None if engine_name == EMBEDDED else (EMBEDDED, lambda: engine(EMBEDDED))
        self.guard = guard or PromptGuard(embedded=other is None)  # handed on from the producer before a restart
        self._primary = PrimarySupervisor(
            name,
            engine_name,
            lambda: engine(engine_name),
            request,
            clock,
            self._begin_source,
            embedded=other is None,
            on_failure=self._note_failure,
            played=guard is not None,
            resume_from=resume_from,
        )
        self._fallbacks = Fallbacks(name, request.seed, other, archive, clock, self._begin_source)
        self._failover = Failover()
        self._sources: list[Source] = []  # whose threads are alive
        self._awake = True
        self._began = 0.0
        self._error_logged = False
        self._reported = False  # `on_failover` has been called
        self._status = FailoverStatus(Tier.PRIMARY, Cause.NONE, engine_name, engine_name)
        self._stopping = threading.Event()
        self._skip = threading.Event()  # the piece on air is to be skipped
        self.patience_s = START_S  # a new station waits this long for its engine before it opens a fallback
        self.hasten = False  # the next source goes on air as soon as possible; any thread may set it
        self._waiter: Waiter | None = None
        self._thread = threading.Thread(target=self._run, name=f"producer-{name}", daemon=True)

    @property
    def failover(self) -> FailoverStatus:
        """What is on air and why."""
        return self._status

    @property
    def pace(self) -> Pace:
        """The measured speed of the station's own engine."""
        return self._primary.pace

    @property
    def governor(self) -> Governor:
        """What keeps the load of the station's own engine within its speed; others than the producer only read it."""
        return self._primary.governor

    @property
    def times_lost(self) -> int:
        """How often the station's own engine was lost."""
        return self._primary.times_lost

    @property
    def engine(self) -> Engine | None:
        """The engine to ask what a prompt means; None while none is loaded."""
        for source in (self._switcher.on_air, self._primary.source):
            if source is None or source.ended or source.tag == Tier.ARCHIVE:
                continue
            if source.engine is not None:
                return source.engine
        return None

    @property
    def own_source(self) -> Source | None:
        """The source of the station's own engine; None unless that is on air."""
        source = self._switcher.on_air
        return None if source is None or source.tag else source

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._waiter = self._clock.waiter()
        self._began = self._clock.now()
        self._reserve.watch(self._wake)
        self._thread.start()

    def stop(self) -> None:
        """End the threads as soon as the engines return."""
        self._stopping.set()
        self._reserve.close()
        self._wake()

    def abandon(self, error: EngineError) -> None:
        """End without the reserve, for another producer to go on with it, even if the thread hangs or has died."""
        self._stopping.set()
        self._reserve.unwatch(self._wake)
        with self._reserve.lock:
            self._switcher.on_air = None  # nothing of it reaches the reserve any more
        self._steering.close(error)
        self._primary.close()
        self._fallbacks.close()
        self._wake()

    def join(self, timeout_s: float) -> bool:
        """Wait for the threads to end; False if one is still busy."""
        if self._thread.ident is None:
            return True
        ends = time.monotonic() + timeout_s
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and all(s.join(max(0.0, ends - time.monotonic())) for s in self._sources)

    def set_target(self, target_s: float) -> None:
        """Set how many seconds the reserve is to hold."""
        self._target_s = target_s
        self._wake()

    def set_sleeping(self, asleep: bool) -> None:
        """Tell whether the station sleeps. A lost engine is not reopened while it does."""
        self._awake = not asleep
        self._wake()

    def skip(self) -> bool:
        """Crossfade to another piece as soon as possible; False if nothing is on air but the buffer."""
        if self._status.tier is Tier.RESERVE:
            return False
        self._skip.set()
        self._wake()
        return True

    def steer(self, prompt: str, over_s: float = 8.0) -> Future[SteerResult]:
        """Change the music to ``prompt`` as soon as possible, within ``over_s`` seconds."""
        return self._steering.add(prompt, over_s)

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.wake()

    def _begin_source(self, name: str, opener: Opener, tag: str = "") -> Source:
        source = Source(name, opener, self._clock, self._wake, tag)
        self._sources = [*(one for one in self._sources if one.alive), source]
        return source

    def _run(self) -> None:
        assert self._waiter is not None
        try:
            while not self._stopping.is_set():
                try:
                    moment = self._tick()
                except Exception:  # an error of our own must not end the music
                    if not self._error_logged:
                        log.exception("station %s: error in the producer; the music goes on", self._name)
                    self._error_logged = True
                    self._failover.source_left()
                    moment = self._clock.now() + RETRY_S
                self._waiter.wait_until(moment)
        finally:
            self._primary.close()
            self._fallbacks.close()
            self._steering.close()
            self._waiter.close()

    def _tick(self) -> float:
        """Do everything that can be done now; returns when to look again."""
        switcher, primary, failover = self._switcher, self._primary, self._failover
        self._transfer()
        if self._skip.is_set():
            self._skip_piece()
        due = primary.poll(lambda: self._steering.prompt, self._awake)
        self._guide_sources()
        self._adjust_load()
        reserve_s = switcher.reserve_s  # read first: a fork makes it shorter, and then the source waits no longer
        cause = primary.cause()
        due = min(due, self._prepare_fallback(cause, failover.tier, reserve_s))
        if failover.tier is Tier.PRIMARY and switcher.on_air is not primary.source:
            failover.source_left()
        before = failover.tier
        if failover.next_tier(self._observe(cause, reserve_s)) is not before:
            self._switch_to(failover.tier)
        self._transfer()
        on_air = switcher.on_air
        if on_air is not None and failover.tier in (Tier.PRIMARY, Tier.EMBEDDED) and not on_air.ended:
            self._steering.dispatch(on_air)
        if failover.tier is Tier.PRIMARY and on_air is not None and not on_air.ended:
            self.guard.playing(on_air.prompt, self._clock.now())
        self._report(cause)
        return max(due, self._clock.now() + 0.01)

    def _skip_piece(self) -> None:
        """Let another stream follow: of the primary engine, or of the fallback that is on air."""
        self._skip.clear()
        tier = self._failover.tier
        if tier is Tier.PRIMARY:
            self._primary.skip_piece()
        elif tier in FALLBACKS:
            self._fallbacks.close()
            self._failover.source_left()
        self.hasten = tier is not Tier.RESERVE

    def _note_failure(self, prompt: str, error: BaseException) -> None:
        """Return to an earlier prompt if this one breaks the engine's stream again and again."""
        if isinstance(error, TRANSIENT):
            return
        earlier = self.guard.broke(prompt, self._clock.now())
        if earlier is None or prompt != self._steering.prompt:
            return
        log.warning(
            "station %s: the prompt %r breaks the music; playing %s instead",
            self._name,
            prompt,
            repr(earlier) if earlier else "a plain programme",
        )
        self._steering.go_back(earlier)
        self._on_return(earlier)

    @property
    def _low_s(self) -> float:
        """A reserve below this is low."""
        return min(LOW_S, self._target_s / 3)

    def _margin_s(self) -> float:
        """How much the primary engine must render ahead before it goes on air."""
        primary, switcher = self._primary, self._switcher
        source = primary.source
        if source is None or not source.opened:
            return RETURN_S
        empty = switcher.reserve_s < LOOKAHEAD_S
        if not primary.governor.intermittent and switcher.is_contiguous(source) and (not empty or primary.embedded):
            return STEP / RATE
        return primary.governor.margin_s(primary.pace, switcher.on_fallback, empty)

    def _observe(self, cause: Cause, reserve_s: float) -> Observation:
        """Collect the inputs of the failover decision."""
        source, switcher = self._primary.source, self._switcher
        waiting_s = 0.0 if source is None else source.waiting_s(self._clock.now())
        return Observation(
            cause=cause,
            reserve_s=reserve_s,
            low_s=self._low_s,
            ahead_s=0.0 if source is None else source.ahead_s,
            margin_s=self._margin_s(),
            settled=switcher.settled or switcher.on_air is None,
            starving=reserve_s < NEARLY_OUT * self._low_s and waiting_s >= STARVE_S,
            ready=self._fallbacks.ready(switcher.on_air, reserve_s),
            clips_over=self._fallbacks.clips_over,
            steer_waiting=self._steering.waiting,
        )

    def _prepare_fallback(self, cause: Cause, tier: Tier, reserve_s: float) -> float:
        """Open a fallback if it may be needed, close it if not; returns when to look again."""
        now, source = self._clock.now(), self._primary.source
        if tier is Tier.RESERVE and not self._primary.played and now - self._began < self.patience_s:
            return self._began + self.patience_s
        if tier is Tier.PRIMARY and cause in (Cause.NONE, Cause.SLOW):
            late = source is not None and source.waiting_s(now) >= STARVE_S
            low = reserve_s < (1.5 if cause is Cause.SLOW else 1.0) * self._low_s
            if not (low and (late or cause is Cause.SLOW)):
                self._fallbacks.close()
                return FOREVER
        preferred = self._fallbacks.preferred(self._primary.played, self._steering.waiting)
        if preferred is None:
            return FOREVER
        return self._fallbacks.open(preferred, self._steering.next_prompt, self._switcher.piece())

    def _transfer(self) -> None:
        """Move music from the source on air into the reserve."""
        if self._failover.tier is Tier.RESERVE and not (self._switcher.on_air and self._switcher.on_air.ended):
            return
        lasting = not self._switcher.on_fallback or self._status.cause is Cause.FAILED
        self._switcher.transfer(self._target_s if lasting else min(self._target_s, FALLBACK_RESERVE_S))

    def _guide_sources(self) -> None:
        """Keep the primary engine's prompt up to date while it is off air, and set how far it reads ahead."""
        source = self._primary.source
        if source is None or not source.opened:
            return
        on_air = source is self._switcher.on_air
        trial = self._primary.trial
        source.measured = trial is None
        if not on_air and source.prompt != self._steering.prompt:
            self._primary.restart("the prompt changed")
        elif trial is not None and trial.opened and trial.prompt != self._steering.prompt:
            self._primary.drop_trial()
        elif trial is not None and trial.opened:  # measured alone: the stream on air pauses
            trial.set_lookahead(TRIAL_MEASURE_S + LOOKAHEAD_S)
            source.set_lookahead(0.0)
        elif self._primary.governor.intermittent:
            source.set_lookahead(self._primary.stretch_s + LOOKAHEAD_S)
        else:
            source.set_lookahead(LOOKAHEAD_S if on_air else self._margin_s() + LOOKAHEAD_S)

    def _adjust_load(self) -> None:
        """Let the primary engine's load follow its speed."""
        primary = self._primary
        on_air = self._failover.tier is Tier.PRIMARY and self._switcher.on_air is primary.source
        ahead_s = 0.0 if primary.source is None else primary.source.ahead_s
        primary.adjust_load(on_air, self._switcher.reserve_s + ahead_s, self._target_s, self._awake)

    def _switch_to(self, tier: Tier) -> None:
        """Put the source of ``tier`` on air."""
        switcher, primary, steering = self._switcher, self._primary, self._steering
        steer_waiting = steering.waiting
        steering.requeue()
        if tier is Tier.PRIMARY:
            assert primary.source is not None
            late = soon_or_later if switcher.on_fallback else latest_join
            switcher.switch_to(primary.source, at_once if self.hasten else late)
            primary.went_on_air()
            self._fallbacks.close()
            self._fallbacks.clips_over = False
        elif tier in FALLBACKS:
            source = self._fallbacks[tier]
            window = at_once if self.hasten else soon if steer_waiting else latest_join
            frame = switcher.switch_to(source, window, steering.mark_for(source), SKIP_S[tier])
            steering.went_on_air(source, frame)
            source.set_lookahead(LOOKAHEAD_S)
            self._fallbacks.close(keep=source)
        self.hasten = False

    def _report(self, cause: Cause) -> None:
        """Log and tell what is on air, once for each change."""
        primary, before = self._primary, self._status
        on_air = self._switcher.on_air
        detail = primary.detail if cause in (Cause.LOST, Cause.FAILED) else ""
        name = primary.name if on_air is None else on_air.name
        stretch_s = round(primary.stretch_s, 1)
        self._status = status = FailoverStatus(
            self._failover.tier, cause, name, primary.name, detail, primary.lighter_options, stretch_s
        )
        begins = on_air is None and cause in (Cause.NONE, Cause.LOADING)
        if begins or (status == before and self._reported):
            return
        if status.tier is not before.tier or not self._reported:
            degraded = status.tier in FALLBACKS and cause is not Cause.LOADING
            level = logging.WARNING if degraded else logging.INFO
            reason = "" if cause is Cause.NONE else f" (engine {primary.name}: {cause})"
            log.log(level, "station %s: now playing from %s%s", self._name, status.origin, reason)
        self._reported = True
        self._on_failover(status)
