"""Prompts that ask for drums and nothing melodic: the beat comes first, and the harmony leaves it room."""

import pytest
from scores import clip, layers

from lullwave.engines.synth.catalogue.instruments import INSTRUMENTS
from lullwave.engines.synth.planning.casting import beat_leads
from lullwave.engines.synth.prompts.parser import read_intent


@pytest.mark.parametrize(
    ("prompt", "leads"),
    [
        ("drums", True),
        ("a slow beat in the rain", True),
        ("808 drums and shaker", True),
        ("lofi beats", False),
        ("beat with flute", False),
        ("drums and a bassline", False),
        ("piano", False),
    ],
)
def test_the_beat_leads_where_nothing_melodic_is_named(prompt, leads):
    assert beat_leads(read_intent(prompt)[0]) is leads


@pytest.mark.parametrize("prompt", ["drums", "beat"])
def test_harmony_is_short_and_stays_behind_the_beat(prompt):
    for seed in range(1, 6):
        bars = clip(prompt, seed, 60.0)
        first = [bar for bar in bars if bar.section == "A"]
        assert first, seed
        assert {note.part for bar in first for note in bar.notes} <= {"bass"}, seed
        assert all(any(hit.drum == "kick" for hit in bar.hits) for bar in first), seed
        chords = [note for bar in bars[:-1] for note in bar.notes if note.part == "keys"]
        beat_s = 60.0 / bars[0].tempo_bpm
        assert sum(note.length_s <= 1.4 * beat_s for note in chords) > 0.7 * len(chords), seed
        assert not {bar.mix.tracks["keys"].instrument for bar in bars if "keys" in bar.mix.tracks} & {
            name for name, one in INSTRUMENTS.items() if one.family in ("bowed", "choirs", "organs", "winds")
        }, seed


def test_a_beat_with_an_instrument_has_no_sustained_chords_of_strings_or_voices():
    for seed in range(1, 11):
        bars = clip("violin and a broken drum machine", seed)
        keys = {bar.mix.tracks["keys"].instrument for bar in bars if "keys" in bar.mix.tracks}
        assert {INSTRUMENTS[name].family for name in keys} <= {"plucked", "mallets", "synths"}, seed


def test_new_age_is_held_by_voices_and_pads_without_drums():
    for seed in range(1, 6):
        bars = clip("new age", seed)
        assert {bar.mix.tracks["keys"].instrument for bar in bars} <= {"humming_choir", "pad"}
        assert not any(bar.hits for bar in bars)
        assert set(layers(bars)) == {"waves"}
    assert not layers(clip("new age, no waves", 1))
    assert set(layers(clip("new age in the rain", 1))) == {"rain"}
