"""Loops: whole bars, no step and no gap at the seam, and the tails of the end under the beginning."""

import numpy as np
import pytest

from bench.embedded.estimators import clicks
from lullwave.audio import concat
from lullwave.blocks import ClipFormat, ClipMaker
from lullwave.engines.synth.engine import SynthEngine
from lullwave.errors import InvalidInput
from lullwave.request import Request

RATE = 44100
REQUEST = Request("lofi beat with rhodes, 80 bpm, rain, no crackle", 3, 10.0, {"loop": True})


@pytest.fixture(scope="module")
def engine():
    return SynthEngine(cache_mb=80)


@pytest.fixture(scope="module")
def loop(engine):
    with engine.stream(REQUEST) as stream:
        return stream.read(10**9).samples


def level_db(samples):
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12)


def test_it_has_whole_bars_at_the_tempo_asked_for(engine, loop):
    assert len(loop) == 3 * 3 * RATE  # bars of three seconds
    with engine.stream(REQUEST) as stream:
        assert stream.loops
        assert stream.total_frames == len(loop)
        stream.read(1)
        assert len(stream.beats(0, len(loop))) == 12
    assert engine.midi(REQUEST).startswith(b"MThd")


def test_the_seam_is_not_heard(loop):
    twice = np.concatenate([loop, loop]).astype(np.float64)
    steps = np.abs(np.diff(twice, axis=0)).max(axis=1)
    assert steps[len(loop) - 1] < np.percentile(steps, 99)
    assert [at for at in clicks(twice, RATE) if abs(at - len(loop) / RATE) < 0.02] == []  # later: the first drum


def test_tails_are_wrapped(engine, loop):
    """The rest of the last chord is in the beginning: without the wrap it is softer."""
    with engine.stream(Request("pads, 80 bpm, no drums, no crackle", 3, 9.0, {"loop": True})) as stream:
        wrapped = stream.read(10**9).samples
    assert level_db(wrapped[: RATE // 10]) > level_db(wrapped) - 12.0
    assert abs(level_db(wrapped[: RATE // 20]) - level_db(wrapped[-RATE // 20 :])) < 6.0


@pytest.mark.parametrize("place", ["rain", "waves", "cafe"])
def test_surroundings_do_not_dip_at_the_seam(engine, place):
    """They are another stretch of the same noise in each round: half of each would be 3 dB less."""
    dips = []
    for seed in range(4):
        with engine.stream(Request(f"only {place}", seed, 12.0, {"loop": True, "crackle": False})) as stream:
            loop = stream.read(10**9).samples
        dips.append(level_db(loop[RATE // 5 : 3 * RATE // 10]) - level_db(loop[RATE : 3 * RATE]))
    assert np.mean(dips) > -1.5


def test_mastering_keeps_it_a_loop(engine):
    with engine.stream(REQUEST) as stream:
        mastered = concat(list(ClipMaker(stream, "synth", ClipFormat("wav")).sound())).samples
    steps = np.abs(np.diff(np.concatenate([mastered, mastered]), axis=0)).max(axis=1)
    assert len(mastered) == 9 * RATE
    assert steps[len(mastered) - 1] < np.percentile(steps, 99)


def test_a_loop_can_be_resumed_and_forked(engine, loop):
    with engine.stream(REQUEST) as stream:
        stream.read(4 * RATE)
        assert np.array_equal(engine.restore(stream.snapshot()).read(RATE).samples, loop[4 * RATE : 5 * RATE])
        assert np.array_equal(stream.fork(RATE).read(RATE).samples, loop[RATE : 2 * RATE])


def test_stems_of_a_loop_are_refused(engine):
    with pytest.raises(InvalidInput, match="loop"):
        engine.stems(REQUEST)
