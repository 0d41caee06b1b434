"""The tonal clarity of loops, on examples with a known answer."""

import pytest

from lullwave.engines.synth.spec import Slot
from lullwave.engines.synth.writing.harmony import clarity


def loop(*chords):
    return tuple(Slot(16 / len(chords), degree, quality) for degree, quality in chords)


@pytest.mark.parametrize(
    ("chords", "minor"),
    [
        ([(2, "m7"), (7, "7"), (0, "maj7"), (0, "6")], False),
        ([(0, ""), (9, "m"), (5, ""), (7, "")], False),
        ([(0, "m7"), (8, "maj7"), (5, "m7"), (7, "m7")], True),
    ],
)
def test_plain_cadences_are_clear(chords, minor):
    assert clarity(loop(*chords), minor) > 0.03


def test_a_loop_of_another_key_is_not():
    assert clarity(loop((2, "m7"), (7, "7"), (0, "maj7"), (0, "6")), True) < 0
    assert clarity(loop((9, "m7"), (2, "7"), (7, "maj7"), (7, "6")), False) < 0


def test_it_does_not_depend_on_volume():
    long = tuple(Slot(s.beats * 3, s.degree, s.quality) for s in loop((0, ""), (5, ""), (7, ""), (0, "")))
    assert clarity(long, False) == pytest.approx(clarity(loop((0, ""), (5, ""), (7, ""), (0, "")), False))
