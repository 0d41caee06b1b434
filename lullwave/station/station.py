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
from .archive_engine import Recycler
from .failover import Rung, Standing
from .playout import Air, Aired, Epoch, Levels
from .producer import EMBEDDED, Producer
from .reserve import Reserve
from .steering import Steered

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
    """Start it once; it sleeps until it is ``heard``."""

    def __init__(
        self,
        own: StationSettings,
        settings: Settings,
        engine: Callable[[str], Engine],
        clock: Clock,
        recycler: Recycler | None = None,
    ) -> None:
        self.id = own.id
        self.own = own
        self.engine_name = own.engine or settings.engine
        self._engine = engine
        chosen = own.seed if own.seed is not None else settings.seed
        self.seed = chosen if chosen is not None else secrets.randbits(48)
        self.prompt = own.prompt()  # that was asked for last
        self._lock = threading.Lock()
        self._chunk_sinks: list[Callable[[Aired], None]] = []
        self._event_sinks: list[Callable[[Event], None]] = []
        self._broken: list[Callable[..., None]] = []  # sinks that failed
        self._state: State = "asleep"
        self._now: Now | None = None
        self._epoch: Epoch | None = None
        self._pieces = 0  # that began since the station was turned last
        self._turn = 0  # which of its own prompts it plays
        self._started = False
        self._rung = Rung.RESERVE
        self.rungs: Counter[Rung] = Counter()  # how often it came to each
        self._reserve_s = settings.reserve_s
        self._reserve = Reserve()
        self._producer = Producer(
            own.id,
            self._reserve,
            engine,
            self.engine_name,
            Request(self.prompt, self.seed),
            settings.reserve_s,
            clock,
            recycler,
            self._stood,
        )
        self._air = Air(
            own.id,
            self._reserve,
            clock,
            Levels(settings.bitrate_kbps, settings.loudness_lufs, settings.ceiling_dbtp),
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
        return self._air.edge

    @property
    def reserve_s(self) -> float:
        """Seconds of music that are ready."""
        return self._reserve.frames / RATE

    @property
    def playing_engine(self) -> str:
        """The engine whose music goes into the reserve."""
        return self._producer.standing.engine

    @property
    def standing(self) -> Standing:
        """Where the station is on the ladder between its engine and what stands in for it."""
        return self._producer.standing

    @property
    def sharing(self) -> bool:
        """Whether its engine is too slow to be heard all the time."""
        return self._producer.sharing

    @property
    def level(self) -> int:
        """How many steps of its lighter options its engine is asked for."""
        return self._producer.level

    @property
    def lost(self) -> int:
        """How often its engine was lost."""
        return self._producer.lost

    @property
    def speed(self) -> float:
        """Seconds of music that its engine makes per second of work."""
        return self._producer.pace.speed

    @property
    def late_s(self) -> float:
        """The longest that anything went on air after its time: more than the burst can be heard."""
        return self._air.late_s

    @property
    def works(self) -> bool:
        """Whether its threads live, if they were started and not stopped."""
        return not self._started or self._state == "stopped" or (self._producer.alive and self._air.alive)

    def upcoming(self) -> list[Event]:
        """What is in the reserve and not on air yet."""
        return [Event(m.kind, m.frame, dict(m.data)) for m in self._reserve.marks()]

    def rung_event(self) -> Event:
        """Where the station is on the ladder now."""
        standing = self.standing
        return Event("rung", self._reserve.begin, {"engine": standing.engine, **standing.data()})

    def subscribe(
        self, aired: Callable[[Aired], None] | None = None, event: Callable[[Event], None] | None = None
    ) -> None:
        """Be told of everything from now on; on the station's threads, so be quick. Before ``start``."""
        if aired is not None:
            self._chunk_sinks.append(aired)
        if event is not None:
            self._event_sinks.append(event)

    def prepare(self, reserve_s: float | None = None) -> None:
        """Begin to make music, so that the first listener need not wait for it.

        ``reserve_s`` is for a machine that has something more urgent to do: no more than this until ``fill``.
        """
        with self._lock:
            if self._started or self._state == "stopped":
                return
            self._started = True
            self._state = "starting"
            if reserve_s is not None:
                self._producer.aim(reserve_s)
            self._producer.start()
            self._air.start()

    def fill(self) -> None:
        """Keep the whole reserve from now on."""
        self._producer.aim(self._reserve_s)

    def heard(self, heard: bool) -> None:
        """Tell whether anybody listens. Quick, from any thread."""
        self._air.heard(heard)
        if heard:
            self.prepare()

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

    def steer(self, prompt: str, over_s: float = 8.0) -> Future[Steered]:
        """Turn the music; the result says from which frame on it is heard.

        Raises:
            PromptError
        """
        Request(prompt)
        self.prepare()
        before, self.prompt = self.prompt, prompt
        self._pieces = 0
        granted = self._producer.steer(prompt, over_s)
        granted.add_done_callback(lambda wish: self._wished(wish, prompt, before))
        return granted

    def _wished(self, wish: Future[Steered], prompt: str, before: str) -> None:
        """A wish that nobody could grant has changed nothing."""
        if (wish.cancelled() or wish.exception() is not None) and self.prompt == prompt:
            self.prompt = before

    def stop(self) -> None:
        """Let the threads end; ``join`` waits for them."""
        if self._started:
            self._say_state("stopped")
        self._state = "stopped"
        self._producer.stop()
        self._air.stop()

    def join(self) -> None:
        if not (self._producer.join(STOP_S) and self._air.join(STOP_S)):
            log.warning("station %s: its engine has not let go yet", self.id)

    def _aired(self, aired: Aired) -> None:
        if self._state == "starting":
            self._say_state("on air")
        self._epoch = aired.epoch
        for mark in aired.block.marks:
            data = dict(mark.data)
            if mark.kind == "piece":
                self._now = Now(mark.frame, data)
                self._take_turns()
            elif mark.kind == "steer" and self._now is not None and "prompt" in data:
                self._now = Now(self._now.started_frame, {**self._now.data, "prompt": data["prompt"]})
            self._tell(Event(mark.kind, mark.frame, data))
        self._give(self._chunk_sinks, aired)

    def _take_turns(self) -> None:
        """After a few pieces the next of the station's own prompts, if it has several."""
        self._pieces += 1
        if len(self.own.prompts) > 1 and self._pieces > TURN_PIECES:
            self._turn += 1
            self.steer(self.own.prompt(self._turn))

    def _slept(self, asleep: bool) -> None:
        self._producer.rest(asleep)
        if self._state != "stopped":
            self._say_state("asleep" if asleep else "on air")

    def _say_state(self, state: State) -> None:
        self._state = state
        self._tell(Event("state", self._reserve.begin, {"state": state, "engine": self.playing_engine}))

    def _stood(self, standing: Standing) -> None:
        """On the producer's thread: the rung or its cause is another one."""
        if standing.rung is not self._rung:
            self._rung = standing.rung
            self.rungs[standing.rung] += 1
        if self._state != "stopped":
            self._tell(self.rung_event())

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
