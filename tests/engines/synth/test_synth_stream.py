"""The streams of the synth: the same samples however they are read, stored, forked or made again."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from lullwave.engines.synth import snapshots
from lullwave.engines.synth.engine import SynthEngine
from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.programme import Programme
from lullwave.engines.synth.sound.instruments.cache import SoundCache
from lullwave.engines.synth.sound.renderer import LATENCY, Renderer
from lullwave.engines.synth.stream import END_FADE_S
from lullwave.errors import InvalidInput, SnapshotError, StreamClosed
from lullwave.request import Request

RATE = 44100
REQUEST = Request(prompt="rainy night piano", seed=7)


@pytest.fixture(scope="module")
def engine():
    with SynthEngine() as made:
        yield made


@pytest.fixture(scope="module")
def whole(engine):
    return engine.stream(REQUEST).read(30 * RATE).samples


def digest(samples):
    return hashlib.sha256(np.ascontiguousarray(samples).tobytes()).hexdigest()


def test_no_note_depends_on_the_order_of_sets_in_a_process():
    code = (
        "import hashlib; from lullwave.engines.synth.options import SynthOptions;"
        "from lullwave.engines.synth.programme import Programme; from lullwave.request import Request;"
        "made = [Programme(Request(p, 1), SynthOptions()) for p in ('', 'boom bap', 'jazz :1 | synthwave :1')];"
        "print(hashlib.sha256(repr([[m.next_bar() for _ in range(80)] for m in made]).encode()).hexdigest())"
    )

    def told(hash_seed):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout

    assert told("0") == told("2")


def test_same_request_same_samples_in_a_new_process(whole):
    code = (
        "import hashlib; from lullwave.engines.synth.engine import SynthEngine; from lullwave.request import Request;"
        "s = SynthEngine().stream(Request(prompt='rainy night piano', seed=7));"
        "print(hashlib.sha256(s.read(30 * 44100).samples.tobytes()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(whole)


def test_eviction_from_the_cache_changes_nothing(whole):
    engine = SynthEngine()
    engine.cache = SoundCache(300_000)
    assert np.array_equal(engine.stream(REQUEST).read(12 * RATE).samples, whole[: 12 * RATE])


@pytest.mark.parametrize("at", [0, 1, 123456, 20 * RATE])
def test_restore_continues_with_the_same_samples(engine, whole, at):
    stream = engine.stream(REQUEST)
    stream.read(20 * RATE)
    restored = SynthEngine().restore(stream.snapshot(at))
    assert restored.position == at
    assert np.array_equal(restored.read(6 * RATE).samples, whole[at : at + 6 * RATE])


def test_snapshots_reach_ninety_seconds_back(engine):
    stream = engine.stream(REQUEST)
    before = stream.read(130 * RATE).samples
    at = stream.position - 90 * RATE
    assert engine.rewindable_s >= 90
    assert np.array_equal(engine.restore(stream.snapshot(at)).read(RATE).samples, before[at : at + RATE])
    with pytest.raises(SnapshotError, match="at_frame"):
        stream.snapshot(0)
    with pytest.raises(SnapshotError, match="at_frame"):
        stream.snapshot(stream.position + 1)


def test_a_snapshot_keeps_how_loud_the_last_second_was(engine):
    """By which the next piece's first second is evened out."""
    stream = engine.stream(REQUEST)
    stream.read(10 * RATE)
    stored = stream.snapshot(stream._ring[-1].frame)
    kept = snapshots.unpack(SynthEngine, stored)[1].levels
    assert kept == stream._ring[-1].sound.levels
    assert kept.ending > 0.0


def test_restore_after_a_steer_in_the_middle_of_a_bar(engine):
    stream = engine.stream(REQUEST)
    stream.read(10 * RATE + 777)
    stream.steer("sunny bossa nova guitar", 4.0)
    stored = stream.snapshot()
    expected = stream.read(15 * RATE).samples
    assert np.array_equal(SynthEngine().restore(stored).read(15 * RATE).samples, expected)


def test_fork_plays_the_same_until_one_is_steered(engine, whole):
    stream = engine.stream(REQUEST)
    stream.read(15 * RATE)
    branch = stream.fork(9 * RATE)
    other = stream.fork(9 * RATE)
    assert np.array_equal(branch.read(4 * RATE).samples, whole[9 * RATE : 13 * RATE])
    other.steer("fast synthwave, no piano", 2.0)
    changed = other.read(15 * RATE).samples
    same = whole[9 * RATE : 24 * RATE]
    first = int(np.flatnonzero(np.any(changed != same, axis=1))[0])
    assert first < RATE
    assert np.array_equal(stream.read(9 * RATE).samples, whole[15 * RATE : 24 * RATE])
    assert np.array_equal(other.fork(12 * RATE).read(RATE).samples, changed[3 * RATE : 4 * RATE])


def test_steering_is_heard_at_once_and_marked(engine, whole):
    stream = engine.stream(REQUEST)
    stream.read(8 * RATE)
    stream.steer("no drums, only pads", 2.0)
    stream.read(10 * RATE)
    (mark,) = [m for m in stream.marks(0, stream.position) if m.kind == "steer"]
    assert mark.frame == 8 * RATE
    assert mark.data["prompt"] == "no drums, only pads"


