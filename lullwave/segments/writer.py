"""Writes a station's programme into a store, as the producer of one epoch, and deletes what is older than is kept.

A segment is written first, under a name that carries the epoch; then the manifest, in the version that this writer has
written or read itself. A producer of a later epoch begins by writing the manifest. So an older one that goes on fails
at its next manifest: nothing of the new one's is touched, and the old one's last segment never counts.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import replace

from ..errors import StorageUnavailable
from ..storage.objects import ObjectStore
from .lease import LeaseLost
from .segment import SEGMENT_S, Keys, Manifest, ProgrammeState, Run, Segment

RETENTION_S = 3600.0
DELETED_AT_ONCE = 8  # objects with each segment: the lease is renewed between two segments
_TRIES = 8  # attempts to replace the manifest of a producer that still writes; it writes every two seconds


class SegmentWriter:
    """The programme of one station, from one producer. One thread. Made by ``begin``.

    After ``StorageUnavailable``, call ``add`` again with the same segment.
    """

    def __init__(self, store: ObjectStore, keys: Keys, manifest: Manifest, version: str, retention_s: float) -> None:
        self.manifest = manifest  # as last written
        self.station, self.epoch = keys.station, manifest.epoch
        self._store, self._keys, self._version = store, keys, version
        self._kept = max(1, round(retention_s / SEGMENT_S))  # segments
        self._old: deque[str] = deque()  # keys to be deleted

    @classmethod
    def begin(
        cls, store: ObjectStore, station: str, epoch: int, wall: float, retention_s: float = RETENTION_S
    ) -> SegmentWriter:
        """Take the programme over for ``epoch``; from then on writers of earlier epochs fail.

        The next segment goes on air where the last one ends, or at ``wall`` (seconds since 1970) if that is later.

        Raises:
            LeaseLost: the manifest is of a later epoch.
            StorageUnavailable: try again with the same epoch.
        """
        keys = Keys(station)
        for _ in range(_TRIES):
            found = store.get(keys.manifest)
            if found is None:
                manifest = Manifest(0, 0, (Run(epoch, 0, wall),), began=wall)
                version = store.put_if_absent(keys.manifest, manifest.encode())
            else:
                before = Manifest.decode(found.data)
                if before.epoch > epoch:
                    raise LeaseLost(f"{station}: epoch {before.epoch} has taken over from {epoch}")
                if before.epoch == epoch:  # an earlier attempt whose answer was lost
                    manifest, version = before, found.version
                else:
                    run = Run(epoch, before.next, max(wall, before.air(before.next)))
                    manifest = replace(before, runs=(*before.runs, run))
                    version = store.put_if_matches(keys.manifest, manifest.encode(), found.version)
            if version is not None:
                writer = cls(store, keys, manifest, version, retention_s)
                writer._sweep()
                return writer
        raise StorageUnavailable(f"{station}: the manifest changes all the time")

    def go_on_at(self, wall: float) -> None:
        """Let the next segment go on air at ``wall`` (seconds since 1970), after a gap.

        Raises:
            LeaseLost: another producer has taken over.
            StorageUnavailable: try again.
        """
        run = Run(self.epoch, self.manifest.next, wall)
        runs = tuple(one for one in self.manifest.runs if one.first < run.first)
        self._replace(replace(self.manifest, runs=(*runs, run)))

    def add(self, segment: Segment, state: ProgrammeState | None = None) -> None:
        """Write the next segment, and the state at its end.

        Raises:
            LeaseLost: another producer has taken over. The segment does not count.
            StorageUnavailable: try again with the same segment.
        """
        before, number = self.manifest, segment.number
        assert number == before.next, "segments are contiguous"
        if state is not None:
            self._put_new(self._keys.state(number + 1, self.epoch), state.encode())
        self._put_new(self._keys.segment(number, self.epoch), segment.encode())
        self._replace(self._with_segment(before, number, state is not None))
        self._old.extend(self._dropped(before))
        self._delete_some()

    def _replace(self, manifest: Manifest) -> None:
        """Write the manifest, if it still is the one that this producer wrote last."""
        data = manifest.encode()
        version = self._store.put_if_matches(self._keys.manifest, data, self._version)
        if version is None:
            found = self._store.get(self._keys.manifest)
            if found is None or found.data != data:  # else an earlier attempt whose answer was lost
                raise LeaseLost(f"{self._keys.station}: another producer has taken over from epoch {self.epoch}")
            version = found.version
        self.manifest, self._version = manifest, version

    def _with_segment(self, before: Manifest, number: int, has_state: bool) -> Manifest:
        """The manifest that also has segment ``number``, without segments that are too old."""
        first = max(before.first, number + 1 - self._kept)
        runs = tuple(run for run in before.runs if run.first >= before.run_of(min(first, number)).first)
        written = replace(before, first=first, next=number + 1, runs=runs)
        return replace(written, state=number + 1, state_epoch=self.epoch) if has_state else written

    def _put_new(self, key: str, data: bytes) -> None:
        """Write an object that no other producer writes.

        Raises:
            LeaseLost: another one has: two have the same epoch, because the lease was deleted.
        """
        if self._store.put_if_absent(key, data) is None:
            found = self._store.get(key)
            if found is None or found.data != data:
                raise LeaseLost(f"{key} is written by two producers of epoch {self.epoch}")

    def _dropped(self, before: Manifest) -> list[str]:
        """The keys of what the manifest before had and the present one has not."""
        now, keys = self.manifest, self._keys
        old = [keys.segment(n, before.run_of(n).epoch) for n in range(before.first, now.first)]
        if before.state not in (None, now.state):
            assert before.state is not None
            old.append(keys.state(before.state, before.state_epoch))
        return old

    def _sweep(self) -> None:
        """Delete the objects of earlier epochs that the manifest does not have: a producer died or was fenced."""
        now, keys = self.manifest, self._keys
        wanted = {keys.segment(n, now.run_of(n).epoch) for n in range(now.first, now.next)}
        if now.state is not None:
            wanted.add(keys.state(now.state, now.state_epoch))

        def earlier(key: str) -> bool:
            return int(key.rpartition("-")[2].partition(".")[0]) < self.epoch

        with suppress(StorageUnavailable, ValueError):  # the next producer sweeps, too
            for folder in (keys.segments, keys.states):
                self._old.extend(key for key in self._store.list(folder) if key not in wanted and earlier(key))
        self._delete_some()

    def _delete_some(self) -> None:
        """Delete a few of the old objects. What fails is left to the next producer's ``_sweep``."""
        for _ in range(min(DELETED_AT_ONCE, len(self._old))):
            with suppress(StorageUnavailable):
                self._store.delete(self._old.popleft())
