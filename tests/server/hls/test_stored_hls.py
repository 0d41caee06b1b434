"""HLS of a programme in a store: what is listed follows from the manifest and the time, the same for every reader."""

import asyncio
import functools
from types import SimpleNamespace

import m3u8
import numpy as np
import pytest
from faulty_store import FaultyStore
from pyav_decoder import decoded

from lullwave.audio import Audio
from lullwave.clock import SimulatedClock
from lullwave.codecs.fragmented_mp4 import AacFragments, header
from lullwave.segments.segment import SEGMENT_FRAMES as STORED_FRAMES
from lullwave.segments.segment import SEGMENT_S as STORED_S
from lullwave.segments.segment import Segment
from lullwave.segments.writer import SegmentWriter
from lullwave.server.errors import Full
from lullwave.server.hls import stored_feed
from lullwave.server.hls.feed import KBPS, KEPT
from lullwave.server.hls.playlists import LISTED, SEGMENT_FRAMES, SEGMENT_S, date, media
from lullwave.server.hls.stored_feed import LATE_S, MOST_WAITING, PAUSE_S, StoredHls
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

    @functools.wraps(function)
    def run(**fixtures):
        asyncio.run(function(**fixtures))

    return run


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
    assert after[0].air(after[0].frame) == pytest.approx(
        woken.wall + (after[0].frame / STORED_FRAMES - woken.first) * STORED_S
    )


@scenario
async def test_a_title_has_the_same_date_in_every_playlist_also_after_a_pause():
    programme = Programme()
    programme.write(14)
    frame, dates = 11 * STORED_FRAMES + 12_345, set()
    expected = programme.writer.manifest.frame_air(frame)
    for turn in range(12):
        if turn == 3:
            programme.pause(5.0)
        programme.write(1)
        listed = m3u8.loads(media(programme.reader().ready(160), [(0, "Gone"), (frame, "Rain")]))
        dates |= {one.start_date for one in listed.segments[0].dateranges if one.id.endswith(f"-{frame}")}
    assert dates == {date(expected)}


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


class Counted:
    """Notes the segments that a feed encodes, in their order, and the keys that it reads."""

    def __init__(self, programme: Programme, feed: StoredHls) -> None:
        self.made: list[tuple[int, int]] = []  # index, bit rate
        self.read: list[str] = []
        encoded, get = feed._encoded, programme.store.get
        feed._encoded = lambda manifest, *which: self.made.append(which) or encoded(manifest, *which)
        programme.store.get = lambda key: self.read.append(key) or get(key)


def names_of(feed: StoredHls, kbps: int = 160) -> tuple[int, list[str]]:
    """The index of the oldest segment of the playlist, and the names of all segments up to its newest, by index."""
    listed = feed.ready(kbps)
    stem, session = listed[-1].name.rpartition("-")[0], listed[-1].session
    return listed[0].index, [f"{stem}-{session.first + index}.m4s" for index in range(listed[-1].index + 1)]


@scenario
async def test_a_segment_is_made_once_for_all_also_where_nobody_listens():
    programme = Programme()
    programme.write(40)
    feed = programme.reader()
    counted = Counted(programme, feed)
    oldest, names = names_of(feed)
    for name in (names[-1], names[oldest - 4]):  # of the playlist, and older
        given = await asyncio.gather(*(feed.fetch(name) for _ in range(20)))
        assert len(set(given)) == 1
        assert await feed.fetch(name) == given[0] is not None
    for name in names[oldest - 4 :]:
        await feed.fetch(name)
        await feed.fetch(name)
    assert sorted(counted.made) == sorted({(index, 160) for index in range(oldest - 4, len(names))})
    assert not feed.active
    feed._held._over()  # nobody has asked for a while
    assert feed._files == {}


@scenario
async def test_old_segments_wait_for_those_of_the_playlist_and_few_of_them_wait():
    programme = Programme()
    programme.write(40)
    feed = programme.reader()
    counted = Counted(programme, feed)
    oldest, names = names_of(feed)
    old = [asyncio.create_task(feed.fetch(name)) for name in names[oldest - 12 : oldest - 4]]
    await asyncio.sleep(0)
    listed = await asyncio.gather(*(feed.fetch(name) for name in names[oldest:]))
    told = await asyncio.gather(*old, return_exceptions=True)
    assert [isinstance(one, Full) for one in told] == [False] * MOST_WAITING + [True] * (8 - MOST_WAITING)
    assert all(isinstance(data, bytes) for data in [*listed, *told[:MOST_WAITING]])
    order = [index for index, _ in counted.made]
    assert order == [oldest - 12, *range(oldest, len(names)), oldest - 11]  # the first one was begun already


@scenario
async def test_what_no_playlist_listed_lately_costs_the_store_nothing():
    programme = Programme()
    programme.write(120)
    feed = programme.reader()
    counted = Counted(programme, feed)
    oldest, names = names_of(feed)
    wall, manifest = programme.clock.wall(), programme.writer.manifest
    aired = [manifest.frame_air((index + 1) * SEGMENT_FRAMES - 1) for index in range(len(names))]
    late = [index for index in range(len(names)) if aired[index] < wall - LATE_S]
    assert 20 < len(late) == late[-1] + 1 < oldest - KEPT
    for index in late:
        assert await feed.fetch(names[index]) is None
    assert counted.made == counted.read == []
    assert await feed.fetch(names[late[-1] + 1]) is not None


@scenario
async def test_it_encodes_ahead_whatever_is_asked_for(caplog):
    programme = Programme()
    programme.write(60)
    feed = programme.reader()
    counted = Counted(programme, feed)
    oldest, names = names_of(feed)
    low = [name.replace("-160-", "-64-") for name in names]
    asked = [asyncio.create_task(feed.fetch(name)) for name in [*names[: oldest - 4], *low[: oldest - 4]]]
    await asyncio.sleep(0)
    feed.hold()
    last = (programme.writer.manifest.next * STORED_FRAMES - 2048) // SEGMENT_FRAMES - 1
    while not {(last, kbps) for kbps in KBPS} <= set(counted.made):
        await asyncio.sleep(0.01)
    before = len(counted.made)
    assert before <= 2 + len(KBPS) * (last - len(names) + 5)  # of the old ones hardly any came between
    await asyncio.gather(*asked, return_exceptions=True)
    feed.close()
    assert caplog.records == []


@scenario
async def test_sound_that_follows_is_read_once_and_the_manifest_of_the_station_is_used():
    programme = Programme()
    programme.write(40)
    feed = programme.reader()
    counted = Counted(programme, feed)
    oldest, names = names_of(feed)
    for name in names[oldest:]:
        for kbps in KBPS:
            assert await feed.fetch(name.replace("-160-", f"-{kbps}-")) is not None
    begin, end = oldest * SEGMENT_FRAMES - 43 * 1024, len(names) * SEGMENT_FRAMES + 2048
    segments = range(begin // STORED_FRAMES, -(-end // STORED_FRAMES))
    assert counted.read == [f"piano/segments/{number:010d}-00000001.flac" for number in segments]


@scenario
async def test_a_feed_may_close_while_it_encodes(monkeypatch):
    programme = Programme()
    programme.write(20)
    feed = programme.reader()

    class Closing(AacFragments):
        def __init__(self, *how, **more) -> None:
            super().__init__(*how, **more)
            feed._end()

    monkeypatch.setattr(stored_feed, "AacFragments", Closing)
    assert await feed.fetch(feed.ready(160)[-1].name) is not None
