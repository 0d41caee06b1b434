"""Renders a programme by a whole station: with its fallbacks, its steering and its own programme."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from ..audio import Audio
from ..clock import Clock
from ..engines.base import Engine
from ..errors import EngineError, LullwaveError, SnapshotError
from ..mastering import Master
from ..settings import Settings
from ..settings.stations import StationSettings, minute_of_day
from ..station import CHANNELS, RATE, ArchiveEngine, Event, Fork, NowPlaying, PlayoutStep, Station
from ..station.primary import ResumePoint
from ..station.programme import OwnProgramme
from ..station.source import StreamSnapshot
from .present import Present, is_for_all
from .pulled_playout import PulledPlayout
from .rendering import Rendered
from .segment import SEGMENT_FRAMES, ProgrammeState, Segment

PATIENCE_S = 8.0  # a fallback would break the music that the engine is about to go on with
PIECES_KEPT = 4  # of the latest ones: what is written is up to two minutes ahead of what is heard

log = logging.getLogger(__name__)


class ProducedStation(Station):
    """A station whose music a ``StationRenderer`` takes. Thread-safe like ``Station``."""

    playout_type = PulledPlayout

    def __init__(
        self,
        config: StationSettings,
        settings: Settings,
        engine: Callable[[str], Engine],
        clock: Clock,
        archive: ArchiveEngine | None,
        forked: Fork,
    ) -> None:
        super().__init__(config, settings, engine, clock, archive, forked=forked)
        assert isinstance(self._playout, PulledPlayout)
        self.pulled = self._playout
        self.rendered_again = False  # what is taken was on air before: it changes nothing
        self._told: deque[Event] = deque()
        self._producer.patience_s = PATIENCE_S
        self.subscribe(on_event=self._told.append)

    def told(self) -> list[Event]:
        """The events since the last call, in station frames."""
        return [self._told.popleft() for _ in range(len(self._told))]

    def snapshot_now(self) -> tuple[str, StreamSnapshot, int] | None:
        """From what the music that is taken next can be made again: engine, snapshot, frames to drop after it.

        None while another engine plays, in a crossfade, and where the engine has no snapshots.
        """
        with self._reserve.lock:
            source, frame = self._producer.own_source, self._reserve.begin
            if source is None or frame < self._reserve.faded_until:
                return None
            wanted = frame - source.offset
            found = next((one for one in reversed(source.snapshots) if one.frame <= wanted), None)
            return None if found is None else (source.name, found, wanted - found.frame)

    def _on_step(self, step: PlayoutStep) -> None:
        if not self.rendered_again:
            super()._on_step(step)
            return
        for mark in step.block.marks:
            if mark.kind == "piece":
                self._now = NowPlaying(mark.frame, dict(mark.data))


class StationRenderer:
    """Renders the programme of one station. One thread; ``station`` and ``facts`` may be read by any.

    ``known`` gives what the producer before has told. ``on_open`` is called with each new station, before it starts.
    """

    def __init__(
        self,
        config: StationSettings,
        settings: Settings,
        engine: Callable[[str], Engine],
        clock: Clock,
        archive: ArchiveEngine | None,
        known: Callable[[], Present],
        on_open: Callable[[ProducedStation, Present], None],
    ) -> None:
        self._config, self._settings, self._engine = config, settings, engine
        self._clock, self._archive = clock, archive
        self._known, self._on_open = known, on_open
        self._closed: list[ProducedStation] = []  # their threads may not have ended yet
        self.station: ProducedStation | None = None
        self.pieces: tuple[tuple[int, dict[str, object]], ...] = ()  # the latest ones: programme frame, data
        self._loaded = False
        self._other_music = False  # than that of the last state
        self._lost = False  # the last state says that there is none

    def load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        name = self._config.engine or self._settings.engine
        try:
            self._engine(name)
        except EngineError as error:  # the station plays its fallbacks, and tries again
            log.warning("station %s: engine %s is not ready: %s", self._config.id, name, error)

    def begin(self, number: int) -> None:
        known, begin = self._known(), number * SEGMENT_FRAMES
        prompt = known.prompt if known.steered else self._own_prompt()
        self._open(Fork(begin, prompt, None, None, Master(RATE, CHANNELS).level(), begin), known)
        self._other_music = True

    def restore(self, state: ProgrammeState, number: int) -> None:
        name = self._config.engine or self._settings.engine
        if not state.snapshot:
            raise SnapshotError("the music before was not the station's own, or its engine has no snapshots")
        if state.engine != name:
            raise SnapshotError(f"it is a state of {state.engine!r}, not of {name!r}")
        known, begin = self._known(), number * SEGMENT_FRAMES
        snapshot = StreamSnapshot(begin - state.skip, state.snapshot, state.prompt)
        master = Master(RATE, CHANNELS, self._settings.loudness_lufs, self._settings.ceiling_dbtp)
        master.restore(state.master)
        now = known.piece_at(begin + master.latency_frames)
        if now is not None:
            now = replace(now, started_frame=now.started_frame - master.latency_frames)
        forked = Fork(begin, state.prompt, ResumePoint(snapshot, begin, 0), now, master.level(), begin)
        self._open(forked, known).pulled.restore(state.master)
        self._other_music = False

    def render(self, number: int, air: float, state_due: bool, again: bool) -> Rendered | None:
        station = self.station
        assert station is not None
        if not station.alive:
            station.restart()
        station.rendered_again = again
        step = station.pulled.take(SEGMENT_FRAMES, air)
        if step is None:
            return None
        delay = station.pulled.latency_frames
        events = [Event(one.kind, one.frame + delay, one.data) for one in station.told() if is_for_all(one)]
        if again:
            return Rendered(Segment(number, Audio(step.mastered, RATE)))
        pieces = [(event.frame, dict(event.data)) for event in events if event.kind == "piece"]
        self.pieces = (*self.pieces, *pieces)[-PIECES_KEPT:]
        if step.block.restore_points:
            self._other_music, self._lost = True, False
        state = self._state(station) if state_due or self._other_music else None
        return Rendered(Segment(number, Audio(step.mastered, RATE), tuple(events)), state)

    def set_asleep(self, asleep: bool) -> None:
        if self.station is not None:
            self.station.pulled.set_asleep(asleep)

    def close(self) -> None:
        station, self.station = self.station, None
        if station is not None:
            station.stop()
            self._closed.append(station)

    def join(self) -> None:
        """Wait for the threads of the stations that were closed."""
        for station in self._closed:
            station.join()
        self._closed.clear()

    def _open(self, forked: Fork, known: Present) -> ProducedStation:
        self.close()
        args = self._config, self._settings, self._engine, self._clock, self._archive
        self.station = station = ProducedStation(*args, forked)
        self.pieces = tuple((frame, dict(data)) for frame, data in known.pieces)
        self._lost = False
        self._on_open(station, known)
        station.start()
        wanted = known.prompt if known.steered else self._own_prompt() if self._config.hours else forked.prompt
        if wanted != forked.prompt:  # it was asked for just before the takeover, or other hours have begun
            with suppress(LullwaveError):
                station.steer(wanted)
        return station

    def _own_prompt(self) -> str:
        return OwnProgramme(self._config, minute_of_day(self._clock.wall())).prompt

    def _state(self, station: ProducedStation) -> ProgrammeState | None:
        """The state at the end of what was taken; None if the one before is still good."""
        found = station.snapshot_now()
        if found is None:
            if self._lost or not self._other_music:
                return None
            self._lost = True
            return ProgrammeState("", b"", 0, b"", station.prompt)
        name, snapshot, skip = found
        self._other_music = self._lost = False
        return ProgrammeState(name, snapshot.data, skip, station.pulled.master_state(), snapshot.prompt)
