"""Reads runs of frames of a programme in a store, each stored segment once where they follow each other."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from ...audio import Samples
from ...errors import CodecError
from ...ring import FellBehind
from ...segments.reader import SegmentReader
from ...segments.segment import SEGMENT_FRAMES, Manifest
from ...storage.objects import ObjectStore

DECODED = 3  # stored segments that are kept decoded, 0.7 MB each: as many as a segment of HLS and its warm-up touch


class StoredSound:
    """The sound of one station's programme. One thread at a time."""

    def __init__(self, store: ObjectStore, station: str) -> None:
        self._reader = SegmentReader(store, station)
        self._decoded: OrderedDict[tuple[float, int], Samples] = OrderedDict()  # by programme and number, newest last

    def read(self, manifest: Manifest, begin: int, end: int) -> Samples | None:
        """Frames ``begin`` to ``end`` of the manifest's programme, (T, 2); None if they are not all kept, or damaged.

        Raises:
            StorageUnavailable
        """
        first, last = begin // SEGMENT_FRAMES, (end - 1) // SEGMENT_FRAMES
        try:
            parts = [self._segment(manifest, number) for number in range(first, last + 1)]
        except (FellBehind, CodecError):
            return None
        return np.concatenate(parts)[begin - first * SEGMENT_FRAMES : end - first * SEGMENT_FRAMES]

    def _segment(self, manifest: Manifest, number: int) -> Samples:
        key = manifest.began, number
        if key not in self._decoded:
            self._decoded[key] = self._reader.read(manifest, number).audio.samples
        self._decoded.move_to_end(key)
        while len(self._decoded) > DECODED:
            self._decoded.popitem(last=False)
        return self._decoded[key]
