"""The queue of jobs: order, bounds, cancelling, trying again, what a restart finds, and the limits of the store."""

import asyncio
import threading
from dataclasses import dataclass

import pytest

from lullwave.clock import SimulatedClock
from lullwave.errors import Busy, EngineFailed, NotFound, PromptError, Unsupported
from lullwave.options import option
from lullwave.refused_words import RefusedWords
from lullwave.server.clip_slots import ClipSlots
from lullwave.server.engine_pool import EnginePool
from lullwave.server.jobs.job import INTERRUPTED, Job, Result
from lullwave.server.jobs.queue import GIVE_WAY_S, JobQueue
from lullwave.server.jobs.store import MAX_JOBS, JobStore
from lullwave.server.jobs.task import InvalidFields, Task, describe
from lullwave.settings import Settings


@dataclass(frozen=True)
class Fields:
    prompt: str = option("", "words", max_length=20)
    start: str = option("", "words, too", max_length=20)
    size: int = option(10, "bytes", low=0, high=10**9)
    fails: bool = option(False, "whether it fails")


class Bench:
    """A queue whose only task writes a file of ``size`` bytes, and stops at each gate until the test opens it."""

    def __init__(self, folder, clock=None, **settings):
        self.clock = clock or SimulatedClock()
        self.begun, self.go = [], threading.Semaphore(0)
        self.task = Task("write", "writes", describe(Fields), self.run, lambda values: "pass")
        given = Settings(data_dir=folder, studio_visitor_mb=1, studio_mb=2, **settings)
        slots = ClipSlots(1, 2, 2)
        words = RefusedWords(["scream"])
        self.queue = JobQueue(given, EnginePool({}), slots, {"write": self.task}, self.clock, lambda: words)
        self.queue.start()

    def run(self, work):
        self.begun.append(work.values["prompt"])
        for step in range(1, 5):
            self.go.acquire()
            work.report(step / 4)
        if work.values["fails"]:
            raise EngineFailed("it broke")
        work.add("made.json", b"x" * work.values["size"])
        work.report(1.0)

    def create(self, prompt, visitor="me", address="a", owner=True, **fields):
        return self.queue.create(visitor, address, owner, "write", {"prompt": prompt, **fields})

    async def until(self, job, *states):
        async with asyncio.timeout(30):
            while job.state not in states or (states != ("working",) and job.id in self.queue._running):
                await asyncio.sleep(0.002)

    async def made(self, prompt, **fields):
        job = self.create(prompt, **fields)
        self.go.release(4)
        await self.until(job, "done")
        return job


def test_jobs_run_one_after_the_other_and_the_owners_come_first(tmp_path):
    async def main():
        bench = Bench(tmp_path)
        jobs = [bench.create("first", owner=False), bench.create("second", owner=False, visitor="you")]
        await bench.until(jobs[0], "working")
        jobs.append(bench.create("owner's", visitor="owner", address="b"))
        assert [bench.queue.data(job)["place"] for job in jobs] == [0, 2, 1]
        bench.go.release(12)
        for job in jobs:
            await bench.until(job, "done")
        assert bench.begun == ["first", "owner's", "second"]
        assert [one.name for one in jobs[0].results] == ["made.json"]
        assert bench.queue.store.file(jobs[0], "made.json").read_bytes() == b"x" * 10
        bench.queue.stop()

    asyncio.run(main())


def test_the_queue_is_bounded_and_a_stranger_has_a_share(tmp_path):
    async def main():
        bench = Bench(tmp_path)
        for n in range(2):
            bench.create(f"{n}", owner=False)
        with pytest.raises(Busy, match="your address has 2"):
            bench.create("third", owner=False)
        bench.create("another's", owner=False, address="b", visitor="you")
        with pytest.raises(Busy, match="3 clips are being made"):
            bench.create("one more", owner=False, address="c", visitor="they")
        assert len(bench.queue.store.of("me")) == 2
        for job in bench.queue.store.active():
            bench.queue.cancel(job)
        bench.go.release(9)
        bench.queue.stop()

    asyncio.run(main())


def test_the_time_that_is_left_follows_the_pace_since_the_first_report(tmp_path):
    async def main():
        bench = Bench(tmp_path)
        job = bench.create("x")
        await bench.until(job, "working")
        bench.clock.advance(60)  # loading is no work
        bench.go.release()
        while job.share < 0.25:
            await asyncio.sleep(0.002)
        assert bench.queue.data(job)["left_s"] is None
        bench.clock.advance(5)
        bench.go.release()
        while job.share < 0.5:
            await asyncio.sleep(0.002)
        shown = bench.queue.data(job)
        assert (shown["share"], shown["left_s"], shown["took_s"]) == (0.5, 10.0, 65.0)
        bench.go.release(2)
        await bench.until(job, "done")
        assert bench.queue.data(job)["share"] == 1.0
        bench.queue.stop()

    asyncio.run(main())


