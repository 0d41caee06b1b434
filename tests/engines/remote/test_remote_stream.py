"""A stream from elsewhere is the same as one made here: samples, marks, turns, forks, states, errors."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from inference_servers import inferring
from sine_engine import BrokenEngine, SineEngine

from lullwave import Request, load_engine
from lullwave.errors import EngineFailed, EngineLost, InvalidInput, PromptError, SnapshotError, StreamClosed

REQUEST = Request("rainy night piano", 7)


@pytest.fixture(scope="module")
def synth():
    with inferring(load_engine("synth")) as served, load_engine(served.url) as remote, load_engine("synth") as local:
        yield remote, local


def same(remote, local, sizes=(1, 4410, 30000, 777, 60000)) -> None:
    for frames in sizes:
        assert np.array_equal(remote.read(frames).samples, local.read(frames).samples)
    assert remote.position == local.position


def test_samples_marks_and_beats_are_those_of_the_engine(synth):
    with synth[0].stream(REQUEST) as remote, synth[1].stream(REQUEST) as local:
        same(remote, local)
        heard = (0, local.position)
        assert remote.marks(*heard) == local.marks(*heard) != []
        assert remote.beats(*heard) == local.beats(*heard) != []
        assert (remote.rate, remote.channels, remote.total_frames) == (local.rate, local.channels, None)


def test_what_is_behind_is_known_by_name_and_version(synth):
    import lullwave

    remote, local = synth
    assert (remote.engine_info.name, remote.engine_info.version) == ("synth", lullwave.__version__)
    assert (remote.name, remote.made_by, local.made_by) == ("remote", "synth", "synth")
    assert (remote.rate, remote.channels) == (local.rate, local.channels)
    assert 60 <= remote.rewindable_s <= local.rewindable_s
    assert remote.understand("slow piano, (jazz:1.3)") == local.understand("slow piano, (jazz:1.3)")


def test_steering_is_heard_from_the_frame_that_is_read_next(synth):
    with synth[0].stream(REQUEST) as remote, synth[1].stream(REQUEST) as local:
        same(remote, local, (44100,))
        assert remote.steer("warm synthwave", 2.0) == local.steer("warm synthwave", 2.0)
        same(remote, local, (44100,) * 6)
        heard = (0, local.position)
        assert remote.marks(*heard) == local.marks(*heard)
        assert [mark.kind for mark in remote.marks(*heard)] == ["piece", "steer"]


def test_a_fork_in_the_past_goes_its_own_way(synth):
    with synth[0].stream(REQUEST) as remote, synth[1].stream(REQUEST) as local:
        same(remote, local, (100000,))
        with remote.fork(50000) as branch, local.fork(50000) as original:
            branch.steer("ambient pads", 1.0)
            original.steer("ambient pads", 1.0)
            same(branch, original)
        same(remote, local)


def test_a_state_goes_over_the_wire_both_ways(synth):
    with synth[0].stream(REQUEST) as remote, synth[1].stream(REQUEST) as local:
        same(remote, local, (70000,))
        snapshot = remote.snapshot(60000)
        assert snapshot == local.snapshot(60000)
        for engine in synth:
            with engine.restore(snapshot) as again, local.fork(60000) as original:
                assert again.position == 60000
                assert again.request == REQUEST
                same(again, original)


def test_int16_is_half_the_traffic_and_near_enough(synth):
    with (
        load_engine(synth[0].url, encoding="int16") as engine,
        engine.stream(REQUEST) as remote,
        synth[1].stream(REQUEST) as local,
    ):
        difference = np.abs(remote.read(44100).samples - local.read(44100).samples)
        assert 0 < difference.max() <= 0.5 / 32768 + 1e-7


def test_errors_are_those_of_the_engine(synth):
    remote, local = synth
    with pytest.raises(InvalidInput) as there:
        remote.stream(Request("", options={"tempo_bpm": "fast"}))
    with pytest.raises(InvalidInput) as here:
        local.stream(Request("", options={"tempo_bpm": "fast"}))
    assert str(there.value) == str(here.value)
    with pytest.raises(SnapshotError):
        remote.restore(b"nothing of the kind")
    with remote.stream(REQUEST) as stream:
        with pytest.raises(PromptError):
            stream.steer("(open")
        with pytest.raises(SnapshotError):
            stream.snapshot(10)
        stream.read(100)  # and it goes on


def test_an_engine_that_breaks_is_not_lost():
    with inferring(BrokenEngine()) as served, load_engine(served.url) as remote:
        stream = remote.stream(REQUEST)
        stream.read(round(9.5 * 44100))
        with pytest.raises(EngineFailed) as broken:
            stream.read(44100)
        assert not isinstance(broken.value, EngineLost)


class Stuck(SineEngine):
    """Never ends its first block, until the stream is closed."""

    def open(self, request):
        stream = super().open(request)
        closed = threading.Event()
        close = stream.close

        def read(frames):
            closed.wait()
            raise StreamClosed("closed")

        stream.read = read
        stream.close = lambda: (closed.set(), close())
        return stream


def test_closing_from_another_thread_ends_a_read():
    with inferring(Stuck()) as served, load_engine(served.url) as remote:
        stream = remote.stream(REQUEST)
        caught = []

        def read():
            with pytest.raises(StreamClosed) as closed:
                stream.read(1000)
            caught.append(closed.value)

        reading = threading.Thread(target=read)
        reading.start()
        with stream._changed:
            stream._changed.wait_for(lambda: stream.progress)  # the server says that it works on it
        stream.close()
        reading.join()
        assert caught
        with pytest.raises(StreamClosed):
            stream.read(1)
