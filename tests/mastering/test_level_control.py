"""The hand on the fader: where it goes, how fast, and what it lets pass."""

import numpy as np
import pytest

from lullwave.mastering.level import MAKE_UP_DB, PATIENCE_S, SLEW_DB_S, LevelControl

STEP_S = 0.05
TARGET = -15.0


def power(lufs: float) -> float:
    return 10 ** ((lufs + 0.691) / 10)


def ride(control: LevelControl, lufs: float, seconds: float) -> np.ndarray:
    """The gains over so many seconds of steady music."""
    return np.array([control.next_gain_db(power(lufs)) for _ in range(round(seconds / STEP_S))])


@pytest.mark.parametrize("lufs", [-9.0, -15.0, -18.0, -30.0])
def test_it_arrives_at_the_target(lufs):
    gains = ride(LevelControl(TARGET, STEP_S), lufs, 60)
    assert gains[-1] == pytest.approx(TARGET - lufs, abs=0.01)


def test_music_that_is_near_the_target_is_hardly_moved():
    gains = ride(LevelControl(TARGET, STEP_S), -16.0, 10)
    assert gains[0] == 0.0
    assert np.max(np.abs(np.diff(gains))) <= SLEW_DB_S * STEP_S + 1e-9


def test_after_the_start_it_never_moves_faster_than_its_slew():
    control = LevelControl(TARGET, STEP_S)
    ride(control, -15.0, 20)
    gains = ride(control, -21.0, 20)
    assert np.max(np.abs(np.diff(gains))) <= SLEW_DB_S * STEP_S + 1e-9
    assert gains[-1] > 3.0


def test_far_off_at_the_start_is_put_right_within_seconds():
    gains = ride(LevelControl(TARGET, STEP_S), -25.0, 7)
    assert gains[-1] > 8.0


def test_breaks_and_silences_are_let_pass():
    control = LevelControl(TARGET, STEP_S)
    before = ride(control, -18.0, 30)[-1]
    assert np.all(ride(control, -30.0, PATIENCE_S - 1) == pytest.approx(before, abs=0.3))
    assert np.all(ride(control, -90.0, 60) == pytest.approx(before, abs=0.3))
    assert np.all(ride(control, -18.0, 5) == pytest.approx(before, abs=0.3))


def test_what_stays_low_is_the_music_now():
    control = LevelControl(TARGET, STEP_S)
    ride(control, -15.0, 30)
    assert ride(control, -27.0, 60)[-1] == pytest.approx(12.0, abs=0.5)


def test_a_boost_that_was_too_much_is_given_back_quickly():
    control = LevelControl(TARGET, STEP_S)
    boosted = ride(control, -27.0, 7)[-1]
    assert boosted > 8.0
    assert ride(control, -15.0, 8)[-1] < 1.0


def test_a_fade_in_is_not_raised_beyond_what_is_soon_put_right():
    control = LevelControl(TARGET, STEP_S)
    gains = [control.next_gain_db(power(level)) for level in np.linspace(-60, -15, round(4 / STEP_S))]
    assert max(gains) < 8.0
    assert abs(ride(control, -15.0, 5)[-1]) < 1.0


def test_silence_alone_does_nothing():
    assert np.all(ride(LevelControl(TARGET, STEP_S), -100.0, 60) == 0.0)


@pytest.mark.parametrize(("taken_db", "made_up_db"), [(0.0, 0.0), (0.6, 0.6), (3.0, MAKE_UP_DB)])
def test_it_makes_up_for_what_the_limiter_takes(taken_db, made_up_db):
    control = LevelControl(TARGET, STEP_S)
    for _ in range(round(90 / STEP_S)):
        gain_db = control.next_gain_db(power(-18.0))
        control.note_limited(1.0, 10 ** (-taken_db / 10))
    assert gain_db == pytest.approx(3.0 + made_up_db, abs=0.02)


def test_a_state_without_what_the_limiter_took_is_restored():
    control, other = LevelControl(TARGET, STEP_S), LevelControl(TARGET, STEP_S)
    ride(control, -20.0, 30)
    older = {name: array for name, array in control.arrays().items() if name != "limited"}
    other.restore(older)
    assert ride(other, -20.0, 5) == pytest.approx(ride(control, -20.0, 5))
