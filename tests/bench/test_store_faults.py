"""The measurement of what listeners of a shared store lost: known losses are counted."""

import numpy as np
import pytest

from bench.store.store_faults import misplaced
from lullwave.station import RATE

NOISE = np.random.default_rng(1).uniform(-0.5, 0.5, 20 * RATE).astype(np.float32)


@pytest.mark.parametrize("gap", [0, 1, 1152, -1152])
def test_samples_that_are_lost_or_come_twice_are_counted(gap):
    heard = np.concatenate([NOISE[5 * RATE : 11 * RATE], NOISE[11 * RATE + gap : 17 * RATE]])
    assert misplaced(heard, NOISE) == abs(gap)


def test_other_sound_is_lost():
    heard = NOISE[5 * RATE : 17 * RATE].copy()
    heard[6 * RATE : 7 * RATE] = NOISE[RATE : 2 * RATE]
    assert misplaced(heard, NOISE) == RATE


def test_silence_is_lost_where_the_programme_sounds_and_only_there():
    programme = NOISE.copy()
    programme[12 * RATE : 14 * RATE] = 0
    heard = programme[5 * RATE : 17 * RATE].copy()
    assert misplaced(heard, programme) == 0
    heard[10 * RATE : 11 * RATE] = 0
    assert misplaced(heard, programme) == RATE