@pytest.mark.parametrize("prompt", ["no drums, only pads", "fast synthwave in E minor, 120 bpm", "add a flute, darker"])
@pytest.mark.parametrize("at_s", [8.0, 9.3, 11.7, 14.9])
def test_a_steer_inside_a_bar_changes_that_bar(engine, whole, prompt, at_s):
    at = round(at_s * RATE)
    stream = engine.stream(REQUEST)
    before = stream.read(at).samples
    stream.steer(prompt, 4.0)
    after = stream.read(RATE).samples
    assert np.array_equal(before, whole[:at])
    assert np.abs(after[:1] - whole[at : at + 1]).max() < 2e-3  # it fades over, and nothing jumps
    heard = np.abs(after - whole[at : at + RATE]).max(axis=1)
    assert np.flatnonzero(heard > 0.01)[0] < 0.5 * RATE
    again = stream.fork(at + RATE // 2).read(RATE // 2).samples
    assert np.array_equal(again, after[RATE - RATE // 2 :])


def test_two_steers_in_one_bar_add_up_and_are_restored(engine):
    stream = engine.stream(REQUEST)
    stream.read(10 * RATE)
    stream.steer("no drums", 4.0)
    stream.read(RATE // 4)
    stream.steer("add rain", 4.0)
    stream.read(RATE // 4)
    stored = stream.snapshot()
    expected = stream.read(12 * RATE).samples
    assert np.array_equal(engine.restore(stored).read(12 * RATE).samples, expected)
    assert [m.data["prompt"] for m in stream.marks(0, stream.position) if m.kind == "steer"] == ["no drums", "add rain"]


@pytest.mark.parametrize("seconds", [1, 7.3, 40])
def test_finite_requests_end_exactly_and_softly(engine, seconds):
    stream = engine.stream(Request(prompt="dusty beats", seed=3, duration_s=seconds))
    samples = stream.read(10**9).samples
    assert len(samples) == stream.total_frames == round(seconds * RATE)
    assert np.abs(samples[-20:]).max() < 2e-3  # -54 dBFS in the last half of a millisecond
    assert np.abs(samples[-1]).max() < 1e-4
    assert stream.read(100).frames == 0
    assert END_FADE_S < 3


def test_marks_and_beats(engine):
    stream = engine.stream(Request(prompt="study beats, 80 bpm", seed=5, duration_s=60))
    stream.read(10**9)
    pieces = [m for m in stream.marks(0, 60 * RATE) if m.kind == "piece"]
    assert pieces[0].frame == 0
    assert {"title", "tempo_bpm", "key", "frames", "prompt"} <= set(pieces[0].data)
    beats = stream.beats(0, 60 * RATE)
    assert beats[0] == LATENCY
    tempo = 60 * RATE / np.median(np.diff(beats))
    assert tempo == pytest.approx(pieces[0].data["tempo_bpm"], rel=0.001)


def test_damaged_and_foreign_snapshots_are_refused(engine):
    stored = engine.stream(REQUEST).snapshot()
    flipped = bytearray(stored)
    flipped[len(stored) // 2] ^= 1
    for wrong in (b"", b"no snapshot at all, but long enough", stored[:-1], bytes(flipped)):
        with pytest.raises(SnapshotError):
            engine.restore(wrong)


def test_closed_streams_refuse(engine):
    stream = engine.stream(REQUEST)
    stream.close()
    with pytest.raises(StreamClosed):
        stream.read(1)


def test_wrong_options_are_named(engine):
    with pytest.raises(InvalidInput, match="unknown option 'cowbell'; options: tempo_bpm"):
        engine.stream(Request(options={"cowbell": True}))


def test_nothing_is_digitally_silent_or_out_of_range(whole):
    assert np.isfinite(whole).all()
    assert np.abs(whole).max() < 1.5
    still = np.all(whole == 0.0, axis=1)
    runs = np.flatnonzero(np.diff(np.concatenate([[0], still.astype(int), [0]])))
    assert all(stop - start < 100 for start, stop in zip(runs[::2], runs[1::2], strict=True))


def test_stems_add_up_to_the_music(engine):
    request = Request(prompt="jazzy café with rain", seed=4, duration_s=12)
    stems = engine.stems(request)
    assert {"keys", "bass", "ambience", "noise"} <= set(stems)
    assert {one.frames for one in stems.values()} == {12 * RATE}
    with engine.stream(request) as stream:
        mix = stream.read(12 * RATE).samples
    total = sum(one.samples.astype(np.float64) for one in stems.values())
    assert np.abs(total - mix).max() < 2e-5
    with pytest.raises(InvalidInput, match="duration_s"):
        engine.stems(Request(prompt="endless"))


def test_midi_of_a_finite_request(engine):
    assert engine.midi(Request(prompt="piano", seed=1, duration_s=20))[:4] == b"MThd"


def test_checkpoints_own_little_memory(engine):
    stream = engine.stream(REQUEST)
    stream.read(30 * RATE)
    for checkpoint in stream._ring:
        sound = checkpoint.sound
        arrays = [sound.room, sound.plate, sound.drums, sound.bus, sound.tape]
        arrays += [array for part in sound.parts.values() for array in (part.lowpass, part.chorus)]
        assert sum((array if array.base is None else array.base).nbytes for array in arrays) < 400_000


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_bars_of_a_frame_or_two_are_played(frames):
    """What is left of a clip after its last whole bar may be as short as this."""
    bar = Programme(Request(prompt="music box"), SynthOptions()).next_bar()
    renderer = Renderer(1, SoundCache(1 << 24))
    for start in range(0, 6 * frames, frames):
        assert renderer.render(replace(bar, start_frame=start, frames=frames)).shape == (frames, 2)
