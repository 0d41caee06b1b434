"""Produces a station's programme into a store, from an engine's stream, while this process has the lease.

Any number of processes may run a producer of one station. The one with the lease renders, masters and writes segments,
some seconds before they go on air. The others wait. When it dies, another one restores the latest state, renders what
was written since and drops it, and goes on with the next sample.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from ..audio import Audio
from ..clock import Clock
from ..engines.base import Engine
from ..errors import EngineError, EngineLost, SnapshotError, StorageUnavailable, StreamClosed
from ..mastering import Master
from ..request import Request
from ..station import CHANNELS, RATE, Event, OutputLevels
from ..station.adapter import StationStream
from ..storage.objects import ObjectStore
from .lease import RENEW_EVERY_S, Lease, LeaseLost
from .reader import SegmentReader
from .segment import SEGMENT_FRAMES, Keys, ProgrammeState, Segment
from .writer import RETENTION_S, SegmentWriter

AHEAD_S = 24.0  # a segment is written this long before it goes on air: longer than a takeover takes
STAND_BY_S = 1.0  # between two attempts to get the lease
RETRY_S = 0.5  # after a failure of the store
STATE_EVERY = 8  # segments between two states: a takeover renders at most 16 s again
EARLY_S = 0.001  # tolerance of the time at which a segment is due: times of day are rounded

log = logging.getLogger(__name__)


class _Output(NamedTuple):
    """What was rendered for one segment."""

    segment: Segment
    state: ProgrammeState | None  # before it


class SegmentProducer:
    """One process's part in producing one station. One thread: call ``step`` again after as long as it says."""

    def __init__(
        self,
        store: ObjectStore,
        station: str,
        load: Callable[[], Engine],
        request: Request,
        clock: Clock,
        levels: OutputLevels | None = None,
        ahead_s: float = AHEAD_S,
        retention_s: float = RETENTION_S,
    ) -> None:
        self.station = station
        self._store, self._load, self._request, self._clock = store, load, request, clock
        self._levels = levels or OutputLevels()
        self._ahead_s, self._retention_s = ahead_s, retention_s
        self._reader = SegmentReader(store, station)
        self._lease = Lease(store, Keys(station).lease, clock)
        self._renew_at = 0.0
        self._engine: Engine | None = None  # loaded before the lease is got: that may take longer than it lasts
        self._writer: SegmentWriter | None = None  # while this process produces
        self._stream: StationStream | None = None
        self._master = self._new_master()
        self._number = 0  # of the segment that is rendered next
        self._begun_anew = False  # the state in the store is of another stream
        self._output: _Output | None = None  # rendered, not written yet
        self._failing = False

    @property
    def producing(self) -> bool:
        """Whether this process writes the programme."""
        return self._writer is not None

    def step(self) -> float:
        """Do what is due, at most one segment; returns the seconds after which to call again.

        Raises:
            EngineError: the engine failed; the lease was released, so that another process can produce.
        """
        try:
            if self._writer is None:
                left = self._stand_by()
            else:
                if self._clock.now() >= self._renew_at:
                    self._lease.renew()
                    self._renew_at = self._clock.now() + RENEW_EVERY_S
                left = self._produce(self._writer) if self._lease.epoch is not None else RETRY_S
            self._failing = False
            return left
        except LeaseLost as error:
            log.warning("station %s: %s; standing by", self.station, error)
            self._stop_producing()
            return STAND_BY_S
        except StorageUnavailable as error:
            if not self._failing:
                log.warning("station %s: %s; trying again", self.station, error)
            self._failing = True
            return RETRY_S
        except EngineError:
            self.close()
            raise

    def close(self) -> None:
        """Stop producing and release the lease."""
        self._stop_producing()
        try:
            self._lease.release()
        except StorageUnavailable as error:
            log.warning("station %s: %s; its lease will expire", self.station, error)

    def _stand_by(self) -> float:
        """Try to become the producer."""
        self._engine = self._engine or self._load()
        epoch = self._lease.epoch
        if epoch is None:
            manifest = self._reader.manifest()
            epoch = self._lease.acquire(above=manifest.epoch if manifest is not None else 0)
            if epoch is None:
                return STAND_BY_S
            self._renew_at = self._clock.now() + RENEW_EVERY_S
        writer = SegmentWriter.begin(self._store, self.station, epoch, self._clock.wall(), self._retention_s)
        self._open(writer, self._engine)
        self._writer = writer
        return 0.0

    def _produce(self, writer: SegmentWriter) -> float:
        """Render a segment that was written before, or write the next one if it is due."""
        manifest = writer.manifest
        if self._number < manifest.next:
            self._render()
            self._output = None
            return 0.0
        early = manifest.air(manifest.next) - self._ahead_s - self._clock.wall()
        if early > EARLY_S:
            return min(early, max(0.0, self._renew_at - self._clock.now()))
        self._output = self._output or self._render()
        writer.add(*self._output)
        self._output = None
        return 0.0

    def _render(self) -> _Output:
        """Render the segment ``_number``. The engine's frames are heard later by the latency of the master."""
        assert self._stream is not None
        stream, number = self._stream, self._number
        state = self._state(stream) if self._begun_anew or number % STATE_EVERY == 0 else None
        start = stream.position
        mastered = self._master.process(Audio(stream.read(SEGMENT_FRAMES), RATE))
        delay = self._master.latency_frames
        events = tuple(Event(m.kind, m.frame + delay, dict(m.data)) for m in stream.marks(start, stream.position))
        self._number, self._begun_anew = number + 1, False
        self._output = _Output(Segment(number, mastered, events), state)
        return self._output

    def _state(self, stream: StationStream) -> ProgrammeState:
        """The state before the next segment."""
        assert self._engine is not None
        try:
            frame, snapshot = stream.snapshot()
        except (EngineLost, StreamClosed):
            raise
        except EngineError:
            frame, snapshot = stream.position, b""
        return ProgrammeState(self._engine.name, snapshot, stream.position - frame, self._master.state())

    def _open(self, writer: SegmentWriter, engine: Engine) -> None:
        """Continue the programme from its latest state, or with a new stream where that is impossible."""
        manifest = writer.manifest
        self._output = None
        try:
            state = self._reader.state(manifest)
            if state is not None and manifest.state is not None:
                self._restore(engine, state, manifest.state)
                return
            reason = "there is no state"
        except SnapshotError as error:
            reason = str(error)
        if manifest.next:
            log.warning("station %s: the music begins anew: %s", self.station, reason)
        self._master = self._new_master()
        self._number, self._begun_anew = manifest.next, True
        self._stream = StationStream(engine.stream(self._request), self._number * SEGMENT_FRAMES)

    def _restore(self, engine: Engine, state: ProgrammeState, number: int) -> None:
        """Go on before segment ``number``.

        Raises:
            SnapshotError: the state is of another engine or version.
        """
        if state.engine != engine.name:
            raise SnapshotError(f"it is a state of {state.engine!r}, not of {engine.name!r}")
        if not state.snapshot:
            raise SnapshotError(f"the engine {engine.name!r} has no snapshots")
        master = self._new_master()
        master.restore(state.master)
        stream = StationStream(engine.restore(state.snapshot), number * SEGMENT_FRAMES - state.skip)
        stream.read(state.skip)
        self._master, self._stream, self._number, self._begun_anew = master, stream, number, False

    def _new_master(self) -> Master:
        return Master(RATE, CHANNELS, self._levels.loudness_lufs, self._levels.ceiling_dbtp)

    def _stop_producing(self) -> None:
        self._writer = self._output = None
        if self._stream is not None:
            self._stream.close()
        self._stream = None
