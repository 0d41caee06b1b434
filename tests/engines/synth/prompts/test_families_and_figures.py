"""General words leave out families; figures win over words; what cannot be left out is told."""

from __future__ import annotations

import pytest

from lullwave.engines.synth.catalogue.instruments import INSTRUMENTS
from lullwave.engines.synth.prompts.explanation import understand
from lullwave.engines.synth.prompts.parser import read_intent

GUITARS = {"nylon_guitar", "steel_guitar", "electric_guitar", "slide_guitar"}
BOWED = {"violin", "cello", "bowed_bass", "string_section"}
BRASS = {"trumpet", "muted_trumpet", "brass_section"}
SYNTHS = {"synth_bass", "synth_lead", "pad", "synth_pluck", "pulse_pad"}
WOODWINDS = {"flute", "clarinet", "saxophone"}


@pytest.mark.parametrize(
    ("prompt", "left_out"),
    [
        ("folk, no guitar", GUITARS), ("country without guitars", GUITARS), ("ohne Gitarren", GUITARS),
        ("sans guitare", GUITARS), ("sin guitarra", GUITARS), ("ギターなし", GUITARS), ("guitars off", GUITARS),
        ("synthwave without synths", SYNTHS), ("no synthesizers", SYNTHS), ("sin sintetizadores", SYNTHS),
        ("no strings", BOWED), ("ohne Streicher", BOWED), ("no string instruments", BOWED),
        ("no brass", BRASS), ("no horns", BRASS), ("ohne Bläser", BRASS), ("no brass instruments", BRASS),
        ("no woodwinds", WOODWINDS), ("no wind instruments", WOODWINDS | BRASS),
        ("no electronic instruments", SYNTHS | {"sub_bass", "bass_808"}), ("no choir", {"choir", "humming_choir"}),
        ("no electric guitar", {"electric_guitar"}), ("no steel guitar", {"steel_guitar"}), ("no violin", {"violin"}),
        ("no synth bass", {"synth_bass"}), ("no trumpet", {"trumpet"}),
        ("violin, no strings", BOWED - {"violin"}), ("pads, no synths", SYNTHS - {"pad"}),
    ],
)  # fmt: skip
def test_a_general_word_leaves_out_all_of_its_family(prompt, left_out):
    intent, ignored = read_intent(prompt)
    assert {name for name in intent.avoid.names if name in INSTRUMENTS} == left_out
    assert ignored == ()


def test_no_keyboards():
    left_out = set(read_intent("no keyboards")[0].avoid.names)
    assert left_out >= {"rhodes", "wurli", "felt_piano", "organ", "harpsichord", "celesta"}


@pytest.mark.parametrize(
    ("prompt", "metre"),
    [
        ("6/8 waltz", "6/8"), ("waltz in 6/8", "6/8"), ("3/4 jig", "3/4"), ("jig in 4/4", "4/4"),
        ("Walzer im 6/8-Takt", "6/8"), ("valse en 4/4", "4/4"), ("waltz", "3/4"), ("jig", "6/8"),
        ("6/8, no waltz", "6/8"), ("a waltz in 6", "6/8"),
    ],
)  # fmt: skip
def test_a_metre_in_figures_wins_over_a_word(prompt, metre):
    assert read_intent(prompt)[0].metre == metre


@pytest.mark.parametrize(
    ("prompt", "bpm"),
    [
        ("テンポ120", 120), ("テンポ120のピアノ", 120), ("テンポ：120", 120), ("テンポは95", 95), ("템포 90", 90),
        ("BPM120", 120), ("tempo120", 120), ("tempo 72.5", 72.5), ("tempo 120%", None), ("tempos 120", None),
        ("adagio, 60 bpm", 60), ("un paseo largo por la playa", None),
    ],
)  # fmt: skip
def test_tempos_beside_their_names(prompt, bpm):
    assert read_intent(prompt)[0].tempo_bpm == bpm


def test_the_italian_tempos_are_in_order():
    tempos = [
        read_intent(f"{name} piano")[0].tempo_bpm for name in ("largo", "adagio", "andante", "moderato", "presto")
    ]
    assert tempos == sorted(set(tempos))
    assert "no effect" in understand("not presto").text


@pytest.mark.parametrize("manner", ["comping", "picking", "arpeggios", "chopped samples", "stabs", "held chords"])
def test_a_manner_that_cannot_be_refused_is_told(manner):
    (told,) = read_intent(f"piano, no {manner}")[1]
    assert told.rstrip("s") == f"no {manner}".rstrip("s")


@pytest.mark.parametrize(
    "prompt", ["pianoforte in tre quarti", "piano in three four", "rain in six eight", "jazz in four four"]
)
def test_the_words_of_a_metre_are_read_whole(prompt):
    assert read_intent(prompt)[1] == ()


def test_a_pianoforte_is_a_piano():
    assert understand("pianoforte").text == understand("piano").text
