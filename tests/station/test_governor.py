"""The governor: how the load of a slow engine is lowered, in which order, and raised again; how speed is measured."""

from __future__ import annotations

import pytest

from lullwave.station.governor import (
    FAST_SPEED,
    FIRST_S,
    LONGEST_S,
    MEASURE_S,
    PAUSE_S,
    PROVEN_S,
    RETRY_FAILED_S,
    RETURN_S,
    SHORTEST_S,
    STRETCH_S,
    TRIAL_MEASURE_S,
    WAIT_S,
    Action,
    Governor,
    Pace,
    PaceMeter,
)

FULL = 24.0


def pace(speed: float, made_s: float = 60.0) -> Pace:
    return Pace(speed, made_s)


def at_level(levels: int, now: float = 0.0, speed: float = 0.8) -> Governor:
    """A governor with this many levels of lighter options in force."""
    governor = Governor(lighter=2)
    for _ in range(levels):
        assert governor.decide(now, pace(speed), 10.0, FULL, on_air=True) is Action.LIGHTER
    return governor


def test_the_load_is_lowered_in_time_step_by_step_and_does_not_oscillate():
    governor = Governor(lighter=2)
    for reserve_s in (24.0, 20.0, 18.0):
        assert governor.decide(0.0, pace(0.9), reserve_s, FULL, on_air=True) is Action.KEEP
    assert (
        governor.decide(0.0, pace(0.9, MEASURE_S / 2), 10.0, FULL, on_air=True) is Action.KEEP
    )  # too little was measured
    assert governor.decide(0.0, pace(0.9), 17.9, FULL, on_air=True) is Action.LIGHTER
    assert (governor.level, governor.intermittent, governor.unproven) == (1, False, True)
    # The new stream begins.
    assert governor.decide(9.0, pace(0.95, MEASURE_S / 2), 9.0, FULL, on_air=True) is Action.KEEP
    assert governor.decide(9.0, pace(0.95), 9.0, FULL, on_air=True) is Action.LIGHTER
    assert governor.decide(20.0, pace(0.92), 12.1, FULL, on_air=True) is Action.KEEP
    assert governor.decide(20.0, pace(0.92), 11.9, FULL, on_air=True) is Action.INTERMITTENT
    assert (governor.level, governor.intermittent) == (2, True)
    for speed in (1.0, 1.1, 1.2, 0.9, FAST_SPEED):
        assert governor.decide(30.0, pace(speed), 24.0, FULL, on_air=True) is Action.KEEP
        assert governor.margin_s(pace(speed), replaced=True, empty=False) == STRETCH_S
    assert governor.decide(40.0, pace(1.3), 3.0, FULL, on_air=False) is Action.CONTINUOUS
    for speed in (1.2, 1.1, 1.0):
        assert governor.decide(50.0, pace(speed), 3.0, FULL, on_air=True) is Action.KEEP
    assert governor.level == 2
    assert not governor.unproven


def test_one_long_read_does_not_count_as_slow():
    governor = Governor(lighter=1)
    for late, action in ((1.0, Action.KEEP), (1.95, Action.LIGHTER)):
        assert governor.decide(0.0, Pace(0.3, 60.0, late), 6.0, FULL, on_air=True) is action


def test_an_engine_off_air_gets_lighter_options_at_once():
    governor = Governor(lighter=1)
    assert governor.decide(0.0, pace(0.8), FULL, FULL, on_air=False) is Action.LIGHTER
    assert governor.decide(9.0, pace(0.8), FULL, FULL, on_air=False) is Action.KEEP  # off air: no stretches


def test_an_engine_that_is_a_little_slow_beside_a_fallback_is_heard_first():
    """The fallback takes its share of the machine, and stops when the engine goes on air."""
    governor = Governor(lighter=1)
    for reserve_s in (0.0, FULL):
        assert governor.decide(0.0, pace(0.9), reserve_s, FULL, on_air=False) is Action.KEEP
    assert governor.decide(30.0, pace(1.02), 0.8 * FULL, FULL, on_air=True) is Action.KEEP
    assert governor.decide(60.0, pace(0.97), 0.8 * FULL, FULL, on_air=True) is Action.KEEP
    assert governor.decide(90.0, pace(0.92), 0.7 * FULL, FULL, on_air=True) is Action.LIGHTER


