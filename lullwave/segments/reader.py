"""Reads a station's programme from a store: each segment once, in order, across changes of the producer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from ..clock import Clock
from ..errors import SnapshotError, StorageUnavailable
from ..ring import FellBehind
from ..storage.objects import ObjectStore
from .segment import Keys, Manifest, ProgrammeState, Segment

POLL_S = 0.5  # between two looks at the manifest

log = logging.getLogger(__name__)


class SegmentReader:
    """Reads one station. Any number of readers, in any process; one thread each.

    It begins at segment ``start``; None is the oldest one that is kept when it first reads.
    """

    def __init__(self, store: ObjectStore, station: str, start: int | None = None) -> None:
        self.number = start  # of the segment to be read next; None until the first was read
        self.latest: Manifest | None = None  # the manifest as it was read last
        self._store, self._keys = store, Keys(station)

    def manifest(self) -> Manifest | None:
        """What there is now; None if nothing was produced yet.

        Raises:
            StorageUnavailable
        """
        found = self._store.get(self._keys.manifest)
        if found is not None:
            self.latest = Manifest.decode(found.data)
        return self.latest if found is not None else None

    def ready(self) -> Iterator[Segment]:
        """The segments that can be read now and were not read before.

        Raises:
            FellBehind: the next one was deleted, because it is older than is kept.
            StorageUnavailable: the store does not answer. Call again: nothing is skipped.
            CodecError: a segment is damaged.
        """
        manifest = self.manifest()
        if manifest is None:
            return
        if self.number is None:
            self.number = manifest.first
        for number in range(self.number, manifest.next):
            segment = self.read(manifest, number)
            self.number = number + 1
            yield segment

    def read(self, manifest: Manifest, number: int) -> Segment:
        """A segment that a manifest has: what a manifest says of its segments is true of all later ones.

        Raises:
            FellBehind: it was deleted, because it is older than is kept.
            StorageUnavailable: the store does not answer.
            CodecError: it is damaged.
        """
        key = self._keys.segment(number, manifest.run_of(max(number, manifest.first)).epoch)
        found = self._store.get(key) if number >= manifest.first else None
        if found is None:
            raise FellBehind(f"{self._keys.station}: segment {number} is no longer kept")
        return Segment.decode(number, found.data)

    def tail(self, clock: Clock, stopped: Callable[[], bool] = lambda: False) -> Iterator[Segment]:
        """All segments from now on, as they are written, until ``stopped()`` is true.

        A store that does not answer is asked again; one warning is logged each time it stops answering.

        Raises:
            FellBehind, CodecError: as ``ready``.
        """
        waiter = clock.waiter()
        answers = True
        try:
            while not stopped():
                try:
                    yield from self.ready()
                    answers = True
                except StorageUnavailable as error:
                    if answers:
                        log.warning("station %s: %s; trying again", self._keys.station, error)
                    answers = False
                waiter.wait_until(clock.now() + POLL_S)
        finally:
            waiter.close()

    def state(self, manifest: Manifest) -> ProgrammeState | None:
        """The state from which ``manifest.state`` follows; None if there is none.

        Raises:
            StorageUnavailable: the store does not answer.
            SnapshotError: it is damaged.
        """
        if manifest.state is None:
            return None
        found = self._store.get(self._keys.state(manifest.state, manifest.state_epoch))
        if found is None:
            raise SnapshotError(f"{self._keys.station}: the state at segment {manifest.state} is gone")
        return ProgrammeState.decode(found.data)
