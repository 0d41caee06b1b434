"""HLS of a programme in a store: what is listed follows from the manifest and the time, the same for every reader."""

import asyncio
from types import SimpleNamespace

import m3u8
import numpy as np
import pytest
from faulty_store import FaultyStore
from pyav_decoder import decoded

from lullwave.audio import Audio
from lullwave.clock import SimulatedClock
from lullwave.codecs.fragmented_mp4 import header
from lullwave.segments.segment import SEGMENT_FRAMES as STORED_FRAMES
from lullwave.segments.segment import SEGMENT_S as STORED_S
from lullwave.segments.segment import Segment
from lullwave.segments.writer import SegmentWriter
from lullwave.server.errors import Full
from lullwave.server.hls import stored_feed
from lullwave.server.hls.feed import KBPS
from lullwave.server.hls.playlists import LISTED, SEGMENT_FRAMES, SEGMENT_S, media
from lullwave.server.hls.stored_feed import PAUSE_S, StoredHls
from lullwave.station import RATE
from lullwave.storage.objects import MemoryStore

pytest.importorskip("av")
AHEAD = 6  # stored segments that are written before they are heard


class Programme:
    """A store with the programme of one station, written by hand, and readers of it."""

    def __init__(self, retention_s: float = 3600.0) -> None:
        self.clock = SimulatedClock()
        self.store = FaultyStore(MemoryStore())
        self._retention_s = retention_s
        self.sound = np.zeros((0, 2), np.float32)
        self.begin()

    def begin(self, epoch: int = 1) -> None:
        self.writer = SegmentWriter.begin(self.store, "piano", epoch, self.clock.wall(), self._retention_s)

    def write(self, count: int) -> None:
        """Write segments, and let time pass until the last ``AHEAD`` of them are to come."""
        for _ in range(count):
            number = self.writer.manifest.next
            noise = np.random.default_rng(number).standard_normal((STORED_FRAMES, 2))
            part = Audio((0.1 * np.cumsum(noise, axis=0) / 300).astype(np.float32).clip(-1, 1), RATE)
            self.writer.add(Segment(number, part))
            self.sound = np.concatenate([self.sound, part.samples])
        manifest = self.writer.manifest
        self.clock.advance(max(0.0, manifest.air(manifest.next) - AHEAD * STORED_S - self.clock.wall()))

    def pause(self, seconds: float) -> None:
        """Nothing is on air for a while after what is written."""
        manifest = self.writer.manifest
        self.clock.advance(manifest.air(manifest.next) + seconds - self.clock.wall())
        self.writer.go_on_at(self.clock.wall())

    def reader(self) -> StoredHls:
        """The feed of a server that has the newest manifest."""
        return StoredHls(self.store, SimpleNamespace(id="piano", manifest=self.writer.manifest), self.clock)


def scenario(function):
    """Run a test that awaits."""
    return lambda: asyncio.run(function())


@scenario
async def test_readers_that_begin_at_other_times_list_and_give_the_same():
    programme = Programme()
    programme.write(12)
    early = programme.reader()
    files = {}
    for _ in range(8):
        for kbps in KBPS:
            for one in early.ready(kbps):
                files.setdefault(one.name, await early.fetch(one.name))
        programme.write(2)
        early._station.manifest = programme.writer.manifest
    late = programme.reader()
    for kbps in KBPS:
        assert media(early.ready(kbps), [(0, "A"), (900_000, "B")]) == media(
            late.ready(kbps), [(0, "A"), (900_000, "B")]
        )
        assert len(late.ready(kbps)) == LISTED
    for name, data in files.items():
        assert await late.fetch(name) == data
    sound = decoded(header(RATE, 2, 160) + b"".join(data for name, data in files.items() if "-160-" in name))
    error = sound - programme.sound[: len(sound)]  # its first segment is the programme's first
    assert np.square(error[1024:]).mean() < 0.01 * np.square(programme.sound).mean()


