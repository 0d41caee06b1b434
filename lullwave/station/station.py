"""A station: one endless programme with a name, from its engine to numbered chunks and events.

Joins the producer (makes music ahead) and the air (gives it out by the clock). Knows nothing of HTTP: chunks and
events go to whoever ``subscribe``s, on the station's own threads.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from ..clock import Clock
from ..engines.base import Engine, Understanding
from ..errors import EngineLost
from ..request import Request
from ..settings import Settings, StationSettings
from .adapter import RATE
from .archive_engine import ArchiveEngine
from .failover import FailoverStatus, Tier
from .playout import Epoch, OutputLevels, Playout, PlayoutStep
from .producer import EMBEDDED, Producer
from .reserve import Reserve
from .steering import SteerResult

T = TypeVar("T")
State = Literal["starting", "on air", "asleep", "stopped"]
TURN_PIECES = 2  # that a station plays of each of its prompts
STOP_S = 1.5  # how long the threads may take to end

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """Something that happens to the sound at a station frame (or now, where it is not about the sound)."""

    kind: str  # piece, steer, state, rung, …
    frame: int
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Now:
    """The piece on air."""

    started_frame: int
    data: Mapping[str, Any]


class Station:
    """Start it once; it sleeps until it is listened to."""

    def __init__(
        self,
        config: StationSettings,
        settings: Settings,
        engine: Callable[[str], Engine],
        clock: Clock,
        archive: ArchiveEngine | None = None,
    ) -> None:
        self.id = config.id
        self.config = config
        self.engine_name = config.engine or settings.engine
        self._engine = engine
        chosen = config.seed if config.seed is not None else settings.seed
        self.seed = chosen if chosen is not None else secrets.randbits(48)
        self.prompt = config.prompt()  # that was asked for last
        self._lock = threading.Lock()
        self._step_sinks: list[Callable[[PlayoutStep], None]] = []
        self._event_sinks: list[Callable[[Event], None]] = []
        self._broken: list[Callable[..., None]] = []  # sinks that failed
        self._state: State = "asleep"
        self._now: Now | None = None
        self._epoch: Epoch | None = None
        self._pieces = 0  # that began since the station was turned last
        self._turn = 0  # which of its own prompts it plays
        self._started = False
        self._tier = Tier.RESERVE
        self.tier_changes: Counter[Tier] = Counter()  # how often it came to each
        self._reserve_s = settings.reserve_s
        self._reserve = Reserve()
        self._producer = Producer(
            config.id,
            self._reserve,
            engine,
            self.engine_name,
            Request(self.prompt, self.seed),
            settings.reserve_s,
            clock,
            archive,
            self._failover_changed,
        )
        self._playout = Playout(
            config.id,
            self._reserve,
            clock,
            OutputLevels(settings.bitrate_kbps, settings.loudness_lufs, settings.ceiling_dbtp),
            settings.burst_s,
            settings.sleep_after_s,
            self._aired,
            self._slept,
        )

    @property
    def state(self) -> State:
        return self._state

    @property
    def now(self) -> Now | None:
        """The piece on air; None before the first."""
        return self._now

    @property
    def epoch(self) -> Epoch | None:
        """How frames map to the time of day since the station woke last."""
        return self._epoch

    @property
    def edge(self) -> int:
        """The station frame that goes on air next."""
        return self._playout.edge

    @property
    def reserve_s(self) -> float:
        """Seconds of music that are ready."""
        return self._reserve.frames / RATE

    @property
    def playing_engine(self) -> str:
        """The engine whose music goes into the reserve."""
        return self._producer.failover.engine

    @property
    def failover(self) -> FailoverStatus:
        """Where the station is on the ladder between its engine and what stands in for it."""
        return self._producer.failover

    @property
    def intermittent(self) -> bool:
        """Whether its engine is too slow to be heard all the time."""
        return self._producer.intermittent

    @property
    def lighter_level(self) -> int:
        """How many steps of its lighter options its engine is asked for."""
        return self._producer.lighter_level

    @property
    def times_lost(self) -> int:
        """How often its engine was lost."""
        return self._producer.times_lost

    @property
    def speed(self) -> float:
        """Seconds of music that its engine makes per second of work."""
        return self._producer.pace.speed

    @property
    def late_s(self) -> float:
        """The longest that anything went on air after its time: more than the burst can be heard."""
        return self._playout.late_s

    @property
    def alive(self) -> bool:
        """Whether its threads live, if they were started and not stopped."""
        return not self._started or self._state == "stopped" or (self._producer.alive and self._playout.alive)

    def upcoming(self) -> list[Event]:
        """What is in the reserve and not on air yet."""
        return [Event(m.kind, m.frame, dict(m.data)) for m in self._reserve.marks()]

    def tier_event(self) -> Event:
        """Where the station is on the ladder now."""
        failover = self.failover
        return Event("rung", self._reserve.begin, {"engine": failover.engine, **failover.data()})

    def subscribe(
        self, aired: Callable[[PlayoutStep], None] | None = None, event: Callable[[Event], None] | None = None
    ) -> None:
        """Be told of everything from now on; on the station's threads, so be quick. Before ``start``."""
        if aired is not None:
            self._step_sinks.append(aired)
        if event is not None:
            self._event_sinks.append(event)

    def start(self, reserve_s: float | None = None) -> None:
        """Begin to make music, so that the first listener need not wait for it.

        ``reserve_s`` is for a machine that has something more urgent to do: no more than this until ``fill``.
        """
        with self._lock:
            if self._started or self._state == "stopped":
                return
            self._started = True
            self._state = "starting"
            if reserve_s is not None:
                self._producer.set_target(reserve_s)
            self._producer.start()
            self._playout.start()

    def fill_reserve(self) -> None:
        """Keep the whole reserve from now on."""
        self._producer.set_target(self._reserve_s)

    def set_listening(self, listening: bool) -> None:
        """Tell whether anybody listens. Quick, from any thread."""
        self._playout.set_listening(listening)
        if listening:
            self.start()

    def understand(self, prompt: str) -> Understanding:
        """What the engine makes of a prompt.

        Raises:
            PromptError
        """
        prompt = Request(prompt).prompt
        if (engine := self._producer.engine) is not None:
            with suppress(EngineLost):  # who stands in for it grants the wish
                return engine.understand(prompt)
        return self._engine(EMBEDDED).understand(prompt)  # a model that loads is not waited for

    def steer(self, prompt: str, over_s: float = 8.0) -> Future[SteerResult]:
        """Turn the music; the result says from which frame on it is heard.

        Raises:
            PromptError
        """
        Request(prompt)
        self.start()
        before, self.prompt = self.prompt, prompt
        self._pieces = 0
        granted = self._producer.steer(prompt, over_s)
        granted.add_done_callback(lambda wish: self._wished(wish, prompt, before))
        return granted

    def _wished(self, wish: Future[SteerResult], prompt: str, before: str) -> None:
        """A wish that nobody could grant has changed nothing."""
        if (wish.cancelled() or wish.exception() is not None) and self.prompt == prompt:
            self.prompt = before

    def stop(self) -> None:
        """Let the threads end; ``join`` waits for them."""
        if self._started:
            self._say_state("stopped")
        self._state = "stopped"
        self._producer.stop()
        self._playout.stop()

    def join(self) -> None:
        if not (self._producer.join(STOP_S) and self._playout.join(STOP_S)):
            log.warning("station %s: its engine has not let go yet", self.id)

    def _aired(self, step: PlayoutStep) -> None:
        if self._state == "starting":
            self._say_state("on air")
        self._epoch = step.epoch
        for mark in step.block.marks:
            data = dict(mark.data)
            if mark.kind == "piece":
                self._now = Now(mark.frame, data)
                self._take_turns()
            elif mark.kind == "steer" and self._now is not None and "prompt" in data:
                self._now = Now(self._now.started_frame, {**self._now.data, "prompt": data["prompt"]})
            self._tell(Event(mark.kind, mark.frame, data))
        self._give(self._step_sinks, step)

    def _take_turns(self) -> None:
        """After a few pieces the next of the station's own prompts, if it has several."""
        self._pieces += 1
        if len(self.config.prompts) > 1 and self._pieces > TURN_PIECES:
            self._turn += 1
            self.steer(self.config.prompt(self._turn))

    def _slept(self, asleep: bool) -> None:
        self._producer.rest(asleep)
        if self._state != "stopped":
            self._say_state("asleep" if asleep else "on air")

    def _say_state(self, state: State) -> None:
        self._state = state
        self._tell(Event("state", self._reserve.begin, {"state": state, "engine": self.playing_engine}))

    def _failover_changed(self, status: FailoverStatus) -> None:
        """On the producer's thread: the rung or its cause is another one."""
        if status.tier is not self._tier:
            self._tier = status.tier
            self.tier_changes[status.tier] += 1
        if self._state != "stopped":
            self._tell(self.tier_event())

    def _tell(self, event: Event) -> None:
        self._give(self._event_sinks, event)

    def _give(self, sinks: list[Callable[[T], None]], thing: T) -> None:
        """To every sink; one that breaks is named once and keeps nothing from the others."""
        for sink in sinks:
            try:
                sink(thing)
            except Exception:
                if sink not in self._broken:
                    self._broken.append(sink)
                    log.exception("station %s: %r failed; the music goes on", self.id, sink)
