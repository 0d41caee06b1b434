"""The leveller: sections as loud as planned, joins without a step, dynamics within a bar untouched."""

import numpy as np
import pytest

from lullwave.engines.synth.score import RATE
from lullwave.engines.synth.sound.effects import leveller
from lullwave.engines.synth.sound.effects.leveller import LevelState

BAR, MEET = 3 * RATE, 1764


def noise(level_db, frames=BAR, seed=0):
    wave = np.random.default_rng(seed).standard_normal((2, frames)) * 0.1 * 10 ** (level_db / 20)
    return wave.astype(np.float32)


def lufs_of(samples):
    import pyloudnorm

    return pyloudnorm.Meter(RATE, block_size=0.4).integrated_loudness(samples.T.astype(np.float64))


PLAN = lufs_of(noise(0))


def play(bars):
    """The bars (section, level in dB, begins a piece) after the leveller, all with one plan."""
    state, out = LevelState(), []
    for n, (section, level_db, begins) in enumerate(bars):
        music = noise(level_db, seed=n)
        curve, state = leveller.level(music, MEET, state, section, PLAN, begins)
        out.append(music * curve)
    return out, state


@pytest.mark.parametrize("hz", [60, 200, 1000, 4000])
def test_power_is_that_of_the_standard(hz):
    import pyloudnorm

    wave = np.stack([0.1 * np.sin(2 * np.pi * hz * np.arange(3 * RATE) / RATE)] * 2).astype(np.float32)
    known = pyloudnorm.Meter(RATE).integrated_loudness(wave.T.astype(np.float64)) + 0.691
    assert 10 * np.log10(leveller.weighted_power(wave)) == pytest.approx(known, abs=0.1)


def test_a_second_counts_as_a_meter_counts_it():
    """Its edges lie in fewer of the meter's blocks than its middle."""
    for swell in (np.linspace(0.3, 1, RATE), np.linspace(1, 0.3, RATE), np.abs(np.linspace(-1, 1, RATE)) + 0.3):
        second = noise(0, RATE) * swell.astype(np.float32)
        assert -0.691 + 10 * np.log10(leveller.heard_power(second)) == pytest.approx(lufs_of(second), abs=0.3)


@pytest.mark.parametrize("level_db", [-7, -3, 0, 6])
def test_a_piece_begins_as_loud_as_planned(level_db):
    (first, second), _ = play([("intro", level_db, True), ("intro", level_db, False)])
    assert lufs_of(first) == pytest.approx(PLAN, abs=0.2)
    assert lufs_of(second) == pytest.approx(PLAN, abs=0.2)


def test_a_soft_section_comes_near_its_plan_at_once_and_a_loud_one_after_it_too():
    bars = [("A", 0, True), ("A", 0, False), ("break", -6, False), ("break", -6, False), ("B", 3, False)]
    out, _ = play(bars)
    heard = [lufs_of(bar[:, RATE // 4 :]) - PLAN for bar in out]
    assert heard == pytest.approx([0, 0, -0.5, -0.5, 0.5], abs=0.2)


def test_dynamics_within_a_section_stay():
    """Bars 2 LU softer and louder than others of their section, and a rest, are heard so; the gain moves by little."""
    out, _ = play([("A", 0, True), ("A", -2, False), ("A", 1.5, False), ("A", -30, False), ("A", 0, False)])
    heard = [lufs_of(bar) - PLAN for bar in out]
    assert heard == pytest.approx([0, -2, 1.5, -30, 0], abs=0.8)
    swelling = noise(0) * np.linspace(0.2, 1, BAR, dtype=np.float32)
    curve, _ = leveller.level(swelling, MEET, LevelState(), "A", PLAN, True)
    assert np.ptp(curve) == 0.0


def test_silence_and_music_without_a_plan_keep_their_gain():
    _, state = play([("A", -6, True)])
    for music, plan in ((np.zeros((2, BAR), np.float32), PLAN), (noise(3), None)):
        curve, after = leveller.level(music, MEET, state, "tail", plan, False)
        assert 20 * np.log10(curve) == pytest.approx(state.gain_db, abs=1e-4)
        assert after.gain_db == state.gain_db


@pytest.mark.parametrize(("ends_db", "begins_db"), [(0, -9), (6, -6), (-8, 5), (0, 0)])
def test_pieces_of_any_level_join_without_a_step(ends_db, begins_db):
    out, _ = play([("A", ends_db, True), ("outro", ends_db - 4, False), ("intro", begins_db, True)])
    joined = np.concatenate(out, axis=1)
    at = 2 * BAR + MEET
    assert abs(lufs_of(joined[:, at : at + RATE]) - lufs_of(joined[:, at - RATE : at])) < 2.0


def test_a_piece_that_begins_softly_is_brought_up_and_what_was_added_is_given_back():
    """The first second of the new piece is 9 dB softer than the rest of its bar."""
    _, state = play([("A", 0, True)])
    music = noise(0)
    music[:, : MEET + RATE] *= 10 ** (-9 / 20)
    curve, _ = leveller.level(music, MEET, state, "intro", PLAN, True)
    gain_db = 20 * np.log10(curve)
    step = lufs_of((music * curve)[:, MEET : MEET + RATE]) - PLAN
    assert step == pytest.approx(-0.8, abs=0.2)
    assert gain_db[-1] == pytest.approx(PLAN - lufs_of(music), abs=0.5)
    assert np.abs(np.diff(gain_db)).max() < 0.01


def test_a_step_at_a_join_is_evened_out_and_given_back():
    gain_db = 20 * np.log10(leveller.level_join(4 * RATE, 1000, before=1.0, after=10**0.6))
    assert gain_db[0] == pytest.approx(0.0, abs=1e-6)
    assert gain_db[-1] == pytest.approx(0.0, abs=1e-3)
    assert gain_db[1000 + RATE // 2] == pytest.approx(-(6.0 - 1.8), abs=1e-3)
    assert np.abs(np.diff(gain_db)).max() < 0.01
    assert np.array_equal(leveller.level_join(RATE * 4, 1000, 1.0, 1.2), np.ones(4 * RATE, np.float32))
