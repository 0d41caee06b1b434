"""Produces a station's programme into a store while this process has the lease.

Any number of processes may run a producer of one station. The one with the lease renders, masters and writes segments,
some seconds before they go on air. The others wait. When it dies, another one restores the latest state, renders what
was written since and drops it, and goes on with the next sample.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from ..clock import Clock
from ..errors import EngineError, SnapshotError, StorageUnavailable
from ..storage.objects import ObjectStore
from .history import add_entries
from .lease import RENEW_EVERY_S, Lease, LeaseLost
from .reader import SegmentReader
from .rendering import Rendered, Renderer
from .segment import Keys, Manifest
from .writer import RETENTION_S, SegmentWriter

AHEAD_S = 24.0  # a segment is written this long before it goes on air: longer than a takeover takes
STAND_BY_S = 1.0  # between two attempts to get the lease
RETRY_S = 0.5  # after a failure of the store
MUSIC_S = 0.1  # between two looks for music that is not made yet
LOOK_S = 0.5  # longest time between two steps: somebody may want the music, or change it
STATE_EVERY = 8  # segments between two states: a takeover renders at most 16 s again
EARLY_S = 0.001  # tolerance of the time at which a segment is due: times of day are rounded
LATE_S = 1.0  # a segment that is later than this goes on air when it is there, and all later ones after it

log = logging.getLogger(__name__)


class Timing(NamedTuple):
    """When a programme is written and heard."""

    ahead_s: float = AHEAD_S  # written this long before it is heard
    burst_s: float = 0.0  # where it begins or wakes, this much of it is heard at once
    retention_s: float = RETENTION_S


def always() -> bool:
    """Somebody wants the music."""
    return True


class SegmentProducer:
    """One process's part in producing one station. One thread: call ``step`` again after as long as it says.

    ``wanted`` tells whether the programme goes on; it is asked at each step of the producer. ``name`` is that of a
    process that is started again when it has ended, as of ``Lease``.
    """

    def __init__(
        self,
        store: ObjectStore,
        station: str,
        renderer: Renderer,
        clock: Clock,
        timing: Timing | None = None,
        wanted: Callable[[], bool] = always,
        name: str = "",
    ) -> None:
        self.station = station
        self._renderer, self._clock, self._store = renderer, clock, store
        self._timing, self._wanted = timing or Timing(), wanted
        self._reader = SegmentReader(store, station)
        self._lease = Lease(store, Keys(station).lease, clock, name=name)
        self._renew_at = 0.0
        self._writer: SegmentWriter | None = None  # while this process produces
        self._number = 0  # of the segment that is rendered next
        self._begun_anew = False  # the state in the store is of other music
        self._asleep = False
        self._output: Rendered | None = None  # rendered, not written yet
        self._failing = False

    @property
    def producing(self) -> bool:
        """Whether this process writes the programme."""
        return self._writer is not None

    @property
    def asleep(self) -> bool:
        """Whether nobody wants the programme."""
        return self._asleep

    @property
    def epoch(self) -> int | None:
        """The epoch of the lease while it is held for certain."""
        return self._lease.epoch if self.producing else None

    @property
    def manifest(self) -> Manifest | None:
        """The manifest as this producer wrote it last; None while it does not produce."""
        return None if self._writer is None else self._writer.manifest

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
            self._lease.doubt()
            return RETRY_S
        except EngineError:
            self.close()
            raise

    def watch(self) -> None:
        """Look at the lease, in place of ``step``, while another process is to get it."""
        try:
            self._lease.look()
        except StorageUnavailable:
            self._lease.doubt()

    def close(self) -> None:
        """Stop producing and release the lease."""
        self._stop_producing()
        try:
            self._lease.release()
        except StorageUnavailable as error:
            log.warning("station %s: %s; its lease will expire", self.station, error)

    def _stand_by(self) -> float:
        """Try to become the producer."""
        self._renderer.load()  # before the lease is got: that may take longer than it lasts
        epoch = self._lease.epoch
        if epoch is None:
            began = self._clock.now()
            manifest = self._reader.manifest()
            if self._clock.now() - began > RENEW_EVERY_S:
                self._lease.doubt()
            epoch = self._lease.acquire(above=manifest.epoch if manifest is not None else 0)
            if epoch is None:
                return STAND_BY_S
            self._renew_at = self._clock.now() + RENEW_EVERY_S
        wall = self._clock.wall() - self._timing.burst_s
        writer = SegmentWriter.begin(self._store, self.station, epoch, wall, self._timing.retention_s)
        self._open(writer.manifest)
        self._writer = writer
        log.info("station %s: this process makes its music now (epoch %d)", self.station, epoch)
        return 0.0

    def _produce(self, writer: SegmentWriter) -> float:
        """Render a segment that was written before, or write the next one if it is due."""
        manifest, wall = writer.manifest, self._clock.wall()
        if self._number < manifest.next:
            return self._render(manifest, again=True)
        if not self._wanted():
            if not self._asleep:
                self._sleep(True)
            return LOOK_S
        if self._asleep:
            self._sleep(False)
        air, burst_s = manifest.air(manifest.next), self._timing.burst_s
        early = air - self._timing.ahead_s - wall
        if early > EARLY_S:
            return min(early, LOOK_S, max(0.0, self._renew_at - self._clock.now()))
        if self._output is None:
            return self._render(manifest)
        if air < wall - LATE_S - burst_s:
            awoken = air < wall - self._timing.ahead_s or manifest.runs[-1].first == manifest.next
            writer.go_on_at(wall - burst_s if awoken else wall)
        add_entries(self._store, self._output.segment, writer)
        writer.add(self._output.segment, self._output.state)
        self._output, self._begun_anew = None, False
        return 0.0

    def _render(self, manifest: Manifest, again: bool = False) -> float:
        """Render the segment ``_number``; kept as ``_output`` unless it was written before."""
        number = self._number
        due = not again and (self._begun_anew or number % STATE_EVERY == STATE_EVERY - 1)
        rendered = self._renderer.render(number, manifest.air(number), due, again)
        if rendered is None:
            return MUSIC_S
        self._number = number + 1
        self._output = None if again else rendered
        return 0.0

    def _sleep(self, asleep: bool) -> None:
        self._asleep = asleep
        self._renderer.set_asleep(asleep)

    def _open(self, manifest: Manifest) -> None:
        """Continue the programme from its latest state, or with new music where that is impossible."""
        self._output, self._asleep = None, False
        try:
            state = self._reader.state(manifest)
            if state is not None and manifest.state is not None:
                self._renderer.restore(state, manifest.state)
                self._number, self._begun_anew = manifest.state, False
                return
            reason = "there is no state"
        except SnapshotError as error:
            reason = str(error)
        if manifest.next:
            log.warning("station %s: the music begins anew: %s", self.station, reason)
        self._renderer.begin(manifest.next)
        self._number, self._begun_anew = manifest.next, True

    def _stop_producing(self) -> None:
        self._writer = self._output = None
        self._renderer.close()