def test_a_job_is_cancelled_while_it_waits_and_while_it_works_and_tried_again(tmp_path):
    async def main():
        bench = Bench(tmp_path)
        works, waits = bench.create("works"), bench.create("waits")
        await bench.until(works, "working")
        bench.queue.cancel(waits)
        await bench.until(waits, "cancelled")
        bench.queue.cancel(works)
        with pytest.raises(Unsupported):
            bench.queue.retry(works, "a", True)  # its thread has not stopped yet
        bench.go.release()
        await bench.until(works, "cancelled")
        assert bench.begun == ["works"]
        bench.queue.retry(waits, "a", True)
        bench.go.release(4)
        await bench.until(waits, "done")
        with pytest.raises(Unsupported, match="failed or was cancelled"):
            bench.queue.retry(waits, "a", True)
        bench.queue.stop()

    asyncio.run(main())


def test_a_failure_is_told_and_leaves_no_file(tmp_path):
    async def main():
        bench = Bench(tmp_path)
        job = bench.create("x", fails=True)
        bench.go.release(4)
        await bench.until(job, "failed")
        assert bench.queue.data(job)["error"] == {"message": "it broke", "field": None}
        assert [path.name for path in bench.queue.store.folder(job).iterdir()] == ["job.json"]
        bench.queue.stop()

    asyncio.run(main())


def test_a_deleted_job_leaves_nothing_even_while_it_works(tmp_path):
    async def main():
        bench = Bench(tmp_path)
        job = bench.create("x")
        await bench.until(job, "working")
        folder = bench.queue.store.folder(job)
        bench.queue.delete(job)
        bench.go.release(4)
        while job.id in bench.queue._running:
            await asyncio.sleep(0.002)
        assert not folder.exists()
        assert bench.queue.store.of("me") == []
        bench.queue.stop()

    asyncio.run(main())


def test_every_wrong_field_is_named_and_refused_words_count_in_every_prompt(tmp_path):
    async def main():
        bench = Bench(tmp_path)
        with pytest.raises(InvalidFields) as caught:
            bench.create("x" * 21, size=-1, fails="maybe", sise=3)
        assert [fault.field for fault in caught.value.faults] == ["prompt", "size", "fails", "sise"]
        assert "did you mean 'size'" in str(caught.value.faults[3])
        with pytest.raises(PromptError, match="scream"):
            bench.create("x", start="a Scream")
        with pytest.raises(NotFound):
            bench.queue.create("me", "a", True, "nothing", {})
        bench.queue.stop()

    asyncio.run(main())


def test_a_restart_keeps_results_and_tells_what_was_interrupted(tmp_path):
    async def first():
        bench = Bench(tmp_path)
        done = await bench.made("done")
        bench.clock.advance(1)
        works = bench.create("works")
        await bench.until(works, "working")
        bench.queue.stop()
        bench.go.release(4)
        return done.id, works.id

    async def second(done, works):
        bench = Bench(tmp_path)
        assert [job.id for job in bench.queue.store.of("me")] == [works, done]
        assert bench.queue.store.get("me", done).state == "done"
        interrupted = bench.queue.store.get("me", works)
        assert bench.queue.data(interrupted)["error"]["message"] == INTERRUPTED
        with pytest.raises(NotFound):
            bench.queue.store.get("you", done)
        bench.queue.retry(interrupted, "a", True)
        bench.go.release(4)
        await bench.until(interrupted, "done")
        bench.queue.stop()

    asyncio.run(second(*asyncio.run(first())))


def test_the_oldest_that_is_not_pinned_goes_first(tmp_path):
    async def main():
        bench = Bench(tmp_path)
        store = bench.queue.store
        jobs = [await bench.made(f"{n}", size=300_000) for n in range(3)]
        store.pin(jobs[0], True)
        with pytest.raises(Unsupported, match="unpin"):
            store.pin(jobs[1], True)  # over half of the visitor's megabyte
        jobs.append(await bench.made("3", size=300_000))
        assert [job.values["prompt"] for job in store.of("me")] == ["3", "2", "0"]
        assert not store.folder(jobs[1]).exists()
        for n in range(3):  # another visitor's results count in all: two megabytes
            await bench.made(f"y{n}", visitor="you", size=400_000)
        assert store.used_bytes() <= 2_000_000
        assert jobs[0] in store.of("me")
        large = bench.create("large", size=950_000)
        bench.go.release(4)
        await bench.until(large, "failed")
        assert "unpin" in large.fault.message
        assert "room for 0.7 MB" in large.fault.message
        bench.queue.stop()

    asyncio.run(main())


