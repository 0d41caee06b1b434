"""The reserve takes from its beginning and cuts from its end, to the frame."""

import numpy as np

from lullwave.engines.base import Mark
from lullwave.station.reserve import Block, Reserve


def test_the_reserve_takes_and_cuts_to_the_frame():
    reserve = Reserve()
    sound = np.arange(2000, dtype=np.float32).reshape(1000, 2)
    for start in range(0, 1000, 100):
        marks = (Mark(start + 50, "piece", {}),)
        reserve.append(Block(start, sound[start : start + 100], marks, (start + 10, start + 60)))
    first = reserve.take(130)
    np.testing.assert_array_equal(first.samples, sound[:130])
    assert [m.frame for m in first.marks] == [50]
    assert first.beats == (10, 60, 110)
    cut = reserve.cut(455)
    assert cut.frame == 455
    np.testing.assert_array_equal(cut.samples, sound[455:])
    assert (reserve.begin, reserve.end) == (130, 455)
    assert [m.frame for m in reserve.marks()] == [150, 250, 350, 450]
    np.testing.assert_array_equal(reserve.take(325).samples, sound[130:455])
    assert reserve.cut(455) is None
