import pytest

from lullwave.engines.synth.theory import QUALITIES, Chord, Key, clashing, nearest


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("D minor", "D minor"),
        ("F# minor", "F# minor"),
        ("f-sharp minor", "F# minor"),
        ("Bb", "Bb major"),
        ("b", "B major"),
        ("A♭ major", "Ab major"),
        ("Am", "A minor"),
        ("cis", None),
        ("H minor", None),
        ("e moll", "E minor"),
    ],
)
def test_keys_are_read(text, name):
    if name is None:
        with pytest.raises(ValueError, match="is not a key"):
            Key.parse(text)
    else:
        assert Key.parse(text).name == name


def test_every_key_reads_its_own_name():
    keys = [Key(tonic, minor) for tonic in range(12) for minor in (False, True)]
    assert [Key.parse(k.name) for k in keys] == keys


def test_distances_on_the_circle_of_fifths():
    c = Key.parse("C major")
    assert [c.distance(Key.parse(k)) for k in ("A minor", "G", "F", "E minor", "D", "F#", "Db")] == [
        0,
        1,
        1,
        1,
        2,
        6,
        5,
    ]
    assert all(c.distance(k) <= 2 for k in c.neighbours(2))
    assert len(c.neighbours(2)) == 9


def test_scales():
    assert set(Key.parse("C major").scale) == set(Key.parse("A minor").scale) == {0, 2, 4, 5, 7, 9, 11}


def test_chords_are_spelled_for_their_key():
    assert Chord(10, "maj9").name(Key.parse("F major")) == "Bbmaj9"
    assert Chord(10, "m7").name(Key.parse("B major")) == "A#m7"
    assert Chord(2, "m9").pitch_classes == (2, 5, 9, 0, 4)


def test_which_chords_are_in_a_key():
    c = Key.parse("C major")
    assert Chord(2, "m9").in_key(c)
    assert Chord(7, "13").in_key(c)
    assert not Chord(5, "m6").in_key(c)
    assert not Chord(4, "7").in_key(c)


def test_qualities_begin_on_their_root():
    assert all(steps[0] == 0 and list(steps) == sorted(steps) for steps in QUALITIES.values())


def test_clashing_is_a_minor_second_or_ninth():
    assert [d for d in range(26) if clashing(60, 60 + d)] == [1, 13]


def test_the_nearest_pitch_of_a_class():
    assert nearest(0, 62, 48, 84) == 60
    assert nearest(11, 62, 60, 84) == 71
