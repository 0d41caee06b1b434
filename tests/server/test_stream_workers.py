"""Where private streams are made: a few here, the others in worker processes; none is lost with its worker."""

import os
import signal
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from faulty_engine import HZ, Fault, faulty
from recorded_station import RecordedStation
from sine_engine import RATE, SineEngine, tone

from lullwave import Request, load_engine
from lullwave.clock import SimulatedClock
from lullwave.errors import EngineLost, UnknownEngine
from lullwave.server.workers.stream_workers import (
    AGAIN_S,
    HERE,
    IDLE_S,
    NICENESS,
    OUTPUT_NICENESS,
    RESTART_S,
    StreamWorkers,
)
from lullwave.station import OutputLevels

REQUEST = Request("a tone", 1)


class FakeWorker(SineEngine):
    """An engine in a process that the test ends and starts."""

    def __init__(self):
        self.available = True
        self.niceness = self.opened = 0
        self.closed = False

    def lower_priority(self, niceness):
        self.niceness = niceness

    def open(self, request, **audio_prompts):
        self.opened += 1
        return super().open(request)

    def restore(self, snapshot):
        self.opened += 1
        return super().restore(snapshot)

    def close(self):
        self.closed = True


class FakeOutputs:
    """The other process of a worker."""

    def __init__(self, clock, niceness):
        self.niceness = niceness
        self.closed = False

    def close(self):
        self.closed = True


class Pool:
    """Workers for streams of an engine, with at most ``most`` processes of ``per_worker`` streams."""

    def __init__(self, most=1, per_worker=3, start=None):
        self.clock = SimulatedClock()
        self.here = FakeWorker()
        self.started, self.outputs = [], []
        self.workers = StreamWorkers(
            lambda: self.here, start or self.start, lambda: (most, per_worker), self.clock, self.start_output
        )

    def start(self):
        self.started.append(FakeWorker())
        return self.started[-1]

    def start_output(self, *given):
        self.outputs.append(FakeOutputs(*given))
        return self.outputs[-1]

    def open(self, *streams):
        """Open streams; how many each engine has opened since the beginning, this process first."""
        for stream in streams:
            self.workers.engine(stream).stream(REQUEST)
        return self.opened

    @property
    def opened(self):
        return [self.here.opened, *(worker.opened for worker in self.started)]


def test_a_few_streams_play_here_and_the_others_in_workers_that_start_as_they_are_needed():
    pool = Pool(most=2, per_worker=3)
    assert pool.open("a") == [1]
    assert pool.open("b") == [HERE, 0]  # it starts ahead of need
    assert pool.open("c", "d", "e") == [HERE, 3]
    assert pool.open("f") == [HERE, 3, 1]
    assert pool.open("g", "h", "i") == [HERE, 4, 3]  # full: the ones with the fewest take them
    assert all(worker.niceness == NICENESS for worker in pool.started)
    assert pool.here.niceness == 0
    assert all(outputs.niceness == OUTPUT_NICENESS for outputs in pool.outputs)
    made_by = [pool.workers.output(stream)(OutputLevels())._find() for stream in "abcf?"]
    assert made_by == [None, None, pool.outputs[0], pool.outputs[1], None]  # where they are rendered


@pytest.mark.parametrize("most", [0, 1])
def test_all_play_here_where_no_worker_can_be_started(most):
    def refuse():
        raise UnknownEngine("sines", ())

    pool = Pool(most, start=refuse)
    assert pool.open(*"abcdef") == [6]
    assert pool.workers.processes == 0


def test_words_are_understood_here_and_place_no_stream():
    pool = Pool()
    pool.open("a", "b")
    engine = pool.workers.engine("c")
    assert engine.understand("a tone").understood == pool.here.understand("a tone").understood
    assert (engine.name, engine.options, engine.rewindable_s) == ("sines", SineEngine.options, 3600.0)
    assert pool.opened == [2, 0]
    assert pool.open("c") == [2, 1]


