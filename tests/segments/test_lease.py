"""The lease: one holder at a time whatever the store does, and a higher epoch for each new one."""

import pytest
from faulty_store import FaultyStore
from object_stores import opened, s3_url  # noqa: F401 (fixtures)

from lullwave.clock import SimulatedClock
from lullwave.errors import StorageUnavailable
from lullwave.segments.lease import CLAIM_S, RENEW_EVERY_S, TTL_S, Lease, LeaseLost
from lullwave.storage.objects import MemoryStore

KEY = "piano/lease.json"


def test_one_holds_it_until_it_dies_and_the_next_gets_a_higher_epoch(opened):  # noqa: F811
    clock = SimulatedClock()
    first, second = Lease(opened(), KEY, clock), Lease(opened(), KEY, clock)
    assert first.acquire() == 1
    assert second.acquire() is None
    for _ in range(5):
        clock.advance(RENEW_EVERY_S)
        first.renew()
        assert (first.epoch, second.acquire(), second.epoch) == (1, None, None)
    clock.advance(TTL_S - 0.01)  # killed: no renewal any more
    assert second.acquire() is None
    assert first.epoch == 1
    clock.advance(0.01)
    assert first.epoch is None  # the old one knows by its own clock, before another one can take the lease
    assert second.acquire() == second.epoch == 2


def test_a_stopped_and_continued_holder_learns_that_it_has_lost(opened):  # noqa: F811
    clock = SimulatedClock()
    stopped, other = Lease(opened(), KEY, clock), Lease(opened(), KEY, clock)
    assert stopped.acquire() == 1
    other.acquire()
    clock.advance(TTL_S)
    assert other.acquire() == 2
    with pytest.raises(LeaseLost):
        stopped.renew()
    assert stopped.epoch is None
    with pytest.raises(LeaseLost):
        stopped.renew()
    assert stopped.acquire() is None
    other.renew()  # and nothing of the new holder's was changed
    assert other.epoch == 2


def test_a_holder_that_is_late_goes_on_if_nobody_took_the_lease():
    clock, store = SimulatedClock(), MemoryStore()
    lease = Lease(store, KEY, clock)
    lease.acquire()
    clock.advance(100.0)
    assert lease.epoch is None
    lease.renew()
    assert lease.epoch == 1


def test_a_process_that_is_started_again_succeeds_itself_at_once_but_only_once():
    clock, store = SimulatedClock(), MemoryStore()

    def started(name):
        return Lease(store, KEY, clock, name=name)

    first, stranger, other = started("actor-1"), started(""), started("actor-10")
    assert first.acquire() == 1
    assert (stranger.acquire(), other.acquire()) == (None, None)
    again = started("actor-1")
    assert again.acquire() == 2
    with pytest.raises(LeaseLost):  # it was only thought dead
        first.renew()
    assert first.acquire() is None
    again.renew()
    assert other.acquire() is None
    clock.advance(TTL_S)
    assert other.acquire() == 3
    assert again.acquire() is None
    assert started("actor-1").acquire() is None  # the lease is not its predecessor's any more


def test_a_released_lease_is_taken_at_once(opened):  # noqa: F811
    clock = SimulatedClock()
    first, second = Lease(opened(), KEY, clock), Lease(opened(), KEY, clock)
    first.acquire()
    first.release()
    assert first.epoch is None
    assert second.acquire() == 2
    first.release()  # twice, and after another one has it: no effect
    second.renew()


def test_a_newcomer_waits_even_if_the_dead_holder_left_long_ago():
    """It has not seen the last change, so it cannot know how old the lease is: no common time of day is assumed."""
    store = MemoryStore()
    Lease(store, KEY, SimulatedClock(wall=0.0)).acquire()
    clock = SimulatedClock(wall=1e9)
    newcomer = Lease(store, KEY, clock)
    assert newcomer.acquire() is None
    clock.advance(TTL_S)
    assert newcomer.acquire() == 2


