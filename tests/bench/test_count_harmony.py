"""Counting harmony, on notes whose answer is known."""

from bench.embedded.harmony import clashes, scale


def test_scales():
    assert scale("C major") == {0, 2, 4, 5, 7, 9, 11}
    assert scale("A minor") == scale("C major")
    assert scale("F# minor") == scale("A major")
    assert scale("Bb major") == scale("G minor")


def test_a_semitone_between_parts_clashes_and_inside_the_keys_it_does_not():
    assert len(clashes([(0.0, 1.0, 64, "keys"), (0.5, 2.0, 65, "lead")])) == 1
    assert clashes([(0.0, 1.0, 64, "keys"), (0.5, 2.0, 65, "keys")]) == []
    assert len(clashes([(0.0, 1.0, 40, "bass"), (0.0, 1.0, 53, "keys")])) == 1
    assert len(clashes([(0.0, 1.0, 47, "keys"), (0.0, 1.0, 48, "keys")])) == 1


def test_a_short_touch_does_not_clash():
    assert clashes([(0.0, 1.0, 64, "keys"), (0.8, 2.0, 65, "lead")]) == []
    assert clashes([(0.0, 1.0, 64, "keys"), (1.0, 2.0, 65, "lead")]) == []
    assert clashes([(0.0, 1.0, 64, "keys"), (0.0, 2.0, 66, "lead")]) == []
