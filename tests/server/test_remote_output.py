"""Private streams are mastered and encoded in a worker process: the same bytes, and no sample lost with the process."""

import os
import signal
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from recorded_station import RecordedStation
from sine_engine import RATE

from lullwave.clock import SimulatedClock
from lullwave.errors import EngineFailed, EngineLost
from lullwave.server.workers.output_process import RESTART_S, OutputProcess, answer
from lullwave.server.workers.remote_output import RemoteOutput
from lullwave.station import CHUNK_FRAMES, Output, OutputLevels

LEVELS = OutputLevels()


def block(number: int) -> np.ndarray:
    """Half a second of a chord that swells."""
    at = (number * CHUNK_FRAMES + np.arange(CHUNK_FRAMES)) / RATE
    chord = sum(np.sin(2 * np.pi * hz * at) for hz in (110.0, 275.3, 440.0))
    return np.repeat((0.2 * (1.2 + np.sin(at)) * chord)[:, None], 2, axis=1).astype(np.float32)


class FakeProcess:
    """A process that the test ends: ``lost`` tells how often the next calls fail."""

    def __init__(self):
        self.outputs = {}
        self.lost = 0
        self.begun = 0  # steps with a point

    def step(self, step):
        if self.lost:
            self.lost -= 1
            self.outputs.clear()
            raise EngineLost("it was killed")
        self.begun += step.point is not None
        made = answer(self.outputs, step)
        if isinstance(made, EngineFailed):
            raise made
        return made

    def forget(self, stream):
        self.outputs.pop(stream, None)


def contiguous(chunks):
    return all(
        (one.number + 1, one.frame + one.frames) == (other.number, other.frame) for one, other in pairwise(chunks)
    )


@pytest.mark.parametrize(("lost", "begun", "here"), [(0, 1, False), (1, 2, False), (2, 1, True)])
def test_a_stream_goes_on_with_the_same_music_when_its_process_is_lost(lost, begun, here):
    process, whole = FakeProcess(), Output(LEVELS)
    output = RemoteOutput("a", lambda: process, LEVELS)
    made = []
    for number in range(8):
        process.lost = lost if number == 4 else 0
        made.append(output.process(block(number)))
        expected = whole.process(block(number))
        assert np.array_equal(made[-1].mastered, expected.mastered)
        assert number >= 4 or made[-1].chunk == expected.chunk
        assert {name: list(values) for name, values in output.level().items()} == {
            name: list(values) for name, values in whole.level().items()
        }
    assert contiguous([one.chunk for one in made])
    assert output.state() == whole.state()
    assert output.count == whole.count == 8
    assert process.begun == begun
    assert ("a" in process.outputs) != here
    output.close()
    assert process.outputs == {}


def test_a_process_that_has_started_again_is_told_where_the_stream_was():
    process, whole = FakeProcess(), Output(LEVELS)
    output = RemoteOutput("a", lambda: process, LEVELS)
    for number in range(4):
        if number == 2:
            process.outputs.clear()
        assert np.array_equal(output.process(block(number)).mastered, whole.process(block(number)).mastered)
    assert process.begun == 2


def test_without_a_process_the_output_is_made_here():
    output, whole = RemoteOutput("a", lambda: None, LEVELS), Output(LEVELS)
    for number in range(3):
        assert output.process(block(number)).chunk == whole.process(block(number)).chunk
    assert output.count == 3


def test_an_output_that_fails_goes_on_from_its_last_state():
    process, whole = FakeProcess(), Output(LEVELS)
    output = RemoteOutput("a", lambda: process, LEVELS)
    output.process(block(0))
    whole.process(block(0))
    process.outputs["a"].process = None  # it breaks
    assert np.array_equal(output.process(block(1)).mastered, whole.process(block(1)).mastered)


def test_a_private_stream_whose_process_is_lost_has_the_sound_of_the_station_that_was_forked():
    process = FakeProcess()
    with RecordedStation() as shared:
        shared.play(20)
        begin = shared.station.edge - 4 * RATE
        fork = shared.station.fork(begin)
        output = partial(RemoteOutput, "a", lambda: process)
        with RecordedStation(clock=shared.clock, forked=fork, output=output) as own:
            own.play(5)
            process.lost = 1
            own.play(6)
            assert process.begun == 2
            assert contiguous([step.chunk for step in own.steps])
            assert own.station.late_s <= 1e-6
            assert len(own.sound) > 12 * RATE
            n = min(len(own.sound), len(shared.sound) - begin)
            assert np.array_equal(own.sound[:n], shared.sound[begin : begin + n])
            alone, together = (np.concatenate([step.mastered for step in tape.steps]) for tape in (own, shared))
            loudness = np.std(alone[RATE:n]) / np.std(together[begin + RATE : begin + n])
            assert abs(20 * np.log10(loudness)) < 0.6  # the gain is taken from four seconds later


def test_a_real_process_gives_the_same_bytes_and_is_killed_without_a_sample_lost():
    clock = SimulatedClock()
    process = OutputProcess(clock, 3)
    try:
        outputs, wholes = [RemoteOutput(name, lambda: process, LEVELS) for name in "ab"], [Output(LEVELS) for _ in "ab"]
        for number in range(3):
            for n, (output, whole) in enumerate(zip(outputs, wholes, strict=True)):
                made, expected = output.process(block(number + n)), whole.process(block(number + n))
                assert made.chunk == expected.chunk
                assert np.array_equal(made.mastered, expected.mastered)
        first = process.pid
        assert os.getpriority(os.PRIO_PROCESS, first) - os.getpriority(os.PRIO_PROCESS, 0) == 3
        os.kill(first, signal.SIGKILL)
        clock.advance(RESTART_S)
        for n, (output, whole) in enumerate(zip(outputs, wholes, strict=True)):
            made, expected = output.process(block(3 + n)), whole.process(block(3 + n))
            assert np.array_equal(made.mastered, expected.mastered)
            assert (made.chunk.number, made.chunk.frame) == (expected.chunk.number, expected.chunk.frame)
        assert process.pid not in (None, first)
        os.kill(process.pid, signal.SIGKILL)
        assert np.array_equal(outputs[0].process(block(4)).mastered, wholes[0].process(block(4)).mastered)
        assert process.pid is None  # it has just been started
    finally:
        process.close()
    assert process.pid is None
