"""Block filters by matrices against the recursion that they stand for."""

import math

import numpy as np
import pytest
from scipy.signal import sosfilt, sosfreqz

from lullwave.mastering.biquads import QUANTUM, Biquads, BlockFilter, StateSpace, high_pass
from lullwave.mastering.loudness import k_weighting


def rows(sections):
    return np.array([[b0, b1, b2, 1.0, a1, a2] for b0, b1, b2, a1, a2 in sections])


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
@pytest.mark.parametrize("channels", [1, 2])
def test_quanta_give_what_the_recursion_gives(rate, channels):
    sections = [*k_weighting(rate), high_pass(28.0, 1 / math.sqrt(2), rate)]
    x = np.random.default_rng(2).standard_normal((5 * QUANTUM, channels))
    blocks = Biquads(sections, channels)
    y = np.concatenate([blocks.process(x[start : start + QUANTUM]) for start in range(0, len(x), QUANTUM)])
    assert np.max(np.abs(y - sosfilt(rows(sections), x, axis=0))) < 1e-9


def test_the_high_pass_is_3_db_down_at_its_cutoff_and_flat_above():
    _, response = sosfreqz(rows([high_pass(28.0, 1 / math.sqrt(2), 44100)]), [5.0, 28.0, 100.0, 1000.0], fs=44100)
    level_db = 20 * np.log10(np.abs(response))
    assert level_db[0] < -28
    assert level_db[1] == pytest.approx(-3.01, abs=0.01)
    assert level_db[2] == pytest.approx(0.0, abs=0.05)
    assert level_db[3] == pytest.approx(0.0, abs=0.001)


def test_the_state_continues_another_filter():
    x = np.random.default_rng(2).standard_normal((2 * QUANTUM, 2))
    first = Biquads(k_weighting(44100), 2)
    first.process(x[:QUANTUM])
    second = Biquads(k_weighting(44100), 2)
    second.state = first.state.copy()
    assert np.array_equal(first.process(x[QUANTUM:]), second.process(x[QUANTUM:]))


@pytest.mark.parametrize("frames", [1, 700, QUANTUM, 9 * QUANTUM + 17])
def test_a_whole_sound_of_any_length_gives_what_the_recursion_gives(frames):
    x = np.random.default_rng(3).standard_normal((2, frames)).astype(np.float32)
    sections = [high_pass(40.0, 0.7, 22050), *k_weighting(22050)]
    system = StateSpace.of(sections[0])
    for section in sections[1:]:
        system = system.then(StateSpace.of(section))
    made = BlockFilter(system).whole(x)
    assert np.max(np.abs(made - sosfilt(rows(sections), x.astype(np.float64), axis=1))) < 1e-5
    assert np.array_equal(BlockFilter(system).whole(x[0]), made[0])


def test_filters_side_by_side_add_up():
    x = np.random.default_rng(4).standard_normal(3000)
    one, two = high_pass(500.0, 0.7, 22050), high_pass(2000.0, 3.0, 22050)
    made = BlockFilter(StateSpace.gain(0.5).beside(StateSpace.of(one)).beside(StateSpace.of(two), -2.0)).whole(x)
    assert np.allclose(made, 0.5 * x + sosfilt(rows([one]), x) - 2 * sosfilt(rows([two]), x), atol=1e-5)
