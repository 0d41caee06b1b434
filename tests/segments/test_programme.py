"""The programme in a store: exactly the samples that were written, through takeovers and faults of the store."""

from functools import cache

import numpy as np
import pytest
from faulty_store import FaultyStore
from object_stores import opened, s3_url  # noqa: F401 (fixtures)
from sine_engine import PIECE_S, SineEngine

from lullwave.audio import Audio
from lullwave.clock import SimulatedClock
from lullwave.errors import EngineError, SnapshotError, StorageUnavailable
from lullwave.mastering import Master
from lullwave.request import Request
from lullwave.ring import FellBehind
from lullwave.segments.lease import TTL_S, LeaseLost
from lullwave.segments.producer import SegmentProducer, Timing
from lullwave.segments.reader import POLL_S, SegmentReader
from lullwave.segments.rendering import StreamRenderer
from lullwave.segments.segment import SEGMENT_FRAMES, SEGMENT_S, Manifest, ProgrammeState, Segment
from lullwave.segments.writer import DELETED_AT_ONCE, SegmentWriter
from lullwave.station import CHANNELS, RATE, Event, OutputLevels
from lullwave.storage.objects import MemoryStore

REQUEST = Request("rain", 7)
AHEAD_S = 12.0  # less than the default, to be quicker; a takeover takes 8
MOST = 40  # segments that a test makes
BEGIN = 1_700_000_000.0  # time of day at which a simulated clock begins


@cache
def programme() -> np.ndarray:
    """What one process without a store makes: int16, (T, 2)."""
    levels = OutputLevels()
    master = Master(RATE, CHANNELS, levels.loudness_lufs, levels.ceiling_dbtp)
    sound = SineEngine().stream(REQUEST).read(MOST * SEGMENT_FRAMES)
    return master.process(Audio(sound.samples, RATE)).to_int16()


def expected(segments: int) -> np.ndarray:
    assert segments <= MOST
    return programme()[: segments * SEGMENT_FRAMES]


def heard(segments) -> np.ndarray:
    return np.concatenate([segment.audio.to_int16() for segment in segments])


def silent(number, level=0.0, events=()):
    return Segment(number, Audio(np.full((SEGMENT_FRAMES, 2), level, np.float32), RATE), tuple(events))


class Machines:
    """Producers of one station on one simulated clock; each takes its steps when they are due."""

    def __init__(self, clock, producers):
        self.clock, self.producers = clock, producers
        self.due = {name: clock.now() for name in producers}
        self.alive = set(producers)

    def run(self, seconds):
        until = self.clock.now() + seconds
        while (due := min((self.due[name], name) for name in self.alive))[0] <= until:
            self.clock.advance(max(0.0, due[0] - self.clock.now()))
            self.due[due[1]] = self.clock.now() + self.producers[due[1]].step()
        self.clock.advance(max(0.0, until - self.clock.now()))

    def wake(self, name):
        """Continue a stopped producer, with the step that it was in."""
        self.alive.add(name)
        self.due[name] = self.clock.now()

    def producing(self):
        return [name for name in sorted(self.alive) if self.producers[name].producing]


def machines(stores, engine=SineEngine, **more):
    clock = SimulatedClock(BEGIN)
    made = {
        name: SegmentProducer(store, "piano", StreamRenderer(engine, REQUEST), clock, Timing(AHEAD_S, **more))
        for name, store in zip("abc", stores, strict=False)
    }
    return Machines(clock, made)


def test_a_segment_decodes_to_the_samples_and_events_that_were_written():
    noise = np.random.default_rng(1).uniform(-1, 1, (SEGMENT_FRAMES, 2)).astype(np.float32)
    noise[0] = 1.0, -1.0
    events = (Event("piece", 17, {"title": 'Rain "é" \0', "tempo_bpm": 92.5}), Event("steer", 900, {"prompt": "x"}))
    segment = Segment(3, Audio(noise, RATE), events)
    read = Segment.decode(3, segment.encode())
    assert np.array_equal(read.audio.to_int16(), segment.audio.to_int16())
    assert read.events == events
    assert read.frame == 3 * SEGMENT_FRAMES