@scenario
async def test_a_short_pause_is_no_jump_and_a_list_begins_after_a_long_one():
    programme = Programme()
    programme.write(20)
    before = programme.reader().ready(160)
    programme.pause(5.0)
    programme.write(8)
    text = media(programme.reader().ready(160), [])
    listed = m3u8.loads(text)
    assert len(listed.segments) == LISTED
    assert "DISCONTINUITY\n" not in text
    dates = np.diff([one.program_date_time.timestamp() for one in listed.segments])
    assert np.sum(np.abs(dates - SEGMENT_S) > 0.01) == 1
    assert dates.max() == pytest.approx(SEGMENT_S + 5.0, abs=0.01)
    programme.pause(PAUSE_S + 1)
    assert programme.reader().ready(160) == []  # nothing that could go on
    programme.write(AHEAD + 1)
    woken = programme.writer.manifest.runs[-1]
    assert programme.reader().ready(160) == []  # not two whole segments yet
    programme.write(4)
    after = programme.reader().ready(160)
    assert after[0].frame >= woken.first * STORED_FRAMES > after[0].frame - SEGMENT_FRAMES
    assert after[0].session == before[0].session
    assert after[0].epoch.wall == pytest.approx(woken.wall + (after[0].frame / STORED_FRAMES - woken.first) * STORED_S)


@scenario
async def test_segments_are_given_from_the_first_whose_sound_is_kept_until_those_on_air():
    programme = Programme(retention_s=60.0)
    programme.write(50)
    manifest, feed = programme.writer.manifest, programme.reader()
    listed = feed.ready(160)
    newest, stem = listed[-1], listed[-1].name.rpartition("-")[0]

    async def given(index: int) -> bool:
        return await feed.fetch(f"{stem}-{newest.session.first + index}.m4s") is not None

    found = [index for index in range(-3, 70) if await given(index)]
    first = next(n for n in range(100) if n * SEGMENT_FRAMES - 43 * 1024 >= manifest.first * STORED_FRAMES)
    assert manifest.first > 0
    on_air = (
        newest.index + 1 + (manifest.frame_air((newest.index + 2) * SEGMENT_FRAMES) <= programme.clock.wall() + 2.0)
    )
    assert found == list(range(first, on_air))
    assert await feed.fetch(newest.init_name) == header(RATE, 2, 160)
    for name in ("x", newest.name.replace("-160-", "-161-"), f"{'0' * 12}-160-{newest.number}.m4s"):
        assert await feed.fetch(name) is None


@scenario
async def test_another_programme_of_the_station_has_other_names_and_larger_numbers():
    programme = Programme()
    programme.write(20)
    before = programme.reader().ready(160)
    other = Programme()
    other.clock.advance(programme.clock.wall() - other.clock.wall() + 60)
    other.store.delete("piano/manifest.json")
    other.begin()
    other.write(20)
    feed = other.reader()
    after = feed.ready(160)
    assert after[0].number > before[-1].number
    assert after[0].session.jumps > before[0].session.jumps
    assert after[0].session.name != before[0].session.name
    assert await feed.fetch(before[-1].name) is None


@scenario
async def test_what_is_written_ahead_is_given_while_the_store_is_away():
    programme = Programme()
    programme.write(14)
    feed = programme.reader()
    feed.hold()
    last = (programme.writer.manifest.next * STORED_FRAMES - 2048) // SEGMENT_FRAMES - 1
    while not all(any(f"-{kbps}-" in n and f[0] == last for n, f in feed._files.items()) for kbps in KBPS):
        await asyncio.sleep(0.01)
    programme.store.refuse_reads = -1
    heard = []
    for _ in range(AHEAD):
        for one in feed.ready(160):
            if one.name not in heard:
                heard.append(one.name)
                assert len(heard) <= LISTED or feed.find(one.name) is not None
        programme.clock.advance(STORED_S)
    newest = feed.ready(160)[-1]
    assert newest.index >= last - 1
    assert feed.find(newest.name) is not None
    feed.close()
    assert feed.find(newest.name) is None


@scenario
async def test_a_segment_is_made_once_for_all_and_only_so_many_wait():
    programme = Programme()
    programme.write(40)
    feed = programme.reader()
    made = []
    encoded = feed._encoded
    feed._encoded = lambda *which: made.append(which) or encoded(*which)
    one = feed.ready(160)[-1]
    given = await asyncio.gather(*(feed.fetch(one.name) for _ in range(20)))
    assert len(set(given)) == len(made) == 1
    names = [f"{one.name.rpartition('-')[0]}-{one.session.first + index}.m4s" for index in range(one.index)]
    limit = stored_feed.MOST_WAITING
    stored_feed.MOST_WAITING = 4
    try:
        told = await asyncio.gather(*(feed.fetch(name) for name in names[:8]), return_exceptions=True)
    finally:
        stored_feed.MOST_WAITING = limit
    assert [isinstance(one, Full) for one in told] == [False] * 4 + [True] * 4
