"""Crossfades begin on a beat, where both sides are about equally loud."""

import numpy as np
import pytest

from lullwave.station.adapter import RATE
from lullwave.station.crossfade import (
    CROSSFADE_S,
    JoinWindow,
    choose_join,
    earliest_join,
    equal_power,
    latest_join,
    splice,
)
from lullwave.station.reserve import Block, Reserve, RestorePoint

BEAT = round(0.75 * RATE)


def music(*parts: tuple[float, float], frame: int = 0, beats: bool = True) -> Block:
    """Noise, of seconds and levels in dB."""
    draw = np.random.default_rng(1)
    samples = np.concatenate([draw.normal(0, 0.1 * 10 ** (db / 20), (round(s * RATE), 2)) for s, db in parts])
    frames = range(frame, frame + len(samples), BEAT) if beats else ()
    return Block(frame, samples.astype(np.float32), beats=tuple(frames))


def reserve_of(block: Block) -> Reserve:
    reserve = Reserve(block.frame)
    reserve.append(block)
    return reserve


def step_lu(reserve: Reserve, at: int, coming: Block, start: int) -> float:
    before = reserve.samples(at - 3 * RATE, at)
    after = coming.samples[start - coming.frame :][round(CROSSFADE_S * RATE) :][: 3 * RATE]
    return abs(10 * np.log10(np.mean(after**2) / np.mean(before**2)))


def test_equal_power_gains_keep_the_power_of_unrelated_music():
    rise, fall = equal_power(1000)
    assert rise.shape == fall.shape == (1000, 1)
    np.testing.assert_allclose(rise**2 + fall**2, 1.0, rtol=1e-6)
    np.testing.assert_allclose(rise[::-1], fall, atol=1e-7)
    assert rise[0] < 0.001
    assert (np.diff(rise[:, 0]) > 0).all()


def test_the_join_moves_to_match_loudness():
    reserve = reserve_of(music((5, 0), (1, -2), (6, -8)))
    coming = music((12, -4), frame=70 * RATE)
    window = latest_join(reserve)
    assert step_lu(reserve, window.at, coming, coming.frame) > 3.5
    at, start = choose_join(reserve, window, coming)
    assert window.until <= at < window.at
    assert at % BEAT == 0
    assert start == coming.frame
    assert step_lu(reserve, at, coming, start) < 1.5
    origin = RestorePoint(at, "x", b"")
    assert splice(reserve, at, coming, origin, ()) == at
    assert reserve.faded_until == at + round(CROSSFADE_S * RATE)  # a whole crossfade


def test_the_beginning_of_a_clip_may_be_dropped_to_match_loudness():
    reserve = reserve_of(music((12, 0)))
    coming = music((4, -8), (8, 0), frame=7)
    at, start = choose_join(reserve, latest_join(reserve), coming, skip=4 * RATE)
    assert 0 < start - 7 <= 4 * RATE
    assert (start - 7) % BEAT == 0
    assert at % BEAT == 0
    assert step_lu(reserve, at, coming, start) < 1.5
    assert choose_join(reserve, latest_join(reserve), coming)[1] == 7


def test_the_join_stays_in_place_if_the_loudness_matches():
    reserve = reserve_of(music((20, 0)))
    coming = music((12, 0))
    for window in (latest_join(reserve), earliest_join(reserve, 4.0, 3.0)):
        at, start = choose_join(reserve, window, coming, skip=4 * RATE)
        assert abs(at - window.at) <= BEAT
        assert start == 0
    early = earliest_join(reserve, 4.0)
    assert early == JoinWindow(4 * RATE, 4 * RATE)
    assert 4 * RATE <= choose_join(reserve, early, coming)[0] <= 4 * RATE + BEAT  # on the next beat, without a choice


def test_the_first_beat_falls_on_a_beat_however_late_it_comes():
    reserve = reserve_of(music((12, 0)))
    coming = music((12, -3))
    late = Block(0, coming.samples, beats=tuple(b + 1000 for b in coming.beats))
    at, start = choose_join(reserve, latest_join(reserve), late, skip=4 * RATE)
    assert (at + (1000 if start == 0 else 0)) % BEAT == 0


@pytest.mark.parametrize("seconds", [0.5, 2.0, 4.0])
def test_too_little_music_to_compare_is_joined_in_place(seconds):
    reserve = reserve_of(music((12, 0)))
    window = latest_join(reserve)
    at, start = choose_join(reserve, window, music((seconds, 0)), skip=4 * RATE)
    assert window.at <= at <= window.at + BEAT
    assert start == 0
    short = reserve_of(music((seconds, 0)))
    at, start = choose_join(short, latest_join(short), music((12, 0)))
    assert 0 <= at <= short.end
    assert start == 0


def test_the_join_of_music_without_beats_moves_too():
    reserve = reserve_of(music((5, 0), (1, -2), (6, -8), beats=False))
    at, _ = choose_join(reserve, latest_join(reserve), music((12, -4), beats=False))
    assert step_lu(reserve, at, music((12, -4)), 0) < 1.5