@pytest.mark.parametrize(("lighter", "action"), [(1, Action.LIGHTER), (0, Action.INTERMITTENT)])
def test_a_reserve_that_lasts_for_minutes_is_not_saved(lighter, action):
    """An engine just below real time may have met a slow moment: nothing is changed before it matters."""
    for speed, reserve_s in ((0.99, 2.4), (0.97, 7.2), (0.95, 11.99)):
        governor = Governor(lighter)
        assert governor.decide(0.0, pace(speed), reserve_s + 0.02, FULL, on_air=True) is Action.KEEP
        assert governor.decide(1.0, pace(speed), reserve_s - 0.02, FULL, on_air=True) is action


def test_stretches_get_shorter_with_lower_speed():
    governor = Governor()
    lengths = [governor.stretch_s(pace(speed)) for speed in (1.2, 0.6, 0.4, 0.3, 0.2, 0.1, 0.01)]
    assert lengths == sorted(lengths, reverse=True)
    assert (lengths[0], lengths[-1]) == (STRETCH_S, SHORTEST_S)
    for speed in (0.5, 0.4, 0.3, SHORTEST_S / WAIT_S):
        assert governor.stretch_s(pace(speed)) / speed == pytest.approx(WAIT_S)  # the longest wait of a listener
    governor.intermittent = True
    assert governor.margin_s(pace(0.3), replaced=False, empty=True) == governor.stretch_s(pace(0.3))
    governor.intermittent = False
    assert governor.margin_s(pace(0.3), replaced=True, empty=False) == governor.stretch_s(pace(0.3))
    assert governor.margin_s(pace(0.3), replaced=False, empty=False) == RETURN_S  # its own reserve plays on
    assert at_level(1).margin_s(pace(2.0), replaced=True, empty=False) == MEASURE_S


def test_the_wait_for_a_trial_doubles_with_every_failure():
    governor, now, waits = at_level(1), 0.0, []
    for _ in range(9):
        began = now
        while governor.decide(now, pace(1.5), FULL, FULL, on_air=True) is not Action.TRIAL:
            now += 1.0
            assert now < began + 2 * LONGEST_S
        waits.append(now - began)
        assert governor.judge_trial(now, pace(0.9, TRIAL_MEASURE_S / 2), 1.5, 20.0, FULL) is None
        assert governor.judge_trial(now, pace(0.9, TRIAL_MEASURE_S), 1.5, 20.0, FULL) is False
        assert governor.level == 1
    assert waits == [min(FIRST_S * 2**n, LONGEST_S) for n in range(9)]


def test_a_trial_ends_while_half_of_the_reserve_is_left():
    governor = at_level(1)
    assert governor.judge_trial(FIRST_S, pace(4.0, 2.0), 1.5, 11.9, FULL) is False


def test_a_trial_that_keeps_up_raises_the_load_one_step():
    governor = at_level(2)
    assert governor.decide(FIRST_S, pace(2.0), FULL, FULL, on_air=True) is Action.TRIAL
    assert governor.judge_trial(FIRST_S, pace(FAST_SPEED, TRIAL_MEASURE_S), 2.0, 20.0, FULL) is True
    assert governor.level == 1
    assert governor.decide(FIRST_S + PAUSE_S, pace(2.0), FULL, FULL, on_air=True) is Action.KEEP
    assert governor.decide(2 * FIRST_S, pace(2.0), FULL, FULL, on_air=True) is Action.TRIAL
    assert governor.judge_trial(2 * FIRST_S, pace(5.0, TRIAL_MEASURE_S), 2.0, 20.0, FULL) is True
    assert governor.level == 0
    assert governor.decide(9 * FIRST_S, pace(5.0), FULL, FULL, on_air=True) is Action.KEEP


