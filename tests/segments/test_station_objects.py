"""What servers of one store tell one another: wishes, requests, facts, history, and when which frame is on air."""

import numpy as np
import pytest
from faulty_store import FaultyStore

from lullwave.audio import Audio
from lullwave.clock import SimulatedClock
from lullwave.errors import NotFound, StorageUnavailable
from lullwave.segments.heartbeat import RENEW_S, Heartbeat
from lullwave.segments.history import StoreHistory, add_entries, keys_before
from lullwave.segments.lease import TTL_S, Lease
from lullwave.segments.present import Present, PresentWriter, read_present
from lullwave.segments.requests import RequestReader, StationRequest, answer_to, send
from lullwave.segments.segment import SEGMENT_FRAMES, SEGMENT_S, Manifest, Run, Segment
from lullwave.segments.writer import SegmentWriter
from lullwave.station import RATE, Event
from lullwave.storage.objects import MemoryStore

BEGIN = 1_700_000_000.0  # a time of day


class Counting(FaultyStore):
    def __init__(self, store):
        super().__init__(store)
        self.writes = 0
        self.before_write = self._count

    def _count(self, key):
        self.writes += 1


def test_a_manifest_tells_which_frame_is_on_air_across_takeovers_and_gaps():
    """Segments 0 to 2 by one producer, 3 and 4 by the next without a gap, 5 after the station slept."""
    runs = (Run(1, 0, BEGIN), Run(2, 3, BEGIN + 3 * SEGMENT_S), Run(2, 5, BEGIN + 100.0))
    manifest = Manifest(1, 6, runs)
    assert manifest.frame_at(BEGIN + 1.0) is None  # deleted
    assert manifest.frame_at(BEGIN + 2.5) == 2.5 * RATE
    assert manifest.frame_at(BEGIN + 7.0) == 7 * RATE
    assert manifest.frame_at(BEGIN + 50.0) == 5 * SEGMENT_FRAMES
    assert manifest.frame_at(BEGIN + 101.5) == 5 * SEGMENT_FRAMES + 1.5 * RATE
    assert manifest.frame_at(BEGIN + 102.0) is None  # not written yet
    assert [manifest.contiguous_from(number) for number in (2, 4, 5)] == [1, 1, 5]


def test_many_servers_that_want_a_station_write_as_often_as_one():
    clock, store = SimulatedClock(), Counting(MemoryStore())
    *servers, producer = [Heartbeat(store, "piano/wanted.json", clock) for _ in range(21)]
    producer.look()
    assert producer.idle_s == float("inf")
    for _ in range(40):
        for server in servers:
            server.renew()
        producer.look()
        assert producer.idle_s <= RENEW_S
        clock.advance(1.0)
    assert 40.0 / RENEW_S <= store.writes <= 40.0 / RENEW_S + 20  # a server that has just started renews at once
    clock.advance(30.0)
    producer.look()
    assert producer.idle_s >= 30.0


def test_requests_of_many_servers_are_carried_out_once_each_and_in_order():
    store = MemoryStore()
    numbers = [send(store, "piano", StationRequest("prompt", BEGIN, {"prompt": f"p{n}"}), 0) for n in range(5)]
    assert numbers == [0, 1, 2, 3, 4]
    dead = RequestReader(store, "piano", 0)
    for number, request in [dead.take(), dead.take()]:
        dead.answer(number, {"prompt": request.data["prompt"]})
    assert dead.take()[0] == 2  # it dies before it answers
    successor = RequestReader(store, "piano", 0)
    taken = [successor.take() for _ in range(3)]
    assert [(number, request.data["prompt"]) for number, request in taken] == [(2, "p2"), (3, "p3"), (4, "p4")]
    assert successor.take() is None
    assert answer_to(store, "piano", 1) == {"prompt": "p1"}
    assert answer_to(store, "piano", 3) is None


def test_facts_are_those_of_the_latest_producer():
    store = MemoryStore()
    old, new = PresentWriter(store, "piano"), PresentWriter(store, "piano")
    old.write(Present(epoch=1, prompt="rain", pieces=((17, {"title": "A"}), (90, {"title": "B"}))))
    new.write(Present(epoch=2, prompt="sun"))
    old.write(Present(epoch=1, prompt="snow"))
    assert read_present(store, "piano") == Present(epoch=2, prompt="sun")
    pieces = Present(pieces=((17, {"title": "A"}), (90, {"title": "B"})))
    assert [None if (p := pieces.piece_at(f)) is None else p.data["title"] for f in (16, 17, 90)] == [None, "A", "B"]
    with pytest.raises(StorageUnavailable):
        Present.decode(b"[]")


def written(store, count, level=0.25):
    """A programme of ``count`` segments; each begins a piece."""
    writer = SegmentWriter.begin(store, "piano", 1, BEGIN)
    for number in range(count):
        sound = Audio(np.full((SEGMENT_FRAMES, 2), level * number / count, np.float32), RATE)
        segment = Segment(number, sound, (Event("piece", number * SEGMENT_FRAMES + 10, {"title": f"T{number}"}),))
        add_entries(store, segment, writer)
        writer.add(segment)
    return writer


def test_the_history_tells_what_was_heard_newest_first_and_no_entry_twice():
    store = MemoryStore()
    written(store, 8)
    history, now = StoreHistory(store), BEGIN + 5 * SEGMENT_S + 1.0  # the last two are not heard yet
    entries = history.entries("piano", 3, now=now)
    assert [entry.data["title"] for entry in entries] == ["T5", "T4", "T3"]
    assert [entry.until for entry in entries] == [None, 5 * SEGMENT_FRAMES + 10, 4 * SEGMENT_FRAMES + 10]
    assert entries[0].wall == pytest.approx(BEGIN + 10.0, abs=0.001)
    older = history.entries("piano", 3, cursor=(entries[-1].wall, entries[-1].id), now=now)
    assert [entry.data["title"] for entry in older] == ["T2", "T1", "T0"]
    assert keys_before(store, "piano", BEGIN - 86400) == []
    for key in keys_before(store, "piano", BEGIN + 86400 * 2):
        store.delete(key)
    assert StoreHistory(store).entries("piano", 3, now=now) == []


def test_a_kept_moment_is_what_was_heard_and_others_are_not_there():
    store = MemoryStore()
    written(store, 8)
    sound = StoreHistory(store).replay("piano", BEGIN + 3.5, 4.0)
    assert sound.frames == 4 * RATE
    assert sound.tags.title == "T1"
    levels = np.unique(np.round(sound.samples[:, 0] * 32, 1))  # 0.25 n / 8 → n
    assert levels.tolist() == [1.0, 2.0, 3.0]
    for wall in (BEGIN - 1.0, BEGIN + 8 * SEGMENT_S + 1.0):
        with pytest.raises(NotFound):
            StoreHistory(store).replay("piano", wall, 4.0)


def test_after_an_outage_of_the_store_the_holder_of_a_lease_has_time_to_renew_it():
    clock, store = SimulatedClock(), MemoryStore()
    holder, other = Lease(store, "lease.json", clock), Lease(store, "lease.json", clock)
    holder.acquire()
    assert other.acquire() is None
    clock.advance(20.0)
    other.doubt()  # nothing could be read in these 20 s
    assert other.acquire() is None
    holder.renew()
    clock.advance(TTL_S)
    assert other.acquire() is None  # it has seen the renewal only now
    clock.advance(TTL_S)
    assert other.acquire() == 2
