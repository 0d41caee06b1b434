"""Who may begin: the owner before all that waits, strangers by address and in order."""

import asyncio

import pytest

from lullwave.errors import Busy
from lullwave.server.clip_slots import ClipSlots


def on_loop(test):
    """Make an async test one that pytest runs."""

    def run():
        asyncio.run(test())

    return run


def begun(*slots):
    return [slot.begun.done() for slot in slots]


@on_loop
async def test_strangers_have_a_share_and_never_the_owners_places():
    slots = ClipSlots(running=1, waiting=3, per_address=2)
    strangers = [slots.reserve(address, False) for address in ("a", "a", "b", "c")]
    for address, why in (("a", "your address"), ("d", "4 clips")):
        with pytest.raises(Busy, match=why):
            slots.reserve(address, False)
    owners = [slots.reserve("a", True) for _ in range(4)]
    with pytest.raises(Busy):
        slots.reserve("a", True)
    assert slots.active == 8
    assert begun(*strangers, *owners) == [True] + [False] * 7


@on_loop
async def test_the_owner_goes_before_all_that_waits():
    slots = ClipSlots(running=1, waiting=9, per_address=2)
    first, second = slots.reserve("a", False), slots.reserve("b", False)
    mine, mine_too = slots.reserve("c", True), slots.reserve("c", True)
    order = []
    for slot, name in ((first, "first"), (mine, "mine"), (mine_too, "mine too"), (second, "second")):
        await slot.turn()
        assert begun(first, mine, mine_too, second).count(True) == len(order) + 1
        order.append(name)
        slot.release()
    assert order == ["first", "mine", "mine too", "second"]
    assert slots.active == 0


@on_loop
async def test_who_leaves_the_queue_is_skipped():
    slots = ClipSlots(running=1, waiting=3)
    first, second, third = (slots.reserve(str(n), False) for n in range(3))
    second.release()
    second.release()
    first.release()
    assert begun(third) == [True]
    assert slots.active == 1
