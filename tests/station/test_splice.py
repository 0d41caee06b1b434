"""Where two musics meet: beat on beat, and where they are about equally loud."""

import numpy as np
import pytest

from lullwave.station.adapter import RATE
from lullwave.station.crossfade import CROSSFADE_S, JoinWindow, choose_join, earliest_join, latest_join, splice
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


def test_music_that_ends_is_left_where_it_is_as_loud_as_what_comes():
    reserve = reserve_of(music((5, 0), (1, -2), (6, -8)))
    coming = music((12, -4), frame=70 * RATE)
    place = latest_join(reserve)
    assert step_lu(reserve, place.at, coming, coming.frame) > 3.5
    at, start = choose_join(reserve, place, coming)
    assert place.until <= at < place.at
    assert at % BEAT == 0
    assert start == coming.frame
    assert step_lu(reserve, at, coming, start) < 1.5
    state = RestorePoint(at, "x", b"")
    assert splice(reserve, at, coming, state, ()) == at
    assert reserve.faded_until == at + round(CROSSFADE_S * RATE)  # a whole crossfade


def test_a_clip_may_begin_a_little_later_if_that_is_as_loud():
    reserve = reserve_of(music((12, 0)))
    coming = music((4, -8), (8, 0), frame=7)
    at, start = choose_join(reserve, latest_join(reserve), coming, skip=4 * RATE)
    assert 0 < start - 7 <= 4 * RATE
    assert (start - 7) % BEAT == 0
    assert at % BEAT == 0
    assert step_lu(reserve, at, coming, start) < 1.5
    assert choose_join(reserve, latest_join(reserve), coming)[1] == 7


def test_what_is_equally_loud_anyway_is_left_at_the_place_that_was_asked_for():
    reserve = reserve_of(music((20, 0)))
    coming = music((12, 0))
    for place in (latest_join(reserve), earliest_join(reserve, 4.0, 3.0)):
        at, start = choose_join(reserve, place, coming, skip=4 * RATE)
        assert abs(at - place.at) <= BEAT
        assert start == 0
    wish = earliest_join(reserve, 4.0)
    assert wish == JoinWindow(4 * RATE, 4 * RATE)
    assert 4 * RATE <= choose_join(reserve, wish, coming)[0] <= 4 * RATE + BEAT  # on the next beat, without a choice


def test_the_first_beats_fall_on_beats_however_late_they_come():
    reserve = reserve_of(music((12, 0)))
    coming = music((12, -3))
    late = Block(0, coming.samples, beats=tuple(b + 1000 for b in coming.beats))
    at, start = choose_join(reserve, latest_join(reserve), late, skip=4 * RATE)
    assert (at + (1000 if start == 0 else 0)) % BEAT == 0


@pytest.mark.parametrize("seconds", [0.5, 2.0, 4.0])
def test_too_little_to_compare_is_joined_as_it_is(seconds):
    reserve = reserve_of(music((12, 0)))
    place = latest_join(reserve)
    at, start = choose_join(reserve, place, music((seconds, 0)), skip=4 * RATE)
    assert place.at <= at <= place.at + BEAT
    assert start == 0
    short = reserve_of(music((seconds, 0)))
    at, start = choose_join(short, latest_join(short), music((12, 0)))
    assert 0 <= at <= short.end
    assert start == 0


def test_music_without_beats_has_a_choice_as_well():
    reserve = reserve_of(music((5, 0), (1, -2), (6, -8), beats=False))
    at, _ = choose_join(reserve, latest_join(reserve), music((12, -4), beats=False))
    assert step_lu(reserve, at, music((12, -4)), 0) < 1.5
