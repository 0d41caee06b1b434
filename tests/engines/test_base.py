"""What the base of all engines gives: counting, slicing, ending, closing, steering, snapshots and forks."""

from dataclasses import dataclass

import numpy as np
import pytest

from lullwave import Audio, Engine, InvalidInput, Request, generate, option
from lullwave.engines.base import BlockStream
from lullwave.errors import EngineError, EngineFailed, SnapshotError, StreamClosed

RATE = 8000


@dataclass(frozen=True)
class RampOptions:
    step: float = option(1.0, "how much each frame adds", low=0.1, high=10)


class Ramp(Engine):
    """Frame n is ``n * step / 1e6``, or minus that where the prompt says down; 700 frames at a time."""

    name, summary, options = "ramp", "a ramp", RampOptions
    rate, channels = RATE, 1

    def read(self, request: Request, start: int) -> Audio:
        sign = -1.0 if "down" in request.prompt else 1.0
        step = request.chosen(RampOptions).step
        return Audio.of(sign * step * np.arange(start, start + 700) / 1e6, RATE)


class Counter(Engine):
    """The same with a state: a stream that only makes its next block."""

    name, summary = "counter", "a counter"
    rate, channels = RATE, 1

    def open(self, request, **audio_prompts):
        return Counting(request, RATE, 1)


class Counting(BlockStream):
    calls = 0

    def next_block(self):
        self.calls += 1
        return Audio.of(np.arange(self.frames_made, self.frames_made + 700) / 1e6, RATE)


def ramp(start: int, stop: int) -> np.ndarray:
    return (np.arange(start, stop) / 1e6).astype(np.float32)[:, None]


@pytest.mark.parametrize("engine", [Ramp(), Counter()])
@pytest.mark.parametrize("block", [1, 699, 700, 701, 5000])
def test_blocks_of_any_size_are_cut_from_what_the_engine_makes(engine, block):
    with engine.stream("up") as stream:
        for start in range(0, 5000, block):
            assert np.array_equal(stream.read(block).samples, ramp(start, start + block))
            assert stream.position == start + block


@pytest.mark.parametrize("engine", [Ramp(), Counter()])
def test_a_finite_stream_ends_at_its_length_and_a_closed_one_at_once(engine):
    with engine.stream(Request(duration_s=1.0)) as stream:
        assert sum(block.frames for block in stream) == stream.position == stream.total_frames == RATE
        assert stream.read(10).frames == 0
        with pytest.raises(InvalidInput, match="frames"):
            stream.read(-1)
    with pytest.raises(StreamClosed):
        stream.read(10)


def test_a_block_is_made_when_it_is_needed_and_not_before():
    with Counter().stream() as stream:
        stream.read(0)
        assert stream.calls == 0
        stream.read(700)
        assert stream.calls == 1
        stream.read(1)
        assert stream.calls == 2


def test_a_stream_that_breaks_its_promise_is_an_error_of_the_engine():
    class Stereo(Counting):
        def next_block(self):
            return Audio.silence(10, RATE)

    class Nothing(Counting):
        def next_block(self):
            return Audio.silence(0, RATE, 1)

    for broken in (Stereo, Nothing):
        with pytest.raises(EngineFailed, match="expected: at least 1 frame, 8000 Hz, 1 channels"):
            broken(Request(), RATE, 1).read(5)


def test_an_engine_needs_no_more_than_read():
    class Hush(Engine):
        """Silence.

        Nothing else.
        """

        def read(self, request: Request, start: int) -> Audio:
            return Audio.silence(100, self.rate, self.channels)

    assert (Hush.name, Hush.summary, Hush.rate, Hush.channels) == ("hush", "Silence.", 44100, 2)
    with Hush().stream(Request("x", duration_s=1.0)) as stream:
        assert sum(block.frames for block in stream) == 44100
        assert Hush().restore(stream.snapshot()).position == 44100
    assert generate("x", seconds=1, engine=Hush()).duration_s == 1.0


def test_an_engine_that_gives_nothing_for_the_prompt_that_it_was_steered_to_fails():
    class Mute(Ramp):
        def read(self, request: Request, start: int) -> Audio:
            return Audio.silence(0, RATE, 1) if "down" in request.prompt else super().read(request, start)

    stream = Mute().stream("up")
    stream.steer("down", over_s=1.0)
    with pytest.raises(EngineFailed, match="ramp gave an empty block at frame 0"):
        stream.read(10)


def test_words_alone_are_a_request_and_options_are_checked_before_the_first_block():
    assert Ramp().stream("up").request == Request("up")
    with pytest.raises(InvalidInput, match=r"options\.step"):
        Ramp().stream(Request(options={"step": 99.0}))
    with pytest.raises(InvalidInput, match="melody"):
        Ramp().stream("up", melody=Audio.silence(10, RATE))


def test_steering_crossfades_from_the_next_frame_on():
    stream = Ramp().stream("up")
    stream.read(1000)
    stream.steer("down", over_s=0.25)
    made = stream.read(4000).samples[:, 0]
    share = np.clip((np.arange(4000) + 0.5) / 2000, 0.0, 1.0)
    assert np.allclose(made, ramp(1000, 5000)[:, 0] * (1.0 - 2.0 * share), atol=1e-9)
    assert [(m.frame, m.kind) for m in stream.marks(0, 5000)] == [(0, "piece"), (1000, "steer")]


def test_two_changes_at_once_and_one_in_no_time_are_heard_whatever_the_blocks():
    def steered(block):
        stream = Ramp().stream("up")
        out = [stream.read(1000)]
        stream.steer("down", over_s=0.5)
        out.append(stream.read(1000))
        stream.steer("up", over_s=0.25)
        out += [stream.read(block) for _ in range(0, 6000, block)]
        stream.steer("down", over_s=0.0)
        return np.concatenate([*(audio.samples for audio in out), stream.read(10).samples])

    whole = steered(6000)
    assert np.array_equal(steered(250), whole)
    assert np.array_equal(whole[4000:8000], ramp(4000, 8000))
    assert np.array_equal(whole[8000:], -ramp(8000, 8010))


def test_snapshots_and_forks_reach_any_frame_that_was_read():
    engine = Ramp()
    stream = engine.stream(Request("up", options={"step": 2.0}))
    stream.read(1000)
    stream.steer("down", over_s=1.0)
    stream.read(3000)
    wanted = {at: stream.fork(at).read(4000).samples for at in (0, 999, 1000, 2500, 4000)}
    for at, samples in wanted.items():
        with engine.restore(stream.snapshot(at)) as restored:
            assert restored.position == at
            assert np.array_equal(restored.read(4000).samples, samples)
    assert np.array_equal(stream.read(4000).samples, wanted[4000])
    assert np.array_equal(wanted[999][:1], 2 * ramp(999, 1000))
    with pytest.raises(SnapshotError, match="allowed: 0 to 8000"):
        stream.snapshot(8001)
    for junk in (b"junk", b"{}", b"[]", stream.snapshot().replace(b'"ramp"', b'"other"')):
        with pytest.raises(SnapshotError):
            engine.restore(junk)


def test_what_an_engine_cannot_do_is_an_error_with_its_name():
    engine = Counter()
    assert (engine.rewindable_s, Ramp().rewindable_s > 1e6) == (0.0, True)
    for refused in (
        lambda: engine.midi(Request(duration_s=1.0)),
        lambda: engine.stems(Request(duration_s=1.0)),
        lambda: engine.restore(b""),
    ):
        with pytest.raises(EngineError, match="counter"):
            refused()