def test_a_worker_that_ended_is_waited_for_and_then_replaced():
    pool = Pool(most=1)
    pool.open("a", "b", "c", "d")
    worker, engine = pool.started[0], pool.workers.engine("c")
    snapshot = SineEngine().stream(REQUEST).snapshot()
    worker.available = False
    with pytest.raises(EngineLost, match="starting again"):
        engine.restore(snapshot)
    pool.clock.advance(RESTART_S / 2)
    worker.available = True
    engine.restore(snapshot)
    assert pool.opened == [2, 3]
    pool.clock.advance(2 * AGAIN_S)
    worker.available = False
    with pytest.raises(EngineLost):
        engine.restore(snapshot)
    pool.clock.advance(RESTART_S)
    engine.restore(snapshot)
    assert pool.opened == [3, 3]  # its worker is away for too long, and there is no other
    worker.available = True
    assert pool.open("e") == [3, 4]


def test_a_worker_that_runs_but_serves_no_stream_is_left():
    pool = Pool(most=2, per_worker=2)
    pool.open("a", "b", "c", "d", "e")
    assert pool.opened == [2, 2, 1]
    pool.open("c")  # lost at once
    assert pool.opened == [2, 2, 2]
    pool.clock.advance(AGAIN_S)
    pool.open("d")  # lost after some time: it may stay
    assert pool.opened == [2, 3, 2]


@pytest.mark.parametrize("away_s", [RESTART_S / 2, 60.0])
def test_a_stations_music_goes_on_sample_for_sample_when_its_worker_is_killed(away_s):
    """It waits for its worker or, where that stays away, goes on in this process; its buffer plays meanwhile."""
    fault = Fault(SimulatedClock())

    class Killed(faulty(fault)):
        niceness = 0
        available = property(lambda worker: fault.error is None)

        def lower_priority(self, niceness):
            self.niceness = niceness

    here = FakeWorker()
    workers = StreamWorkers(lambda: here, Killed, lambda: (1, 24), fault.clock, FakeOutputs)
    for other in "ab":
        workers.engine(other).stream(REQUEST)
    engines = SimpleNamespace(get=lambda name: workers.engine("c"))
    with RecordedStation(engines=engines, clock=fault.clock, reserve_s=10) as tape:
        tape.play(20)
        fault.error = EngineLost("its process was killed")
        tape.play(away_s)
        fault.error = None
        tape.play(30)
        assert tape.station.times_lost > 1
        assert tape.station.late_s <= 1e-6
        assert np.array_equal(tape.sound, tone(0, len(tape.sound), HZ, []))
        assert len(tape.sound) > (49 + away_s) * RATE
        assert fault.opened == ["stream"] + ["restore"] * (away_s < RESTART_S)
        assert here.opened == 2 + (away_s > RESTART_S)


def test_idle_workers_end_and_start_again_when_they_are_needed():
    pool = Pool()
    pool.open("a", "b", "c")
    pool.clock.advance(2 * IDLE_S)
    pool.workers.end_idle()
    assert not pool.started[0].closed
    pool.workers.release("c")
    pool.workers.release("c")
    pool.workers.end_idle()
    assert not pool.started[0].closed
    pool.clock.advance(IDLE_S)
    pool.workers.end_idle()
    assert pool.started[0].closed
    assert pool.outputs[0].closed
    assert pool.open("d") == [2, 1, 1]
    pool.workers.close()
    assert pool.started[1].closed
    assert pool.outputs[1].closed
    assert pool.open("e") == [3, 1, 1]  # no worker starts any more


def test_a_real_worker_is_killed_and_its_stream_goes_on_with_the_same_samples():
    with load_engine("synth") as here:
        clock = SimulatedClock()
        start = partial(load_engine, "isolated:synth")
        workers = StreamWorkers(lambda: here, start, lambda: (1, 24), clock, FakeOutputs)
        for stream in "ab":
            workers.engine(stream).stream(REQUEST).close()
        engine = workers.engine("c")
        stream, expected = engine.stream(REQUEST), here.stream(REQUEST)
        assert np.array_equal(stream.read(30000).samples, expected.read(30000).samples)
        snapshot = stream.snapshot()
        (process,) = workers._processes
        pid = process.engine.process.pid
        assert os.getpriority(os.PRIO_PROCESS, pid) == NICENESS
        assert os.getpriority(os.PRIO_PROCESS, 0) == 0
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(EngineLost):  # noqa: PT012
            while True:
                stream.read(44100)
        child, _ = process.engine.process, clock.advance(AGAIN_S)
        with child._changed:
            assert child._changed.wait_for(lambda: child.starts == 2 and child._url, 30)
        with engine.restore(snapshot) as again:
            assert np.array_equal(again.read(30000).samples, expected.read(30000).samples)
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == NICENESS
        workers.close()
        assert child.pid is None