def test_a_state_comes_back_as_it_was_and_a_damaged_one_is_refused():
    state = ProgrammeState("sines", b"snap\0shot", 17, b"master", "rain")
    data = state.encode()
    assert ProgrammeState.decode(data) == state
    for damaged in (b"", data[:11], data[:20], b"LullSeg0" + data[8:]):
        with pytest.raises(SnapshotError):
            ProgrammeState.decode(damaged)


def test_one_producer_writes_what_the_engine_makes_ahead_of_the_air(opened):  # noqa: F811
    work = machines([opened()])
    reader = SegmentReader(opened(), "piano")
    work.run(10.0)
    segments = list(reader.ready())
    assert len(segments) == (AHEAD_S + 10.0) / SEGMENT_S + 1  # the one that goes on air just then is due, too
    assert np.array_equal(heard(segments), expected(len(segments)))
    assert list(reader.ready()) == []
    manifest = reader.manifest()
    assert manifest.air(0) == BEGIN
    delay = Master(RATE, CHANNELS).latency_frames
    pieces = [(event.frame - delay, event.data["title"]) for s in segments for event in s.events]
    assert pieces == [(0, "Tone 0"), (20 * RATE, "Tone 1")]


def test_a_dead_producer_is_replaced_within_the_buffer_and_no_sample_is_lost(opened):  # noqa: F811
    work = machines([opened(), opened()])
    reader = SegmentReader(opened(), "piano")
    work.run(15.0)
    assert work.producing() == ["a"]
    before = reader.manifest()
    work.alive.remove("a")  # kill -9
    killed = work.clock.now()
    while reader.manifest().next == before.next:
        work.run(0.5)
    assert work.clock.now() - killed <= TTL_S + 2.0
    assert reader.manifest().air(before.next) > work.clock.wall()  # the listeners' buffer was never empty
    work.run(4.0)
    segments = list(reader.ready())
    assert reader.manifest().epoch == 2
    assert len(segments) > before.next + 4
    assert np.array_equal(heard(segments), expected(len(segments)))
    pieces = -(-len(segments) * SEGMENT_FRAMES // round(PIECE_S * RATE))
    assert [e.data["title"] for s in segments for e in s.events] == [f"Tone {n}" for n in range(pieces)]


@pytest.mark.parametrize("at", ["lease.json", "segments/", "states/", "manifest.json"])
def test_a_stopped_and_continued_producer_changes_nothing_of_the_new_one(at):
    store = MemoryStore()
    first = FaultyStore(store)
    work = machines([first, store])
    reader = SegmentReader(store, "piano")
    work.run(3.0)
    stopped = work.producers["a"]

    def takes_over(key):  # "a" is stopped (SIGSTOP) while it writes an object, and continued much later
        if at not in key:
            return
        first.before_write = lambda key: None
        work.alive.remove("a")
        work.run(TTL_S + 6.0)
        work.alive.add("a")

    first.before_write = takes_over
    work.run(28.0)
    assert not stopped.producing
    assert work.producing() == ["b"]
    segments = list(reader.ready())
    manifest = reader.manifest()
    assert [run.epoch for run in manifest.runs] == [1, 2]
    left_behind = len(store.list("piano/segments")) - len(segments)  # written after the takeover; it does not count
    assert left_behind == (at in ("segments/", "states/"))
    assert np.array_equal(heard(segments), expected(len(segments)))


def test_two_writers_fence_each_other_by_epoch_not_by_time():
    store = MemoryStore()
    old = SegmentWriter.begin(store, "piano", 1, BEGIN)
    old.add(silent(0))
    new = SegmentWriter.begin(store, "piano", 2, BEGIN)
    with pytest.raises(LeaseLost):
        old.add(silent(1, 0.5))
    new.add(silent(1, 0.25))
    with pytest.raises(LeaseLost):
        old.add(silent(1, 0.5))
    with pytest.raises(LeaseLost):
        SegmentWriter.begin(store, "piano", 1, BEGIN)
    read = list(SegmentReader(store, "piano").ready())
    assert [float(s.audio.samples.max()) for s in read] == [0.0, 0.25]
    assert len(store.list("piano/segments")) == 3  # the old one's, which does not count
    SegmentWriter.begin(store, "piano", 3, BEGIN)
    assert store.list("piano/segments") == [
        "piano/segments/0000000000-00000001.flac",
        "piano/segments/0000000001-00000002.flac",
    ]


@pytest.mark.parametrize("fault", ["lose_answers", "refuse_writes", "retry_writes"])
def test_faults_of_the_store_lose_and_double_nothing(fault):
    store = MemoryStore()
    faulty = FaultyStore(store)
    work = machines([faulty])
    for count in (0, 1, 0, 2, 3, 0):
        setattr(faulty, fault, count)
        work.run(4.0)
    segments = list(SegmentReader(store, "piano").ready())
    assert np.array_equal(heard(segments), expected(len(segments)))
    assert len(segments) == (AHEAD_S + 24.0) / SEGMENT_S + 1
    assert [run.epoch for run in SegmentReader(store, "piano").manifest().runs] == [1]


def test_a_store_that_refuses_writes_for_ten_seconds_is_caught_up_with():
    store = MemoryStore()
    faulty = FaultyStore(store)
    work = machines([faulty])
    work.run(4.0)
    reader = SegmentReader(store, "piano")
    faulty.refuse_writes = -1
    before = reader.manifest().next
    work.run(10.0)
    assert reader.manifest().next == before
    assert reader.manifest().air(before) > work.clock.wall()
    faulty.refuse_writes = 0
    work.run(2.0)
    segments = list(reader.ready())
    assert len(segments) == (AHEAD_S + 16.0) / SEGMENT_S + 1
    assert np.array_equal(heard(segments), expected(len(segments)))


@pytest.mark.parametrize("refused", [False, True], ids=["stalls", "refuses writes"])
def test_a_store_that_is_away_for_twenty_seconds_is_not_heard_and_changes_no_producer(refused):
    """A write waits for up to five seconds, as in a directory whose lock is held; then it fails."""
    store = MemoryStore()
    stores = [FaultyStore(store), FaultyStore(store)]
    work = machines(stores)
    work.producers = {
        name: SegmentProducer(one, "piano", StreamRenderer(SineEngine, REQUEST), work.clock, Timing(24.0))
        for name, one in zip("ab", stores, strict=True)
    }
    work.run(4.0)
    over = work.clock.now() + 20.0

    def wait(key):
        if work.clock.now() < over:
            if not refused:
                work.clock.advance(min(5.0, over - work.clock.now()))
            if work.clock.now() < over:
                raise StorageUnavailable("the test's store is away")

    for one in stores:
        one.before_write = wait
    work.run(20.0)
    reader = SegmentReader(store, "piano")
    assert reader.manifest().air(reader.manifest().next) > work.clock.wall()  # servers had music all the time
    work.run(8.0)
    segments = list(reader.ready())
    assert work.producing() == ["a"]
    assert [run.epoch for run in reader.manifest().runs] == [1]
    assert len(segments) * SEGMENT_S > 32.0 + 22.0
    assert np.array_equal(heard(segments), expected(len(segments)))


def test_what_is_older_than_is_kept_is_deleted_and_a_reader_that_lags_is_told():
    store = MemoryStore()
    work = machines([store], retention_s=20.0)
    work.run(1.0)
    slow = SegmentReader(store, "piano")
    first = next(slow.ready())
    work.run(30.0)
    manifest = slow.manifest()
    assert manifest.next - manifest.first == 10
    assert len(store.list("piano/segments")) == 10
    assert len(store.list("piano/states")) == 1
    assert first.number < manifest.first
    with pytest.raises(FellBehind):
        next(slow.ready())
    assert next(SegmentReader(store, "piano").ready()).number == manifest.first


class CountingStore(MemoryStore):
    deleted = 0

    def delete(self, key):
        self.deleted += 1
        super().delete(key)


def test_a_shorter_retention_deletes_a_few_objects_with_each_segment():
    """Thousands in a row would take longer than the lease lasts."""
    store = CountingStore()
    begin = SegmentWriter.begin(store, "piano", 1, 0.0, retention_s=1000.0)
    sound = Audio(np.zeros((SEGMENT_FRAMES, 2), np.float32), RATE)
    for number in range(100):
        begin.add(Segment(number, sound, ()))
    after = SegmentWriter.begin(store, "piano", 2, 0.0, retention_s=20.0)
    counts = []
    for number in range(100, 116):
        before = store.deleted
        after.add(Segment(number, sound, ()))
        counts.append(store.deleted - before)
    assert max(counts) == DELETED_AT_ONCE
    assert counts[-1] == 1
    assert len(store.list("piano/segments")) == 10
    assert SegmentReader(store, "piano").manifest().first == 106


def test_a_takeover_goes_on_from_a_state_that_is_older_than_the_segments_kept():
    work = machines([MemoryStore()] * 2, retention_s=4.0)
    work.run(8.0)
    work.alive.remove("a")
    work.run(10.0)
    assert work.producing() == ["b"]
    manifest = work.producers["b"]._reader.manifest()
    made = list(SegmentReader(work.producers["b"]._store, "piano").ready())
    assert np.array_equal(heard(made), expected(manifest.next)[manifest.first * SEGMENT_FRAMES :])


def test_an_engine_without_snapshots_begins_anew_where_the_last_segment_ended():
    class Forgetful(SineEngine):
        def open(self, request, **audio_prompts):
            stream = super().open(request)

            def snapshot(at_frame=None):
                raise EngineError("no snapshots")

            stream.snapshot = snapshot
            return stream

    store = MemoryStore()
    work = machines([store, store], Forgetful)
    work.run(4.0)
    work.alive.remove("a")
    work.run(10.0)
    manifest = SegmentReader(store, "piano").manifest()
    segments = list(SegmentReader(store, "piano").ready())
    taken = manifest.runs[1].first
    assert np.array_equal(heard(segments[:taken]), expected(taken))
    assert np.array_equal(heard(segments[taken:]), expected(len(segments) - taken))


def test_a_failed_engine_gives_the_station_to_another_process():
    class Broken(SineEngine):
        fails_at = 20 * RATE

    store = MemoryStore()
    work = machines([store, store])
    work.producers["a"]._renderer._load = Broken
    with pytest.raises(EngineError):
        work.run(20.0)
    work.alive.remove("a")
    work.run(3.0)
    segments = list(SegmentReader(store, "piano").ready())
    assert work.producing() == ["b"]
    assert len(segments) > 10
    assert np.array_equal(heard(segments), expected(len(segments)))


def test_a_reader_follows_while_the_store_comes_and_goes(caplog):
    store = MemoryStore()
    work, faulty = machines([store]), FaultyStore(store)
    work.run(0.0)
    begun = SegmentReader(store, "piano").manifest().next

    class PollingClock(SimulatedClock):
        """While the reader waits, the producer works, and the store fails for five seconds."""

        def waiter(self):
            return self

        def wait_until(self, moment):
            work.run(POLL_S)
            faulty.refuse_reads = -1 if 5.0 <= work.clock.now() < 10.0 else 0

        def close(self):
            pass

    tail = SegmentReader(faulty, "piano").tail(PollingClock(), lambda: work.clock.now() > 12.0)
    segments = list(tail)
    assert len(segments) == begun + 6
    assert np.array_equal(heard(segments), expected(len(segments)))
    assert len([r for r in caplog.records if "trying again" in r.message]) == 1


@pytest.mark.parametrize("data", [b"", b"[]", b'{"first": 2, "next": 1, "runs": [], "state": null}'])
def test_a_damaged_manifest_is_told(data):
    with pytest.raises(StorageUnavailable, match="manifest"):
        Manifest.decode(data)
