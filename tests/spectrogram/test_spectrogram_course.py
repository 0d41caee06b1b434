"""How steps are relaxed: what is known of the first, the last and those between, for low and high bins."""

import numpy as np
import pytest

from lullwave.spectrogram.course import HIGH_HZ, LOW_HZ, MANY, PATIENT, QUICK, Course, course_of

HZ = np.array([0.0, LOW_HZ, np.sqrt(LOW_HZ * HIGH_HZ), HIGH_HZ, 10000.0], np.float32)


def test_relaxation_rises_with_the_logarithm_of_frequency():
    course = Course(low=0.8, high=1.0, settled=0.5, turn=0.5, carried=0.0)
    assert course.relaxation(0, 10, HZ) == pytest.approx([0.8, 0.8, 0.9, 1.0, 1.0])


def test_it_falls_in_a_straight_line_after_the_turn_and_ends_settled():
    course = Course(low=0.9, high=0.9, settled=0.5, turn=0.5, carried=0.0)
    values = [float(course.relaxation(step, 8, HZ)[0]) for step in range(8)]
    assert values == pytest.approx([0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.5])


@pytest.mark.parametrize("course", [QUICK, PATIENT])
@pytest.mark.parametrize("steps", [1, 2, 5, MANY, 110])
def test_every_course_settles(course, steps):
    assert course.relaxation(steps - 1, steps, HZ) == pytest.approx(course.settled)
    assert course.inertia(steps - 1, steps) == 0.0


def test_inertia_ends_where_the_search_turns():
    course = Course(low=0.9, high=0.9, settled=0.5, turn=0.5, carried=0.25)
    assert [course.inertia(step, 8) for step in range(8)] == [0.25] * 3 + [0.0] * 5


def test_long_searches_are_wider():
    assert course_of(MANY - 1) is QUICK
    assert course_of(MANY) is PATIENT