def test_an_epoch_exceeds_what_the_programme_has_even_if_the_lease_was_deleted():
    store = MemoryStore()
    assert Lease(store, KEY, SimulatedClock()).acquire(above=7) == 8


def test_a_lost_answer_neither_loses_the_lease_nor_gives_it_to_two():
    clock, store = SimulatedClock(), MemoryStore()
    faulty = FaultyStore(store)
    lease, other = Lease(faulty, KEY, clock), Lease(store, KEY, clock)
    faulty.lose_answers = 1
    with pytest.raises(StorageUnavailable):
        lease.acquire()
    assert lease.epoch is None
    assert other.acquire() is None
    assert lease.acquire() == 1  # the same epoch: it was written
    faulty.lose_answers = 1
    with pytest.raises(StorageUnavailable):
        lease.renew()
    lease.renew()
    assert lease.epoch == 1


def test_a_client_that_retries_against_its_own_write_holds_the_lease():
    clock = SimulatedClock()
    faulty = FaultyStore(MemoryStore())
    lease = Lease(faulty, KEY, clock)
    faulty.retry_writes = -1
    assert lease.acquire() == 1
    for _ in range(3):
        lease.renew()
    assert lease.epoch == 1


def test_a_store_that_refuses_writes_ends_the_lease_in_time_and_gives_it_back():
    clock, store = SimulatedClock(), MemoryStore()
    faulty = FaultyStore(store)
    lease = Lease(faulty, KEY, clock)
    lease.acquire()
    faulty.refuse_writes = -1
    for _ in range(3):
        clock.advance(RENEW_EVERY_S)
        with pytest.raises(StorageUnavailable):
            lease.renew()
    assert lease.epoch is None
    faulty.refuse_writes = 0
    lease.renew()
    assert lease.epoch == 1


def test_a_write_that_stalls_for_twenty_seconds_is_no_lease_of_that_moment():
    """The lease counts from before the write was sent: others may have seen it expire since."""
    clock, store = SimulatedClock(), MemoryStore()
    faulty = FaultyStore(store)
    slow, other = Lease(faulty, KEY, clock), Lease(store, KEY, clock)
    slow.acquire()
    other.acquire()
    faulty.before_write = lambda key: clock.advance(20.0)
    slow.renew()
    assert slow.epoch is None  # written, but 20 s old

    def takes_over(key: str) -> None:
        clock.advance(20.0)
        assert other.acquire() is None  # it sees the renewal that arrived late, and waits again
        clock.advance(TTL_S)
        assert other.acquire() == 2

    faulty.before_write = takes_over
    with pytest.raises(LeaseLost):
        slow.renew()
    assert other.epoch == 2


def test_an_expired_lease_is_not_taken_by_a_write_that_waited_for_the_store():
    """The holder waits for the same store: whichever is first after a stall, the holder stays it."""
    clock, store = SimulatedClock(), MemoryStore()
    waiting = FaultyStore(store)
    holder, other = Lease(store, KEY, clock), Lease(waiting, KEY, clock)
    assert holder.acquire() == 1
    assert other.acquire() is None
    clock.advance(TTL_S)
    waiting.before_write = lambda key: clock.advance(2 * CLAIM_S)
    assert other.acquire() is None
    holder.renew()
    assert holder.epoch == 1
    waiting.before_write = lambda key: None
    clock.advance(TTL_S)
    assert other.acquire() is None  # it sees the renewal
    clock.advance(TTL_S)
    assert other.acquire() == 2  # the holder is dead
    with pytest.raises(LeaseLost):
        holder.renew()


def test_a_damaged_lease_is_told_not_taken():
    store = MemoryStore()
    store.put_if_absent(KEY, b"no JSON")
    with pytest.raises(StorageUnavailable, match="damaged"):
        Lease(store, KEY, SimulatedClock()).acquire()
