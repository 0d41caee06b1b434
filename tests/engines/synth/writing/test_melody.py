import itertools
from statistics import mean

import pytest

from lullwave.engines.synth.chance import Chance
from lullwave.engines.synth.planning.themes import voiced_loop
from lullwave.engines.synth.spec import MotifNote
from lullwave.engines.synth.theory import Key
from lullwave.engines.synth.writing import melody
from lullwave.engines.synth.writing.harmony import make_loop

C = Key(0, False)


def motifs(count=300):
    for seed in range(count):
        key = Key(seed % 12, seed % 2 == 0)
        loop = make_loop(Chance(seed), key.minor, "lofi", 0.3)
        yield key, melody.make_motif(Chance(seed, "motif"), key, voiced_loop(loop, key))


def test_motifs_are_short_in_key_and_within_a_bar():
    for key, motif in motifs():
        assert 4 <= len(motif) <= 6
        assert all(0 <= n.onset < 16 and n.length >= 1 for n in motif)
        assert all((60 + n.pitch) % 12 in key.scale for n in motif)
        assert all(a.onset + a.length <= b.onset for a, b in itertools.pairwise(motif))


def test_motifs_move_mostly_by_step():
    sizes = [abs(b.pitch - a.pitch) for _, m in motifs() for a, b in itertools.pairwise(m)]
    assert mean(1 <= s <= 2 for s in sizes) > 0.5
    assert mean(s > 4 for s in sizes) < 0.2


def test_motifs_hardly_repeat_even_without_memory():
    names = [melody.motif_name(m) for _, m in motifs(1000)]
    assert len(set(names)) > 980


MOTIF = (MotifNote(0, 2, 12), MotifNote(2, 2, 14), MotifNote(4, 4, 16), MotifNote(8, 6, 12))


@pytest.mark.parametrize(
    ("change", "pitches"),
    [("mirror", [12, 10, 8, 12]), ("a", [12, 14, 16, 12]), ("thin", [12, 16, 12])],
)
def test_developments(change, pitches):
    assert [n.pitch for n in melody.developed(Chance(1), MOTIF, change, C)] == pitches


def test_a_sequence_moves_along_the_scale():
    found = {tuple(n.pitch for n in melody.developed(Chance(s), MOTIF, "sequence", C)) for s in range(40)}
    assert found == {(9, 11, 12, 9), (11, 12, 14, 11), (14, 16, 17, 14), (16, 17, 19, 16)}


def test_a_shift_keeps_the_tune_and_moves_it():
    moved = melody.developed(Chance(1), MOTIF, "shift", C)
    assert [(n.onset, n.pitch) for n in moved] == [(2, 12), (4, 14), (6, 16), (10, 12)]


def test_a_cadence_ends_at_home():
    assert (melody.developed(Chance(1), MOTIF, "cadence", C)[-1].pitch + 60) % 12 in (0, 4, 7)


def test_the_first_statement_is_the_motif_itself():
    same = total = 0
    for key, _motif in motifs(100):
        loop = make_loop(Chance(total), key.minor, "lofi", 0.3)
        chords = voiced_loop(loop, key)
        fitting = melody.make_motif(Chance(total, "own"), key, chords)
        events = melody.write_melody(Chance(total), chords, key, fitting, "call", 4)
        sung = [e.pitch - 60 for e in events if not e.grace][: len(fitting)]
        total += 1
        same += sung == [n.pitch for n in fitting]
    assert same / total > 0.9
