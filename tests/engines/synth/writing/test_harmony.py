from itertools import pairwise

import pytest

from lullwave.engines.synth.chance import Chance
from lullwave.engines.synth.spec import Slot
from lullwave.engines.synth.theory import QUALITIES, Chord, Key
from lullwave.engines.synth.writing import harmony

KEYS = [Key(tonic, minor) for tonic in range(12) for minor in (False, True)]


@pytest.mark.parametrize("palette", list(harmony.PALETTES))
@pytest.mark.parametrize("minor", [False, True])
def test_loops_are_four_bars_in_the_key_with_the_tonic(palette, minor):
    key = Key(3, minor)
    loops = {harmony.make_loop(Chance(seed), minor, palette, 0.4) for seed in range(300)}
    assert len(loops) > 150  # a grammar, not a list
    for loop in loops:
        assert sum(slot.beats for slot in loop) == 16
        assert all(slot.chord(key).in_key(key) for slot in loop)
        assert 0 in {slot.degree for slot in loop}
        assert all(a.degree != b.degree for a, b in pairwise(loop))


def test_unrolling_repeats_and_cuts():
    loop = (Slot(4, 0, "maj7"), Slot(2, 9, "m7"), Slot(2, 2, "m7"))
    assert [s.degree for s in harmony.unroll(loop, 14)] == [0, 9, 2, 0, 9]
    assert sum(s.beats for s in harmony.unroll(loop, 14)) == 14
    assert harmony.unroll(loop, 4, 3) == (Slot(1, 0, "maj7"), Slot(2, 9, "m7"), Slot(1, 2, "m7"))


def test_a_loan_is_half_a_bar_and_foreign():
    key = Key(0, False)
    slots = (Slot(4, 0, "maj7"), Slot(4, 9, "m7"), Slot(4, 5, "maj7"), Slot(4, 0, "maj7"))
    lent = harmony.borrow(Chance(1), slots, False, True)
    foreign = [s for s in lent if not s.chord(key).in_key(key)]
    assert sum(s.beats for s in lent) == 16
    assert [s.beats for s in foreign] == [2]


@pytest.mark.parametrize("spread", [False, True])
def test_voicings_lie_well(spread):
    for key in KEYS:
        before: tuple[int, ...] = ()
        for quality in QUALITIES:
            for root in key.scale:
                chord = Chord(root, quality)
                shape = harmony.voice(chord, key, before, spread)
                assert 3 <= len(shape) <= 5
                assert shape[0] >= harmony.LOWEST
                assert shape[-1] <= harmony.HIGHEST
                assert {p % 12 for p in shape} <= {*chord.pitch_classes, (root + 2) % 12}
                assert (chord.third in {p % 12 for p in shape}) or quality.endswith("sus4")
                assert not any(b - a == 13 for a in shape for b in shape)
                before = shape


def test_voices_lead_smoothly():
    jumps = []
    for seed in range(60):
        key = KEYS[seed % 24]
        loop = harmony.make_loop(Chance(seed), key.minor, "lofi", 0.3)
        before: tuple[int, ...] = ()
        for slot in harmony.unroll(loop, 32):
            shape = harmony.voice(slot.chord(key), key, before, False)
            if before:
                jumps.append(abs(shape[-1] - before[-1]))
            before = shape
    assert sum(j <= 5 for j in jumps) / len(jumps) > 0.97  # the top moves at most a fourth
    assert sum(j <= 2 for j in jumps) / len(jumps) > 0.6


def test_the_way_to_another_key_is_its_dominant():
    slots = harmony.lead_to((Slot(4, 0, "maj7"), Slot(4, 5, "maj7")), Key(0, False), Key(2, True))
    assert (slots[-1].degree, slots[-1].beats) == (9, 2.0)
    assert sum(s.beats for s in slots) == 8
