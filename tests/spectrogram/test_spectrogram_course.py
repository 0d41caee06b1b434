"""How steps are relaxed: what is known of the first, the last and those between, for low and high bins."""

import numpy as np
import pytest

from lullwave.spectrogram.relaxation import HIGH_HZ, LOW_HZ, MANY, PATIENT, QUICK, SOME, STEADY, Course, course_of

HZ = np.array([0.0, LOW_HZ, np.sqrt(LOW_HZ * HIGH_HZ), HIGH_HZ, 10000.0], np.float32)


def test_relaxation_rises_with_the_logarithm_of_frequency():
    course = Course(low=0.8, high=1.0, settled=0.5, turn=0.5, carried=0.0, pad=1)
    assert course.relaxation(0, 10, HZ) == pytest.approx([0.8, 0.8, 0.9, 1.0, 1.0])


def test_it_falls_in_a_straight_line_after_the_turn_and_ends_settled():
    course = Course(low=0.9, high=0.9, settled=0.5, turn=0.5, carried=0.0, pad=1)
    values = [float(course.relaxation(step, 8, HZ)[0]) for step in range(8)]
    assert values == pytest.approx([0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.5])


@pytest.mark.parametrize("course", [QUICK, STEADY, PATIENT])
@pytest.mark.parametrize("steps", [1, 2, 5, MANY, 128])
def test_every_course_settles(course, steps):
    assert course.relaxation(steps - 1, steps, HZ) == pytest.approx(course.settled)
    assert course.inertia(steps - 1, steps) == 0.0


def test_inertia_ends_where_the_search_turns():
    course = Course(low=0.9, high=0.9, settled=0.5, turn=0.5, carried=0.25, pad=1)
    assert [course.inertia(step, 8) for step in range(8)] == [0.25] * 3 + [0.0] * 5


def test_long_searches_are_finer_and_then_wider():
    assert [course_of(steps) for steps in (SOME - 1, SOME, MANY - 1, MANY)] == [QUICK, STEADY, STEADY, PATIENT]
    assert [course.pad for course in (QUICK, STEADY, PATIENT)] == [1, 2, 2]
