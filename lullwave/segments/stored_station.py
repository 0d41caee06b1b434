"""A station whose music another process makes, or this one for all: read from a store, and put on air by the clock."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future

from ..clock import Clock
from ..engines.base import Engine
from ..errors import EngineFailed
from ..settings import Settings
from ..settings.stations import StationSettings
from ..station import Cause, Event, FailoverStatus, NowPlaying, PlayoutStep, SteerResult, Tier
from ..station.station import STOP_S, Station
from ..storage.objects import ObjectStore
from .following_playout import FollowingPlayout
from .present import Present
from .segment import Manifest
from .tail import ProgrammeTail

log = logging.getLogger(__name__)


class StoredStation(Station):
    """One station in a server of many. Thread-safe like ``Station``.

    Its frames are those of the programme, the same in every server. It is steered by requests to the producer.
    ``watch_facts`` first: it is fixed once the station has started.
    """

    playout_type = FollowingPlayout
    contiguous = False

    def __init__(
        self,
        config: StationSettings,
        settings: Settings,
        engine: Callable[[str], Engine],
        clock: Clock,
        store: ObjectStore,
    ) -> None:
        super().__init__(config, settings, engine, clock)
        self.facts = Present()
        self._status = FailoverStatus(Tier.RESERVE, Cause.LOADING, self.engine_name, self.engine_name)
        self._fact_watchers: list[Callable[[Present], None]] = []
        assert isinstance(self._playout, FollowingPlayout)
        self._following = self._playout
        self._tail = ProgrammeTail(
            store, config.id, self._reserve, clock, settings.burst_s, self._on_facts, self._on_place
        )
        self._following.air, self._following.lost = self._tail.air, self._tail.jump

    def watch_facts(self, watcher: Callable[[Present], None]) -> None:
        """Call back on a thread of the station when what the producer tells has changed."""
        self._fact_watchers.append(watcher)

    @property
    def manifest(self) -> Manifest | None:
        """The manifest of its programme as it was read last; None before the first."""
        return self._tail.manifest

    @property
    def pieces(self) -> list[tuple[int, str]]:
        return [(frame, str(data.get("title", ""))) for frame, data in self.facts.pieces]

    @property
    def playing_engine(self) -> str:
        return self._status.engine

    @property
    def failover(self) -> FailoverStatus:
        return self._status

    @property
    def alive(self) -> bool:
        return not self._started or self._state == "stopped" or (self._playout.alive and self._tail.alive)

    def start(self, reserve_s: float | None = None) -> None:
        with self._lock:
            if self._started or self._state == "stopped":
                return
            self._started, self._state = True, "starting"
            self._tail.start()
            self._playout.start()

    def restart(self) -> None:
        with self._lock:
            if self._started and self._state != "stopped":
                self.restarts += 1
                self._playout.restart()
                self._tail.restart()

    def configure(self, config: StationSettings) -> None:
        self.config = config

    def fill_reserve(self) -> None:
        pass

    def set_listening(self, listening: bool) -> None:
        if listening:
            self._tail.set_active(True)
        super().set_listening(listening)

    def steer(self, prompt: str, over_s: float = 8.0) -> Future[SteerResult]:
        raise EngineFailed(f"station {self.id} is steered by requests to the process that makes its music")

    def skip(self) -> bool:
        return False

    def stop(self) -> None:
        self._tail.stop()
        super().stop()

    def join(self) -> None:
        if not (self._tail.join(STOP_S) and self._playout.join(STOP_S)):
            log.warning("station %s: the store is still busy; not waiting for it", self.id)

    def _on_facts(self, facts: Present) -> None:
        """On the tail's thread."""
        self.facts = facts
        self.prompt, self.steered = facts.prompt, facts.steered
        self._status = facts.status or self._status
        for watcher in self._fact_watchers:
            watcher(facts)

    def _on_place(self, begin: int, heard: int) -> None:
        """On the tail's thread."""
        self._following.heard_from = heard
        now = self._now = self.facts.piece_at(heard)
        if now is not None:
            self._sinks.event(Event("piece", now.started_frame, now.data))

    def _on_step(self, step: PlayoutStep) -> None:
        """On the playout thread."""
        if self._state == "starting":
            self._set_state("on air")
        self._epoch = step.epoch
        for mark in step.block.marks:
            data = dict(mark.data)
            if mark.kind == "piece":
                self._earlier, self._now = self._now, NowPlaying(mark.frame, data)
            elif mark.kind == "steer" and self._now is not None and "prompt" in data:
                self._now = NowPlaying(self._now.started_frame, {**self._now.data, "prompt": data["prompt"]})
            self._sinks.event(Event(mark.kind, mark.frame, data))
        for event in self._tail.events(step.block.end):
            self._sinks.event(event)
        self._sinks.step(step)

    def _on_sleep(self, asleep: bool) -> None:
        """On the playout thread."""
        if asleep:
            self._tail.set_active(False)
            self._reserve.restart(self._reserve.begin)
        super()._on_sleep(asleep)