def test_options_that_failed_soon_wait_longer_for_their_next_trial():
    for lasted_s, wait_s in ((PROVEN_S / 2, 2 * FIRST_S), (PROVEN_S, FIRST_S)):
        governor = at_level(1)
        assert governor.judge_trial(FIRST_S, pace(5.0, TRIAL_MEASURE_S), 2.0, 20.0, FULL) is True
        again = FIRST_S + lasted_s
        assert governor.decide(again, pace(0.8), 10.0, FULL, on_air=True) is Action.LIGHTER
        assert governor.trial_wait_s(again) == wait_s


def test_an_engine_twice_as_fast_is_tried_at_once_but_only_once():
    governor = at_level(1)
    assert governor.decide(1.0, pace(1.3), FULL, FULL, on_air=True) is Action.KEEP
    assert governor.decide(PAUSE_S, pace(2.5), FULL, FULL, on_air=True) is Action.KEEP
    assert governor.decide(PAUSE_S, pace(2.6), FULL, FULL, on_air=True) is Action.TRIAL
    assert governor.judge_trial(PAUSE_S, pace(0.9, TRIAL_MEASURE_S), 2.6, 20.0, FULL) is False
    assert governor.decide(3 * PAUSE_S, pace(2.6), FULL, FULL, on_air=True) is Action.KEEP
    assert governor.decide(3 * PAUSE_S, pace(5.2), FULL, FULL, on_air=True) is Action.TRIAL


def test_no_trial_while_the_reserve_is_low_or_a_fallback_is_on_air():
    governor = at_level(1)
    for reserve_s, heard in ((17.9, True), (FULL, False)):
        assert governor.decide(9 * FIRST_S, pace(9.0), reserve_s, FULL, heard) is Action.KEEP


def test_options_that_failed_are_barred_for_a_while():
    for later_s, action in ((9.0, Action.INTERMITTENT), (RETRY_FAILED_S, Action.LIGHTER)):
        governor = at_level(2)
        governor.level_failed(0.0)
        assert (governor.level, governor.unproven) == (1, True)
        assert governor.decide(later_s, pace(0.8), 10.0, FULL, on_air=True) is action
    governor = at_level(2)
    governor.level_failed(0.0)
    governor.declare(2)  # it was not the step's fault, or this is another engine
    assert governor.decide(9.0, pace(0.8), 10.0, FULL, on_air=True) is Action.LIGHTER


def read(meter: PaceMeter, windows: int, window_s: float, took_s: float) -> None:
    """Reads of half a second of an engine that works ``took_s`` for each window and gives the rest at once."""
    for _ in range(windows):
        meter.add(0.5, took_s)
        for _ in range(round(window_s / 0.5) - 1):
            meter.add(0.5, 0.001)


@pytest.mark.parametrize(("window_s", "took_s"), [(5, 4), (24, 15), (36, 30), (60, 70)])
def test_the_speed_of_an_engine_that_works_in_windows_is_that_of_whole_windows(window_s, took_s):
    meter = PaceMeter()
    read(meter, 6, window_s, took_s)
    assert meter.pace.speed == pytest.approx(window_s / took_s, rel=0.35)
    meter.add(0.5, took_s)
    assert meter.pace.speed == pytest.approx(window_s / took_s, rel=0.35)  # in the midst of the next one
    assert meter.pace.longest_s == pytest.approx(took_s)


def test_the_speed_of_an_engine_that_gives_music_steadily_follows_within_seconds():
    meter = PaceMeter()
    for _ in range(100):
        meter.add(0.5, 0.1)
    for _ in range(40):
        meter.add(0.5, 1.0)
    assert meter.pace.speed == pytest.approx(0.5, rel=0.3)
    for _ in range(60):
        meter.add(0.5, 0.1)
    assert meter.pace.speed > 3
