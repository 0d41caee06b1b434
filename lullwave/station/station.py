"""A station: one endless programme with a name, from its engine to numbered chunks and events.

Joins the producer, which renders music ahead, and playout, which puts it on air by the clock. Knows nothing of HTTP:
chunks and events go to subscribers, on the station's own threads. It is longer than most modules: all that others ask
of a station is asked here, and most of it is passed on to its parts.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from ..clock import Clock
from ..engines.base import Engine, Understanding
from ..errors import EngineFailed, EngineLost
from ..request import MAX_SEED, Request
from ..settings import Settings
from ..settings.stations import StationSettings, minute_of_day
from .adapter import RATE
from .archive_engine import ArchiveEngine
from .events import Event, NowPlaying, Subscribers
from .failover import FailoverStatus, Tier
from .forking import Fork, fork
from .output import OpenOutput, Output, OutputLevels
from .playout import Epoch, Playout, PlayoutStep
from .primary import ResumePoint
from .producer import EMBEDDED, Producer
from .programme import PLAIN, OwnProgramme, PromptGuard
from .reserve import Reserve
from .steering import SteerResult

State = Literal["starting", "on air", "asleep", "stopped"]
SILENT_S = 3.0  # seconds without music on air after which requests are refused
STOP_S = 1.5  # how long `join` waits for each of the two threads

log = logging.getLogger(__name__)


class Station:
    """One station. ``start`` it once; after that it is on air while it has listeners, and sleeps otherwise.

    It begins with the prompt ``steered`` if one is given, else with its own programme; with ``forked``, it goes on
    with the music of another station. ``output`` opens its output.

    Thread-safe. ``subscribe`` first: subscribers are fixed once it has started. What other threads read (``prompt``,
    ``state``, ``now``, ``epoch``) are immutable values, replaced as a whole.
    """

    playout_type: type[Playout] = Playout
    contiguous = True  # after it slept, the next frame follows the last one

    def __init__(
        self,
        config: StationSettings,
        settings: Settings,
        engine: Callable[[str], Engine],
        clock: Clock,
        archive: ArchiveEngine | None = None,
        steered: str | None = None,
        forked: Fork | None = None,
        output: OpenOutput = Output,
    ) -> None:
        self.id, self.config = config.id, config
        self._default_engine, self._default_seed = settings.engine, settings.seed
        self.engine_name = config.engine or settings.engine
        self._engine = engine
        self.seed = self._stream_seed = self._chosen_seed()
        self._programme = OwnProgramme(config, minute_of_day(clock.wall()))
        steered = forked.prompt if forked is not None else steered
        self.prompt = self.own_prompt if steered is None else steered  # requested last
        self.steered = self.prompt != self.own_prompt  # it plays something else than its own programme
        self._lock = threading.Lock()  # guards the start
        self._sinks = Subscribers(config.id)
        self._state: State = "asleep"
        self._now: NowPlaying | None = None if forked is None else forked.now
        self._earlier: NowPlaying | None = None  # the piece before
        self._epoch: Epoch | None = None
        self._started, self._tier = False, Tier.RESERVE
        self.tier_changes: Counter[Tier] = Counter()  # how often it switched to each tier
        self._reserve_s = self._target_s = settings.reserve_s
        self._reserve = Reserve(0 if forked is None else forked.begin)
        self._clock, self._archive = clock, archive
        self.restarts = self._lost_before = 0  # restarts because it was silent; engines lost before the last one
        self._producer = self._new_producer(None, None if forked is None else forked.resume)
        self._playout = self.playout_type(
            config.id,
            self._reserve,
            clock,
            output(OutputLevels.of(settings), None if forked is None else forked.level),
            settings.burst_s,
            settings.sleep_after_s,
            self._on_step,
            self._on_sleep,
        )

    def _chosen_seed(self) -> int:
        return next(seed for seed in (self.config.seed, self._default_seed, secrets.randbits(48)) if seed is not None)

    @property
    def state(self) -> State:
        return self._state

    @property
    def own_prompt(self) -> str:
        """What its own programme plays now: by the time of day, or the prompt whose turn it is."""
        return self._programme.prompt

    @property
    def now(self) -> NowPlaying | None:
        """The piece on air; None before the first."""
        return self._now

    @property
    def epoch(self) -> Epoch | None:
        """Maps frames to the time of day since the station last woke; None before the first step."""
        return self._epoch

    @property
    def edge(self) -> int:
        """The station frame that goes on air next."""
        return self._playout.edge

    @property
    def reserve_s(self) -> float:
        """Seconds of music that are rendered and not on air yet."""
        return self._reserve.frames / RATE

    @property
    def pieces(self) -> list[tuple[int, str]]:
        """The latest pieces as another process tells them: (first frame, title). Empty where events tell them all."""
        return []

    @property
    def playing_engine(self) -> str:
        """The name of the engine whose music goes into the reserve."""
        return self._producer.failover.engine

    @property
    def failover(self) -> FailoverStatus:
        """What is on air and why."""
        return self._producer.failover

    @property
    def intermittent(self) -> bool:
        """Whether its engine plays in stretches, because it is too slow."""
        return self._producer.governor.intermittent

    @property
    def lighter_level(self) -> int:
        """How many steps of lighter options are in force for its engine."""
        return self._producer.governor.level

    @property
    def times_lost(self) -> int:
        """How often its engine was lost."""
        return self._lost_before + self._producer.times_lost

    @property
    def speed(self) -> float:
        """Seconds of music that its engine renders per second of work."""
        return self._producer.pace.speed

    @property
    def late_s(self) -> float:
        """The longest delay of a chunk so far; one longer than the burst is heard as a gap."""
        return self._playout.late_s

    @property
    def silent_s(self) -> float:
        """For how long nothing has gone on air although it should, in seconds."""
        return self._playout.silent_s if self._started and self._state != "stopped" else 0.0

    @property
    def alive(self) -> bool:
        """Whether both threads run; also true before the start and after the stop."""
        return not self._started or self._state == "stopped" or (self._producer.alive and self._playout.alive)

    def upcoming(self) -> list[Event]:
        """The events of the music that is not on air yet."""
        return [Event(m.kind, m.frame, dict(m.data)) for m in self._reserve.marks()]

    def tier_event(self) -> Event:
        """What is on air and why, as an event."""
        failover = self.failover
        return Event("rung", self._reserve.begin, {"engine": failover.engine, **failover.data()})

    def subscribe(
        self, on_step: Callable[[PlayoutStep], None] | None = None, on_event: Callable[[Event], None] | None = None
    ) -> None:
        """Call back for everything from now on, on the station's threads; callbacks must be quick. Before ``start``."""
        self._sinks.add(on_step, on_event)

    @property
    def resumed(self) -> bool:
        """Whether its own engine is on air and goes on with an earlier stream: its own, or a forked one."""
        source = self._producer.own_source
        return source is not None and source.resumed

    def fork(self, frame: int | None = None) -> Fork:
        """What another station needs to go on with this one's music from ``frame`` on; see ``forking.fork``."""
        pieces = (self._now, self._earlier)
        return fork(self._producer.own_source, self._reserve, frame, self.prompt, pieces, self._playout.level())

    def start(self, reserve_s: float | None = None) -> None:
        """Begin to render music. A second call has no effect.

        ``reserve_s`` limits the reserve until ``fill_reserve``, for a machine with more urgent work.
        """
        with self._lock:
            if self._started or self._state == "stopped":
                return
            self._started, self._state = True, "starting"
            if reserve_s is not None:
                self._producer.set_target(reserve_s)
                self._target_s = reserve_s
            self._producer.start()
            self._playout.start()

    def restart(self) -> None:
        """Replace the threads of a station that is silent or has lost one; listeners stay, and the frames go on.

        Requests that wait fail at once.
        """
        with self._lock:
            if not self._started or self._state == "stopped":
                return
            self.restarts += 1
            self._stream_seed = (self._stream_seed + 1) % (MAX_SEED + 1)
            error = EngineFailed(f"station {self.id} is silent and is being restarted")
            self._replace_producer(error, self._producer.guard)
            self._playout.restart()

    def configure(self, config: StationSettings) -> None:
        """Take over settings while it plays. Another engine, another seed and other prompts are crossfaded in."""
        before, self.config = self.config, config
        former, self.engine_name = self.engine_name, config.engine or self._default_engine
        other_stream = self.engine_name != former or config.seed != before.seed
        if config.seed != before.seed:
            self.seed = self._stream_seed = self._chosen_seed()
        minute = minute_of_day(self._clock.wall())
        if before.programme(minute) != config.programme(minute):
            self._programme = OwnProgramme(config, minute)
            if self._started and not other_stream and self.silent_s < SILENT_S:
                self.steer(self.own_prompt)
                return
            self.prompt = self.own_prompt
            self._follow_programme(self.prompt)
        with self._lock:
            if other_stream and self._started and self._state != "stopped":
                self._replace_producer(EngineFailed("the station's engine or seed was changed"), None)
                self._producer.hasten = True
            elif not self._started:
                self._producer = self._new_producer(None)

    def fill_reserve(self) -> None:
        """Keep the whole reserve from now on."""
        self._target_s = self._reserve_s
        self._producer.set_target(self._target_s)

    def set_listening(self, listening: bool) -> None:
        """Tell whether the station has listeners; the first one starts it. Never blocks."""
        self._playout.set_listening(listening)
        if listening:
            self.start()

    def sleep_early(self) -> None:
        """Sleep at once if there are no listeners, instead of after a while. Never blocks."""
        self._playout.sleep_early()

    def understand(self, prompt: str) -> Understanding:
        """What the engine makes of a prompt.

        Raises:
            PromptError
        """
        prompt = Request(prompt).prompt
        if (engine := self._producer.engine) is not None:
            with suppress(EngineLost):  # the fallback will carry out the request
                return engine.understand(prompt)
        understanding = self._engine(EMBEDDED).understand(prompt)  # do not wait for a model that loads
        embedded = self.engine_name == EMBEDDED
        return understanding if embedded else replace(understanding, recognised=True)  # a model takes any text

    def steer(self, prompt: str, over_s: float = 8.0) -> Future[SteerResult]:
        """Change the music to ``prompt`` within ``over_s`` seconds; the result tells from which frame it is heard.

        Raises:
            PromptError
            EngineFailed: the station is silent, so that no request can be carried out.
        """
        Request(prompt)
        if self.silent_s >= SILENT_S:
            raise EngineFailed(f"station {self.id} is silent and is being restarted; try again later")
        self.start()
        before, self.prompt = self.prompt, prompt
        self._programme.restart_turn()
        done = self._producer.steer(prompt, over_s)
        done.add_done_callback(lambda result: self._steered(result, prompt, before))
        return done

    def _steered(self, result: Future[SteerResult], prompt: str, before: str) -> None:
        """Take ``prompt`` back if the request failed."""
        if not result.cancelled() and result.exception() is None:
            self._follow_programme(prompt)
        elif self.prompt == prompt:
            self.prompt = before

    def _follow_programme(self, prompt: str) -> None:
        """Publish whether the station plays its own programme, now that it plays ``prompt``."""
        before, self.steered = self.steered, prompt not in (self.own_prompt, PLAIN)
        if before or self.steered:
            self._sinks.event(Event("programme", self._reserve.begin, {"steered": self.steered, "prompt": prompt}))

    def skip(self) -> bool:
        """Crossfade to another piece as soon as possible; False if no piece is on air."""
        return self._now is not None and self._producer.skip()

    def stop(self) -> None:
        """End the threads; ``join`` waits for them."""
        if self._started:
            self._set_state("stopped")
        self._state = "stopped"
        self._producer.stop()
        self._playout.stop()

    def join(self) -> None:
        """Wait for the threads to end, for a moment."""
        if not (self._producer.join(STOP_S) and self._playout.join(STOP_S)):
            log.warning("station %s: its engine is still busy; not waiting for it", self.id)

    def _replace_producer(self, error: EngineFailed, guard: PromptGuard | None) -> None:
        """Let another producer go on with the reserve; requests that wait fail with ``error``."""
        former = self._producer
        self._lost_before += former.times_lost
        former.abandon(error)
        self._producer = self._new_producer(guard)
        self._producer.set_sleeping(self._state == "asleep")
        self._producer.start()

    def _new_producer(self, guard: PromptGuard | None, resume_from: ResumePoint | None = None) -> Producer:
        return Producer(
            self.id,
            self._reserve,
            self._engine,
            self.engine_name,
            Request(self.prompt, self._stream_seed),
            self._target_s,
            self._clock,
            self._archive,
            self._on_failover,
            on_return=self._returned,
            guard=guard,
            resume_from=resume_from,
        )

    def _returned(self, prompt: str) -> None:
        """The station returned to an earlier prompt. Producer thread."""
        self.prompt = prompt
        self._programme.restart_turn()
        self._sinks.event(Event("steer", self._reserve.end, {"prompt": prompt}))
        self._follow_programme(prompt)

    def _on_step(self, step: PlayoutStep) -> None:
        """On the playout thread."""
        if self._state == "starting":
            self._set_state("on air")
        self._epoch = step.epoch
        for mark in step.block.marks:
            data = dict(mark.data)
            if mark.kind == "piece":
                self._earlier, self._now = self._now, NowPlaying(mark.frame, data)
                if self._programme.piece_began():
                    self.steer(self.own_prompt)
            elif mark.kind == "steer" and self._now is not None and "prompt" in data:
                self._now = NowPlaying(self._now.started_frame, {**self._now.data, "prompt": data["prompt"]})
            self._sinks.event(Event(mark.kind, mark.frame, data))
        if self._programme.moved_to(minute_of_day(step.epoch.wall + (step.block.frame - step.epoch.frame) / RATE)):
            self.steer(self.own_prompt)
        self._sinks.step(step)

    def _on_sleep(self, asleep: bool) -> None:
        """On the playout thread."""
        self._producer.set_sleeping(asleep)
        if self._state != "stopped":
            self._set_state("asleep" if asleep else "on air")

    def _set_state(self, state: State) -> None:
        self._state = state
        self._sinks.event(Event("state", self._reserve.begin, {"state": state, "engine": self.playing_engine}))

    def _on_failover(self, status: FailoverStatus) -> None:
        """On the producer's thread."""
        if status.tier is not self._tier:
            self._tier = status.tier
            self.tier_changes[status.tier] += 1
        if self._state != "stopped":
            self._sinks.event(self.tier_event())
