"""What a station of a store has played: its pieces and changes, and any kept moment as it was heard.

Each segment in which something began has an object of its own, in a folder for its day, so that no server reads sound
to know that.
"""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from ..archive.history import LAST, HistoryEntry
from ..audio import Audio, concat
from ..codecs import Tags
from ..errors import NotFound, StorageUnavailable, StreamClosed
from ..ring import FellBehind
from ..station import RATE
from ..storage.objects import ObjectStore
from .reader import SegmentReader
from .segment import SEGMENT_FRAMES, Keys, Segment
from .writer import SegmentWriter

DAYS = 31  # of silence after which the history ends
READ_AT_ONCE = 8  # objects
CACHED = 4096  # objects that a server remembers
RUN = 1  # frames count on, whatever process makes the music, so all is one run


def add_entries(store: ObjectStore, segment: Segment, writer: SegmentWriter) -> None:
    """Write down what begins in a segment, before the segment counts.

    Raises:
        StorageUnavailable
    """
    air = writer.manifest.air(segment.number)
    found = [
        [event.kind, event.frame, air + (event.frame - segment.frame) / RATE, dict(event.data)]
        for event in segment.events
        if event.kind in ("piece", "steer")
    ]
    if found:
        name = f"{segment.number:010d}-{writer.epoch:08d}.json"
        day = Keys(writer.station).history(_day(datetime.fromtimestamp(air, UTC).date()))
        store.put_if_absent(f"{day}/{name}", json.dumps(found, default=str).encode())


def keys_before(store: ObjectStore, station: str, before: float) -> list[str]:
    """The keys of the days that ended before a time of day (seconds since 1970).

    Raises:
        StorageUnavailable
    """
    oldest, folder = _day(datetime.fromtimestamp(before, UTC).date()), f"{station}/history"
    return [key for key in store.list(folder) if key.removeprefix(folder + "/").partition("/")[0] < oldest]


class StoreHistory:
    """The history of all stations of a store. Thread-safe."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._lock = threading.Lock()  # guards the next line
        self._read: OrderedDict[str, list[HistoryEntry]] = OrderedDict()  # by key; objects never change

    def entries(
        self,
        station: str,
        limit: int = 50,
        before: float | None = None,
        cursor: tuple[float, int] = LAST,
        now: float = 0.0,
    ) -> list[HistoryEntry]:
        """The last ``limit`` pieces and changes of the prompt that began before ``before`` and ``now``, newest first.

        To read on, pass the (wall, id) of the last entry as ``cursor``.

        Raises:
            StorageUnavailable
        """
        cursor = min(cursor, (now if before is None else min(now, before), 0))
        found: list[HistoryEntry] = []
        day = datetime.fromtimestamp(cursor[0], UTC).date()
        for _ in range(DAYS):
            if len(found) > limit:
                break
            found = self._of(station, day) + found
            day -= timedelta(days=1)
        pieces = [entry.frame for entry in found if entry.kind == "piece" and entry.wall <= now]
        shown = [entry for entry in found if (entry.wall, entry.id) < cursor][-limit:]
        heard = [replace(one, until=min((f for f in pieces if f > one.frame), default=None)) for one in shown]
        return heard[::-1]

    def replay(self, station: str, wall: float, seconds: float, stopped: Callable[[], bool] = lambda: False) -> Audio:
        """What was heard from ``wall`` on (seconds since 1970), with its tags; shorter if the station slept then.

        Raises:
            NotFound: the station was not on air, or the sound is no longer kept.
            StreamClosed: ``stopped()`` was true.
            StorageUnavailable
        """
        frames = round(seconds * RATE)
        manifest = SegmentReader(self._store, station).manifest()
        begin = None if manifest is None else manifest.frame_at(wall)
        if manifest is None or begin is None or manifest.air(begin // SEGMENT_FRAMES) > wall:
            raise NotFound("moment", f"{station} at {wall:.3f}")
        parts: list[Audio] = []
        first = begin // SEGMENT_FRAMES
        last = min(manifest.next, math.ceil((begin + frames) / SEGMENT_FRAMES))
        reader = SegmentReader(self._store, station, first)
        try:
            for segment in reader.ready():
                if stopped():
                    raise StreamClosed("the replay was stopped")
                if segment.number >= last or manifest.contiguous_from(segment.number) > first:
                    break
                parts.append(segment.audio)
        except FellBehind:
            raise NotFound("moment", f"{station} at {wall:.3f}") from None
        sound = concat(parts)[begin - first * SEGMENT_FRAMES :][:frames]
        piece = self.piece(station, wall)
        title, prompt = (str(piece.get(name, "")) for name in ("title", "prompt"))
        return replace(sound, tags=Tags.of_generated(title, prompt, engine=""))

    def piece(self, station: str, wall: float) -> dict[str, object]:
        """The data of the piece that was heard at a time of day; empty if none is known."""
        entries = self.entries(station, 20, before=wall + 1e-6, now=math.inf)
        return dict(next((one.data for one in entries if one.kind == "piece"), {}))

    def _of(self, station: str, day: date) -> list[HistoryEntry]:
        """What began on a day, oldest first."""
        keys: dict[str, str] = {}  # segment → key; of two producers' the later counts
        for key in self._store.list(Keys(station).history(_day(day))):
            keys[key.rpartition("/")[2].partition("-")[0]] = key
        with ThreadPoolExecutor(READ_AT_ONCE) as pool:
            return [entry for entries in pool.map(self._entries, keys.values()) for entry in entries]

    def _entries(self, key: str) -> list[HistoryEntry]:
        with self._lock:
            if key in self._read:
                return self._read[key]
        found = self._store.get(key)
        entries = [] if found is None else _decoded(found.data)
        with self._lock:
            self._read[key] = entries
            while len(self._read) > CACHED:
                self._read.popitem(last=False)
        return entries


def _decoded(data: bytes) -> list[HistoryEntry]:
    try:
        return [
            HistoryEntry(int(frame) * 2 + (kind == "steer"), RUN, int(frame), float(wall), str(kind), dict(more))
            for kind, frame, wall, more in json.loads(data)
        ]
    except (ValueError, TypeError):
        raise StorageUnavailable(f"a damaged entry of the history: {data[:80]!r}") from None


def _day(day: date) -> str:
    return day.strftime("%Y%m%d")