def test_the_number_of_jobs_has_a_limit_and_damaged_records_are_deleted(tmp_path):
    store = JobStore(tmp_path, 10**9, 10**9)
    jobs = [Job("write", {}, "me", float(n), state="done") for n in range(MAX_JOBS + 3)]
    for job in jobs:
        store.add(job)
    assert len(store.of("me")) == MAX_JOBS
    assert store.of("me")[-1] is jobs[3]
    (store.folder(jobs[5]) / "job.json").write_text('{"state": "dancing"}')
    (tmp_path / ".upload-abc").mkdir()  # of a server that was killed
    again = JobStore(tmp_path, 10**9, 10**9)
    again.load()
    assert not (tmp_path / ".upload-abc").exists()
    assert len(again.of("me")) == MAX_JOBS - 1
    assert not store.folder(jobs[5]).exists()


def kept(store, id, visitor, owner, kilobytes, pinned=False):
    job = Job("write", {}, visitor, 0.0, id=id, state="done", owner=owner)
    job.results = [Result("a.json", "json", kilobytes * 1000)]
    assert store.room(job) >= job.bytes
    store.add(job)
    if pinned:
        store.pin(job, True)
    return job


def test_strangers_share_half_and_the_owner_never_makes_way_for_them(tmp_path):
    store = JobStore(tmp_path, 2_000_000, 4_000_000)
    mine = [kept(store, f"mine{n}", "me", True, 900) for n in range(2)]
    pinned = kept(store, "p1", "one", False, 900, pinned=True)
    with pytest.raises(Unsupported, match="all visitors"):
        kept(store, "p2", "two", False, 900, pinned=True)  # over half of the strangers' two megabytes
    kept(store, "s3", "three", False, 900)
    assert not store.of("two")
    assert store.used_bytes() == 3_600_000
    assert all(store.has(job) for job in mine)
    kept(store, "yours", "another key of the owner", True, 1_900)
    assert store.of("one") == store.of("three") == []  # a pinned one of a stranger, too
    assert all(store.has(job) for job in mine)
    assert not store.has(pinned)
    assert store.room(Job("write", {}, "four", 0.0)) == 300_000  # what the owner leaves
    again = JobStore(tmp_path, 2_000_000, 4_000_000)
    again.load()
    assert [job.owner for job in again.of("me")] == [True, True]


def test_a_job_stops_when_its_files_outgrow_the_room(tmp_path):
    async def main():
        bench = Bench(tmp_path)
        job = bench.create("x", size=1_000_001)  # one byte over the visitor's megabyte
        bench.go.release(4)
        await bench.until(job, "failed")
        assert "room for 1.0 MB" in job.fault.message
        assert [path.name for path in bench.queue.store.folder(job).iterdir()] == ["job.json"]
        bench.queue.stop()

    asyncio.run(main())


def test_a_strangers_long_job_gives_way_to_the_owner(tmp_path):
    async def main():
        bench = Bench(tmp_path)
        job = bench.create("long", owner=False)
        await bench.until(job, "working")
        bench.clock.advance(GIVE_WAY_S + 1)
        bench.go.release()
        while job.share < 0.25:  # nobody waits: it goes on
            await asyncio.sleep(0.002)
        mine = bench.create("mine", visitor="owner", address="b")
        bench.go.release(5)
        await bench.until(job, "failed")
        assert "owner" in job.fault.message
        await bench.until(mine, "done")
        bench.queue.stop()

    asyncio.run(main())


def test_the_jobs_of_a_dropped_address_are_cancelled(tmp_path):
    async def main():
        bench = Bench(tmp_path)
        jobs = [bench.create(f"{n}", owner=False) for n in range(2)]
        mine = bench.create("mine", visitor="owner")  # from the same address
        await bench.until(jobs[0], "working")
        assert bench.queue.drop(lambda address: address == "b") == 0
        assert bench.queue.drop(lambda address: address == "a") == 2
        assert [job.state for job in jobs] == ["cancelled", "cancelled"]
        bench.go.release(5)
        await bench.until(mine, "done")
        assert bench.begun == ["0", "mine"]
        bench.queue.stop()

    asyncio.run(main())
