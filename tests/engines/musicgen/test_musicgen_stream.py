"""One song: blocks equal the whole, steering, forks, snapshots, windows."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from songs import EXACT, RATE, tokens

from lullwave.errors import SnapshotError
from lullwave.request import Request


def test_forks_and_snapshots_go_on_with_the_same_samples_across_a_window(tiny, load):
    engine = load(tiny, EXACT)
    with engine.stream(Request("calm jazz", seed=5)) as stream:
        stream.read(29 * RATE + 123)  # the window slides at 30 s
        saved = stream.snapshot(27 * RATE + 17)
        with stream.fork() as fork, engine.restore(saved) as restored:
            expected = stream.read(3 * RATE).samples
            assert np.array_equal(fork.read(3 * RATE).samples, expected)
            assert restored.position == 27 * RATE + 17
            restored.read(29 * RATE + 123 - restored.position)
            assert np.array_equal(restored.read(3 * RATE).samples, expected)
        with pytest.raises(SnapshotError, match="allowed: 0 to"):
            stream.fork(40 * RATE)


def test_steering_is_heard_within_a_second_and_only_from_then_on(engine):
    with engine.stream(Request("calm piano", seed=1)) as stream:
        before = stream.read(2 * RATE + 300).samples
        with stream.fork() as fork:
            assert "drums" in fork.steer("(drums:1.5), -piano", over_s=0.2).text
            steered, plain = fork.read(2 * RATE).samples, stream.read(2 * RATE).samples
            first = int(np.nonzero((steered != plain).any(1))[0][0])
            assert 0 < first < RATE
            (mark,) = [mark for mark in fork.marks(0, 10 * RATE) if mark.kind == "steer"]
            assert abs(mark.frame - (before.shape[0] + first)) < 4 * 640
            again = engine.restore(fork.snapshot(RATE))
            replayed = again.read(before.shape[0] - RATE + 2 * RATE).samples
            assert np.array_equal(replayed, np.concatenate([before[RATE:], steered]))
            again.close()


def test_steering_does_not_depend_on_how_far_ahead_the_thread_was(engine):
    def play(wait):
        with engine.stream(Request("calm", seed=4)) as stream:
            parts = [stream.read(RATE).samples]
            if wait:  # until the thread is as far ahead as it ever gets
                changed = engine.scheduler._changed
                with changed:
                    assert changed.wait_for(lambda: not stream._song.wants_chunks, 60)
            stream.steer("bass", over_s=1.0)
            parts.append(stream.read(2 * RATE).samples)
            return np.concatenate(parts)

    assert np.array_equal(play(False), play(True))


def test_steering_at_the_beginning_equals_another_request(engine):
    with engine.stream(Request("calm", seed=4)) as stream, engine.stream(Request("bass", seed=4)) as other:
        stream.steer("bass", over_s=0)
        assert np.array_equal(stream.read(RATE).samples, other.read(RATE).samples)


def test_a_melody_model_is_steered_and_slides(checkpoints_dir, load):
    engine = load(checkpoints_dir / "musicgen-tiny-melody", EXACT)
    with engine.stream(Request("calm", seed=4)) as stream:
        stream.read(RATE)
        with stream.fork() as fork:
            fork.steer("bass")
            steered = fork.read(2 * RATE).samples
            plain = stream.read(2 * RATE).samples
            first = int(np.nonzero((steered != plain).any(1))[0][0])
            assert 0 < first < RATE


def test_stereo_has_two_different_channels(checkpoints_dir, load):
    engine = load(checkpoints_dir / "musicgen-tiny-stereo", EXACT)
    with engine.stream(Request("calm", duration_s=1)) as stream:
        samples = stream.read(RATE).samples
    assert samples.shape == (RATE, 2)
    assert not np.array_equal(samples[:, 0], samples[:, 1])


def test_a_shorter_window_gives_the_same_song_until_it_slides(engine):
    with engine.stream(Request("calm", 5)) as long, engine.stream(Request("calm", 5, options={"window_s": 5})) as short:
        expected, heard = long.read(8 * RATE), short.read(8 * RATE)
        together = int((tokens(long)[:, :400] == tokens(short)[:, :400]).all(axis=0).argmin())
        assert 245 <= together <= 260
        assert np.array_equal(expected.samples[: 4 * RATE], heard.samples[: 4 * RATE])
        with engine.restore(short.snapshot()) as again, short.fork() as fork:
            went_on = short.read(6 * RATE).samples
            assert np.array_equal(again.read(6 * RATE).samples, went_on)
            assert np.array_equal(fork.read(6 * RATE).samples, went_on)


def test_windows_overlap_by_a_fifth_on_a_cpu_and_by_what_is_asked_for(engine):
    for options, overlap in (({}, 300), ({"window_s": 10}, 100), ({"overlap_s": 12}, 600), ({"overlap_s": None}, 300)):
        with engine.stream(Request("calm", options=options)) as stream:
            schedule = stream._song.schedule
            assert schedule.length - schedule.stride == overlap


def test_snapshots_of_other_weights_are_refused(tiny, checkpoints_dir, load, engine):
    other = load(checkpoints_dir / "musicgen-tiny-stereo", EXACT)
    with other.stream(Request("calm")) as stream:
        saved = stream.snapshot()
    with pytest.raises(SnapshotError, match="weights"):
        engine.restore(saved)
