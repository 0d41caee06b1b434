"""The queue in front of a pipeline: bounded, batched by shape, cancelled in time; with a pipeline that waits."""

import threading
from concurrent.futures import CancelledError

import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402

from lullwave.engines.riffusion.batch_queue import Workshop  # noqa: E402
from lullwave.engines.riffusion.denoising import Plan  # noqa: E402
from lullwave.engines.riffusion.pipeline import Cancelled, Leg  # noqa: E402
from lullwave.engines.riffusion.schedule import Chance  # noqa: E402
from lullwave.errors import Busy, EngineFailed, StreamClosed  # noqa: E402


class Gate:
    """A pipeline that makes nothing until it is let."""

    def __init__(self):
        self.passes = []
        self.begun = threading.Semaphore(0)
        self.open = threading.Semaphore(0)

    def make(self, legs, plan, progress=None, cancelled=None):
        self.passes.append([leg.width for leg in legs])
        self.begun.release()
        while not self.open.acquire(timeout=0.01):
            if cancelled():
                raise Cancelled("nobody waits")
        if plan.steps == 13:
            raise ZeroDivisionError("thirteen")
        progress(1, 1)
        return [Image.new("RGB", (leg.width, 64)) for leg in legs]


def leg(width=512, strength=0.75):
    nothing = torch.zeros(1, 1)
    return Leg(Chance(1, 2, 0.5), strength, 7.0, nothing, nothing, width=width)


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def shop(gate):
    workshop = Workshop(gate, max_batch=3, max_waiting=4)
    yield workshop
    workshop.close()


def test_neighbours_of_equal_shape_are_one_pass(shop, gate):
    first = shop.submit(leg(), Plan())
    gate.begun.acquire()
    rest = [shop.submit(leg(*sizes), Plan()) for sizes in ((512,), (1024,), (512,), (512, 0.5))]
    for _ in range(4):
        gate.open.release()
    assert [ticket.result.result().width for ticket in (first, *rest)] == [512, 512, 1024, 512, 512]
    assert gate.passes == [[512], [512, 512], [1024], [512]]


def test_the_queue_is_bounded_and_says_when_to_come_again(shop, gate):
    shop.submit(leg(), Plan())
    gate.begun.acquire()
    tickets = [shop.submit(leg(), Plan()) for _ in range(4)]
    with pytest.raises(Busy) as refused:
        shop.submit(leg(), Plan())
    assert refused.value.retry_after_s == 30.0  # a guess, while no pass has ended
    tickets[0].cancel()
    shop.submit(leg(), Plan())
    assert shop.waiting == 4


def test_when_to_come_again_is_how_long_the_last_pass_took(shop, gate):
    gate.open.release()
    shop.submit(leg(), Plan()).result.result()
    shop.submit(leg(), Plan())
    gate.begun.acquire()
    gate.begun.acquire()
    for _ in range(4):
        shop.submit(leg(), Plan())
    with pytest.raises(Busy) as refused:
        shop.submit(leg(), Plan())
    assert 0 < refused.value.retry_after_s < 10


def test_a_pass_that_nobody_waits_for_is_broken_off(shop, gate):
    ticket = shop.submit(leg(), Plan())
    gate.begun.acquire()
    ticket.cancel()
    other = shop.submit(leg(1024), Plan())
    gate.begun.acquire()
    gate.open.release()
    assert other.result.result().width == 1024
    with pytest.raises(CancelledError):
        ticket.result.result()


def test_a_customer_who_leaves_does_not_stop_the_others(shop, gate):
    first = shop.submit(leg(), Plan())
    gate.begun.acquire()
    stays, goes = shop.submit(leg(), Plan()), shop.submit(leg(), Plan())
    gate.open.release()
    first.result.result()
    gate.begun.acquire()
    goes.cancel()
    gate.open.release()
    assert stays.result.result().width == 512


def test_what_breaks_reaches_whoever_waits_and_the_queue_goes_on(shop, gate):
    seen = []
    for _ in range(2):
        gate.open.release()
    with pytest.raises(EngineFailed, match="thirteen"):
        shop.submit(leg(), Plan(steps=13)).result.result()
    shop.submit(leg(), Plan(), lambda done, of: seen.append((done, of))).result.result()
    assert seen == [(1, 1)]


def test_closing_gives_up_everything(gate):
    shop = Workshop(gate)
    running = shop.submit(leg(), Plan())
    gate.begun.acquire()
    waiting = shop.submit(leg(1024), Plan())
    shop.close()
    for ticket in (running, waiting):
        with pytest.raises(StreamClosed):
            ticket.result.result()
    with pytest.raises(StreamClosed):
        shop.submit(leg(), Plan())
