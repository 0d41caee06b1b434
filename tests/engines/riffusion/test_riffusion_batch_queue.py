"""The batch queue in front of a pipeline that waits: bounded, batched by shape, cancelled in time."""

import subprocess
import sys
import threading
from concurrent.futures import CancelledError

import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402

from lullwave.engines.riffusion.batch_queue import BatchQueue  # noqa: E402
from lullwave.engines.riffusion.clip_options import DenoisingConfig  # noqa: E402
from lullwave.engines.riffusion.pipeline import ImageRequest  # noqa: E402
from lullwave.engines.riffusion.sampler import SeedPair  # noqa: E402
from lullwave.errors import Busy, Cancelled, EngineFailed, StreamClosed  # noqa: E402


class Gate:
    """A pipeline whose passes end when the test opens the gate."""

    def __init__(self):
        self.passes = []
        self.begun = threading.Semaphore(0)
        self.open = threading.Semaphore(0)

    def make(self, requests, config, progress=None, cancelled=None):
        self.passes.append([one.width for one in requests])
        self.begun.release()
        while not self.open.acquire(timeout=0.01):
            if cancelled():
                raise Cancelled("cancelled")
        if config.steps == 13:
            raise ZeroDivisionError("thirteen")
        progress(1, 1)
        return [Image.new("RGB", (one.width, 64)) for one in requests]


def request(width=512, strength=0.75):
    nothing = torch.zeros(1, 1)
    return ImageRequest(SeedPair(1, 2, 0.5), strength, 7.0, nothing, nothing, width=width)


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def queue(gate):
    made = BatchQueue(gate, max_batch=3, max_waiting=4)
    yield made
    made.close()


def test_jobs_of_equal_shape_share_a_pass(queue, gate):
    first = queue.submit(request(), DenoisingConfig())
    gate.begun.acquire()
    rest = [queue.submit(request(*sizes), DenoisingConfig()) for sizes in ((512,), (1024,), (512,), (512, 0.5))]
    for _ in range(4):
        gate.open.release()
    assert [job.result.result().width for job in (first, *rest)] == [512, 512, 1024, 512, 512]
    assert gate.passes == [[512], [512, 512], [1024], [512]]


def test_a_full_queue_refuses_and_says_when_to_retry(queue, gate):
    queue.submit(request(), DenoisingConfig())
    gate.begun.acquire()
    jobs = [queue.submit(request(), DenoisingConfig()) for _ in range(4)]
    with pytest.raises(Busy) as refused:
        queue.submit(request(), DenoisingConfig())
    assert refused.value.retry_after_s == 30.0  # no pass has ended yet
    jobs[0].cancel()
    queue.submit(request(), DenoisingConfig())
    assert queue.waiting == 4


def test_the_retry_time_is_that_of_the_last_pass(queue, gate):
    gate.open.release()
    queue.submit(request(), DenoisingConfig()).result.result()
    queue.submit(request(), DenoisingConfig())
    gate.begun.acquire()
    gate.begun.acquire()
    for _ in range(4):
        queue.submit(request(), DenoisingConfig())
    with pytest.raises(Busy) as refused:
        queue.submit(request(), DenoisingConfig())
    assert 0 < refused.value.retry_after_s < 10


def test_a_pass_stops_when_all_its_jobs_are_cancelled(queue, gate):
    job = queue.submit(request(), DenoisingConfig())
    gate.begun.acquire()
    job.cancel()
    other = queue.submit(request(1024), DenoisingConfig())
    gate.begun.acquire()
    gate.open.release()
    assert other.result.result().width == 1024
    with pytest.raises(CancelledError):
        job.result.result()


def test_cancelling_one_job_leaves_the_others_of_its_pass(queue, gate):
    first = queue.submit(request(), DenoisingConfig())
    gate.begun.acquire()
    stays, goes = queue.submit(request(), DenoisingConfig()), queue.submit(request(), DenoisingConfig())
    gate.open.release()
    first.result.result()
    gate.begun.acquire()
    goes.cancel()
    gate.open.release()
    assert stays.result.result().width == 512


def test_an_error_reaches_the_caller_and_the_queue_goes_on(queue, gate):
    seen = []
    for _ in range(2):
        gate.open.release()
    with pytest.raises(EngineFailed, match="thirteen"):
        queue.submit(request(), DenoisingConfig(steps=13)).result.result()
    queue.submit(request(), DenoisingConfig(), lambda done, of: seen.append((done, of))).result.result()
    assert seen == [(1, 1)]


def test_closing_fails_every_job(gate):
    queue = BatchQueue(gate)
    running = queue.submit(request(), DenoisingConfig())
    gate.begun.acquire()
    waiting = queue.submit(request(1024), DenoisingConfig())
    queue.close()
    for job in (running, waiting):
        with pytest.raises(StreamClosed):
            job.result.result()
    with pytest.raises(StreamClosed):
        queue.submit(request(), DenoisingConfig())


def test_a_pass_that_runs_when_a_program_ends_is_cancelled_first():
    program = """
import threading, time
from lullwave.engines.batching import BatchQueue
from lullwave.errors import Cancelled
begun = threading.Event()
class Slow:
    def make(self, requests, config, progress=None, cancelled=None):
        begun.set()
        while not cancelled():
            time.sleep(0.01)
        print("cancelled", flush=True)
        raise Cancelled("cancelled")
job = BatchQueue(Slow()).add("a", "b", "c")
begun.wait()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "cancelled\n", "")
