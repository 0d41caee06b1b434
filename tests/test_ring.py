"""A ring with many readers: bounded memory, an error for a slow reader, a little of the past for a new one."""

import asyncio
import threading

import pytest

from lullwave.ring import FellBehind, Ring


def test_every_reader_gets_every_item_in_order_from_another_thread():
    async def scene():
        ring = Ring(1000)

        async def reader():
            cursor, got = ring.cursor(), []
            while items := await cursor.next():
                got += items
            return got

        readers = [asyncio.create_task(reader()) for _ in range(20)]
        await asyncio.sleep(0)
        thread = threading.Thread(target=lambda: [ring.publish(n) for n in range(500)])
        thread.start()
        watch = ring.cursor(0)
        while ring.end < 500:
            await watch.next()
        thread.join()
        await asyncio.sleep(0)
        ring.close()
        return await asyncio.gather(*readers)

    for got in asyncio.run(scene()):
        assert got == list(range(500))


def test_memory_is_bounded_and_a_slow_reader_gets_an_error():
    async def scene():
        ring = Ring(8)
        slow, quick = ring.cursor(0), ring.cursor(0)
        for n in range(20):
            ring._add(n)
            assert quick.ready() == [n]
        assert (ring.begin, ring.end, len(ring._items)) == (12, 20, 8)
        with pytest.raises(FellBehind):
            slow.ready()
        assert ring.cursor(12).ready() == list(range(12, 20))

    asyncio.run(scene())


def test_a_new_reader_begins_at_the_latest_run_of_wanted_items():
    async def scene():
        ring = Ring(10)
        assert ring.since(lambda n: True) == ring.end == 0
        for n in range(6):
            ring._add(n)
        assert ring.since(lambda n: n >= 4) == 4
        assert ring.since(lambda n: n != 3) == 4
        assert ring.since(lambda n: False) == 6

    asyncio.run(scene())


def test_closing_ends_waiting_and_later_readers():
    async def scene():
        ring = Ring(4)
        waiting = asyncio.create_task(ring.cursor().next())
        await asyncio.sleep(0)
        ring.close()
        assert await waiting == []
        assert await ring.cursor().next() == []
        ring._add(1)
        assert ring.end == 0

    asyncio.run(scene())


def test_a_cancelled_reader_leaves_nothing_behind():
    async def scene():
        ring = Ring(4)
        waiting = asyncio.create_task(ring.cursor().next())
        await asyncio.sleep(0)
        assert len(ring._waiting) == 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert not ring._waiting

    asyncio.run(scene())


def test_publishing_after_the_loop_has_ended_is_harmless():
    async def scene():
        return Ring(4)

    asyncio.run(scene()).publish(1)
