"""The HLS of a station in a shared store: the same segments, under the same names, from every server of the store.

The segments divide the programme: number n begins at its frame ``n * SEGMENT_FRAMES`` on every server. What is
listed follows from the manifest and the time of day. So a server that has just started, or restarted, gives any segment
that another one has listed lately, from the sound in the store. Each is made once and kept while it may be asked for,
and those of the playlist go before older ones: whatever is asked for, listeners get theirs in time.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import itertools
import logging
import re
from contextlib import suppress

from ...audio import Audio
from ...clock import Clock
from ...codecs.fragmented_mp4 import LOOKAHEAD_FRAMES, PACKET_FRAMES, WARM_PACKETS, AacFragments, header
from ...errors import StorageUnavailable
from ...segments import segment as stored
from ...segments.reader import SegmentReader
from ...segments.segment import Manifest
from ...segments.stored_station import StoredStation
from ...station import CHANNELS, RATE, Epoch
from ...storage.objects import ObjectStore
from ..errors import Full
from .feed import HOLD_S, KBPS, KEPT, READY, HlsFeed
from .playlists import LISTED, PACKETS, SEGMENT_FRAMES, SEGMENT_S, Segment, Session
from .stored_sound import StoredSound
from .turns import Turns

EARLY_S = 2.0  # a segment is given this long before it has been on air: clocks of servers differ
LATE_S = KEPT * SEGMENT_S + 60.0  # and for this long after: playlists listed it lately, and clients may be slow
PAUSE_S = 60.0  # a programme that was not on air for longer has slept: playlists begin after that
LOOK_S = 0.25  # between two looks for new segments
MOST_WAITING = 2  # segments older than those of the playlist that have to be made at the same time
_ENCODING = f"aac-fast-{PACKETS}-{WARM_PACKETS}-1"  # segments that are encoded otherwise get other names
_NAME = re.compile(r"([0-9a-f]{12})-([0-9]{1,4})-(?:([0-9]{1,12})\.m4s|init\.mp4)")

log = logging.getLogger(__name__)


class StoredHls(HlsFeed):
    """Encodes the programme of a store ahead of what is on air, while somebody asks, and late segments on request."""

    def __init__(self, store: ObjectStore, station: StoredStation, clock: Clock) -> None:
        super().__init__()
        self._station, self._clock, self._store = station, clock, store
        self._reader = SegmentReader(store, station.id)  # of the manifest
        self._read: Manifest | None = None  # the manifest that it read last
        self._read_at = -LOOK_S  # in the event loop's time
        self._reading = asyncio.Lock()
        self._listed: tuple[Manifest, int, dict[int, list[Segment]]] | None = None  # manifest, end of the list, lists
        self._files: dict[str, tuple[int, float, bytes]] = {}  # segments by name: index, when it has been on air, data
        self._headers: dict[str, bytes] = {}  # of the programme that is listed, by name
        self._making: dict[str, asyncio.Task[bytes | None]] = {}  # by name
        self._old: set[str] = set()  # those of them that are older than the playlist
        self._turns = Turns()  # one thread encodes, and reads the sound
        self._sound = StoredSound(store, station.id)
        self._ahead: asyncio.Task[None] | None = None  # while somebody asks

    @property
    def active(self) -> bool:
        return self._ahead is not None

    async def segments(self, kbps: int) -> list[Segment]:
        self.hold()
        while self.active and not self.ready(kbps):
            with suppress(StorageUnavailable):
                if await self._fresh() is not None and self.ready(kbps):
                    break
            await asyncio.sleep(LOOK_S)
        return self.ready(kbps) if self.active else []

    def ready(self, kbps: int) -> list[Segment]:
        manifest, wall = self._newest(), self._clock.wall()
        if manifest is None:
            return []
        end = _aired(manifest, wall)
        if self._listed is None or self._listed[0] is not manifest or self._listed[1] != end:
            self._listed = manifest, end, {rate: self._segments(manifest, rate, end) for rate in KBPS}
            lists = self._listed[2].items()
            self._headers = {one.init_name: header(RATE, CHANNELS, rate) for rate, found in lists for one in found[-1:]}
        found = self._listed[2].get(kbps, [])
        if len(found) < READY or wall - manifest.frame_air(end * SEGMENT_FRAMES - 1) > PAUSE_S:
            return []  # the programme has just begun, or has not gone on yet
        return found

    def find(self, name: str) -> bytes | None:
        if (found := self._files.get(name)) is None:
            return self._headers.get(name)
        _, air, data = found
        return data if air <= self._clock.wall() + EARLY_S else None

    async def fetch(self, name: str) -> bytes | None:
        parts = _NAME.fullmatch(name)
        if parts is None or int(parts[2]) not in KBPS:
            return None
        if (data := self.find(name)) is not None:
            return data
        manifest = self._newest()
        if manifest is None or not self._has(manifest, parts):
            manifest = await self._fresh()
            if manifest is None or not self._has(manifest, parts):
                return None
        if parts[3] is None:
            return await asyncio.to_thread(header, RATE, CHANNELS, int(parts[2]))
        index = int(parts[3]) - _session(self._station.id, manifest.began).first
        if not -LATE_S <= _air(manifest, index) - self._clock.wall() <= EARLY_S:
            return None
        return await self._made(manifest, index, int(parts[2]))

    def _has(self, manifest: Manifest, parts: re.Match[str]) -> bool:
        """Tell whether a name is that of a file that can be made from what a manifest has."""
        session = _session(self._station.id, manifest.began)
        if session.name != parts[1]:
            return False
        return parts[3] is None or _first_kept(manifest) <= int(parts[3]) - session.first < _made_until(manifest)

    def _begin(self) -> None:
        if self._ahead is None:
            self._ahead = asyncio.create_task(self._encode_ahead())

    def _end(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
        self._ahead, self._files, self._listed = None, {}, None
        self._sound = StoredSound(self._store, self._station.id)  # the encoder may still be at work with the one before

    def _newest(self) -> Manifest | None:
        """The newest manifest that was read by this process."""
        one, other = self._station.manifest, self._read
        if one is None or other is None:
            return one or other
        return max(one, other, key=lambda found: (found.began, found.next, found.epoch))

    async def _fresh(self) -> Manifest | None:
        """The manifest as it was at most ``LOOK_S`` ago.

        Raises:
            StorageUnavailable
        """
        loop = asyncio.get_running_loop()
        async with self._reading:
            if loop.time() - self._read_at >= LOOK_S:
                self._read = await asyncio.to_thread(self._reader.manifest)
                self._read_at = loop.time()
        return self._newest()

    def _segments(self, manifest: Manifest, kbps: int, end: int) -> list[Segment]:
        """Those of a playlist that ends before index ``end``. Where the programme has slept, it begins after that."""
        begin = max(_first_kept(manifest), end - LISTED)
        for before, run in itertools.pairwise(manifest.runs):
            pause_s = run.wall - before.wall - (run.first - before.first) * stored.SEGMENT_S
            awoken = -(-run.first * stored.SEGMENT_FRAMES // SEGMENT_FRAMES)
            if pause_s > PAUSE_S and run.first * stored.SEGMENT_FRAMES < end * SEGMENT_FRAMES:
                begin = max(begin, awoken)
        return [_segment(self._station.id, manifest, kbps, index) for index in range(begin, end)]

    async def _encode_ahead(self) -> None:
        """Encode all that is in the store, so that an outage of the store is not heard."""
        while True:
            try:
                if (manifest := self._newest()) is not None:
                    begin = max(_first_kept(manifest), _aired(manifest, self._clock.wall()) - READY - 1)
                    for index in range(begin, _made_until(manifest)):
                        for kbps in KBPS:
                            await self._made(manifest, index, kbps)
            except StorageUnavailable:
                pass  # the station's reader tells it
            except Exception:  # an error of our own must not end the segments for good
                log.exception("station %s: error while it encodes its HLS; trying again", self._station.id)
            await asyncio.sleep(LOOK_S)

    async def _made(self, manifest: Manifest, index: int, kbps: int) -> bytes | None:
        """A segment, made once however many ask for it; None if its sound is no longer kept.

        Those of the playlist, of one that was sent lately, and those to come go before older ones, without a limit:
        they are a few dozen at most.

        Raises:
            StorageUnavailable
            Full: it is older, and so are too many others that have to be made.
        """
        name = _segment(self._station.id, manifest, kbps, index).name
        if name in self._files:
            return self._files[name][2]
        if (making := self._making.get(name)) is None:
            urgent = index >= _aired(manifest, self._clock.wall()) - LISTED - READY
            if not urgent:
                if len(self._old) >= MOST_WAITING:
                    raise Full("too many old segments are being made", SEGMENT_S)
                self._old.add(name)
            making = self._making[name] = asyncio.create_task(self._make(manifest, index, kbps, name, urgent))
            making.add_done_callback(lambda done: self._forget(name, done))
        return await asyncio.shield(making)

    def _forget(self, name: str, done: asyncio.Task[bytes | None]) -> None:
        del self._making[name]
        self._old.discard(name)
        if not done.cancelled():
            done.exception()  # raised where it is waited for; asyncio complains of errors that nobody reads

    async def _make(self, manifest: Manifest, index: int, kbps: int, name: str, urgent: bool) -> bytes | None:
        async with self._turns.turn(urgent):
            data = await asyncio.to_thread(self._encoded, manifest, index, kbps)
        if data is not None:
            self._files[name] = index, _air(manifest, index), data
            oldest = self._clock.wall() - LATE_S
            self._files = {one: kept for one, kept in self._files.items() if kept[1] >= oldest}
            if not self.active:
                self._held.hold(HOLD_S)  # it may be asked for again
        return data

    def _encoded(self, manifest: Manifest, index: int, kbps: int) -> bytes | None:
        """A segment of a programme; None if its sound is no longer kept. The encoder's thread.

        Raises:
            StorageUnavailable
        """
        begin = max(0, index * SEGMENT_FRAMES - WARM_PACKETS * PACKET_FRAMES)
        sound = self._sound.read(manifest, begin, (index + 1) * SEGMENT_FRAMES + LOOKAHEAD_FRAMES)
        if sound is None:
            return None
        encoder = AacFragments(RATE, CHANNELS, kbps, PACKETS, begin, until=index + 1)
        ((_, data),) = encoder.encode(Audio(sound, RATE))
        return data


@functools.lru_cache
def _session(station: str, began: float) -> Session:
    """The whole programme, the same in every process. Its numbers follow those of an earlier programme."""
    number = int(began / SEGMENT_S)
    name = hashlib.blake2b(f"{station} {began!r} {_ENCODING}".encode(), digest_size=6).hexdigest()
    return Session(name, number, number)


@functools.lru_cache
def _epochs(manifest: Manifest) -> tuple[Epoch, ...]:
    return tuple(Epoch(run.first * stored.SEGMENT_FRAMES, run.wall) for run in manifest.runs)


def _segment(station: str, manifest: Manifest, kbps: int, index: int) -> Segment:
    return Segment(_session(station, manifest.began), kbps, index, _epochs(manifest))


def _first_kept(manifest: Manifest) -> int:
    """The index of the oldest segment that can be made: an encoder also needs what was before it."""
    if not manifest.first:
        return 0
    return -(-(manifest.first * stored.SEGMENT_FRAMES + WARM_PACKETS * PACKET_FRAMES) // SEGMENT_FRAMES)


def _made_until(manifest: Manifest) -> int:
    """The index of the first segment that cannot be made yet."""
    return max(0, (manifest.next * stored.SEGMENT_FRAMES - LOOKAHEAD_FRAMES) // SEGMENT_FRAMES)


def _aired(manifest: Manifest, wall: float) -> int:
    """The index of the first segment that has not wholly been on air at a time of day."""
    return min(manifest.aired(wall) // SEGMENT_FRAMES, _made_until(manifest))


def _air(manifest: Manifest, index: int) -> float:
    """When a segment has been on air, in seconds since 1970."""
    return manifest.frame_air((index + 1) * SEGMENT_FRAMES - 1)
