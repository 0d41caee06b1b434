"""How steps are relaxed: what is known of the first, the last and those between, for low and high bins."""

import numpy as np
import pytest

from lullwave.spectrogram.relaxation import (
    FINE_STEPS,
    HIGH_HZ,
    LOW_HZ,
    PATIENT,
    QUICK,
    STEADY,
    WIDE_STEPS,
    RelaxationSchedule,
    schedule_for,
)

HZ = np.array([0.0, LOW_HZ, np.sqrt(LOW_HZ * HIGH_HZ), HIGH_HZ, 10000.0], np.float32)


def test_relaxation_rises_with_the_logarithm_of_frequency():
    schedule = RelaxationSchedule(low=0.8, high=1.0, end=0.5, turn=0.5, push=0.0, pad=1)
    assert schedule.relaxation(0, 10, HZ) == pytest.approx([0.8, 0.8, 0.9, 1.0, 1.0])


def test_it_falls_in_a_straight_line_after_the_turn_and_ends_settled():
    schedule = RelaxationSchedule(low=0.9, high=0.9, end=0.5, turn=0.5, push=0.0, pad=1)
    values = [float(schedule.relaxation(step, 8, HZ)[0]) for step in range(8)]
    assert values == pytest.approx([0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.5])


@pytest.mark.parametrize("schedule", [QUICK, STEADY, PATIENT])
@pytest.mark.parametrize("steps", [1, 2, 5, WIDE_STEPS, 128])
def test_every_schedule_settles(schedule, steps):
    assert schedule.relaxation(steps - 1, steps, HZ) == pytest.approx(schedule.end)
    assert schedule.momentum(steps - 1, steps) == 0.0


def test_momentum_ends_where_the_search_turns():
    schedule = RelaxationSchedule(low=0.9, high=0.9, end=0.5, turn=0.5, push=0.25, pad=1)
    assert [schedule.momentum(step, 8) for step in range(8)] == [0.25] * 3 + [0.0] * 5


def test_long_searches_are_finer_and_then_wider():
    assert [schedule_for(steps) for steps in (FINE_STEPS - 1, FINE_STEPS, WIDE_STEPS - 1, WIDE_STEPS)] == [
        QUICK,
        STEADY,
        STEADY,
        PATIENT,
    ]
    assert [schedule.pad for schedule in (QUICK, STEADY, PATIENT)] == [1, 2, 2]
