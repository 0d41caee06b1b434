"""Every named instrument is heard, whatever the length; an excluded one is not."""

import itertools

import pytest
from scores import clashes, clip, drums, instruments, key_fit

from lullwave.engines.synth.catalogue.instruments import INSTRUMENTS
from lullwave.engines.synth.chance import Chance
from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.planning.planner import blend_of
from lullwave.engines.synth.programme import Programme
from lullwave.engines.synth.prompts.explanation import name_of
from lullwave.engines.synth.prompts.parser import read_intent
from lullwave.request import Request

BANDS = [
    "sleepy vibraphone",
    "flute, vibraphone and trumpet",
    "flute, vibraphone, trumpet and music box",
    "piano, guitar, rhodes",
    "rhodes, wurlitzer",
    "rhodes, piano and flute",
    "upright bass and sub bass",
    "flute, trumpet, rhodes, upright bass, brushes, pads",
    "just piano, flute and guitar",
    "lofi with drums",
]


@pytest.mark.parametrize("prompt", BANDS)
def test_everybody_is_heard_in_half_a_minute(prompt):
    wishes = read_intent(prompt)[0]
    for seed in range(6):
        bars = clip(prompt, seed, 30.0)
        played = instruments(bars)
        assert [name for name in wishes.instruments if played[name] < 2] == [], seed
        assert clashes(bars) == []
        if wishes.drums:
            assert sum(drums(bars).values()) >= 8


def test_who_finds_no_room_is_told():
    told = 0
    for prompt, seed in itertools.product(BANDS, range(3)):
        programme = Programme(Request(prompt, seed, 8.0), SynthOptions())
        bars = []
        while (bar := programme.next_bar()) is not None:
            bars.append(bar)
        played = instruments(bars)
        missing = {name for name in read_intent(prompt)[0].instruments if not played[name]}
        text = programme.understanding.text
        assert {n for n in read_intent(prompt)[0].instruments if f"no room for {name_of(n)}" in text} == missing
        told += len(missing)
    assert told > 0


def test_an_endless_piece_gives_everybody_turns():
    programme = Programme(Request("flute, vibraphone and trumpet over rhodes and piano", 2), SynthOptions())
    bars = [programme.next_bar() for _ in range(40)]
    played = instruments(bars)
    assert all(played[n] > 10 for n in ("flute", "vibraphone", "trumpet", "rhodes", "felt_piano"))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("prompt", "parts", "drummed"),
    [
        ("drums only", set(), True),
        ("only bass", {"bass"}, False),
        ("bass and drums only", {"bass"}, True),
        ("no melody, no chords", {"bass"}, True),
        ("just a melody", {"lead"}, False),
    ],
)
def test_parts_alone(prompt, parts, drummed, seed):
    bars = clip(prompt, seed)
    assert {n.part for b in bars for n in b.notes} - {"pad"} == parts
    if "only" in prompt or "just" in prompt:
        assert "pad" not in {n.part for b in bars for n in b.notes}
        assert bool(drums(bars)) == drummed
        if parts != {"lead"}:  # a tune rests, and there is nothing else
            assert all(b.notes or b.hits for b in bars[:-2])


@pytest.mark.parametrize(
    "prompt",
    [
        "only electronic 808 drums, no melody, no bass, no keys",
        "808 drums, no melody, no bass, no keys",
        "drums, no melody, no bass, no chords",
        "lofi, no melody, no bass, no chords",
        "techno without chords, bass or melody",
        "hip hop beat, no keys, no melody, no bass, rain",
    ],
)
def test_drums_are_alone_where_all_other_parts_are_refused(prompt):
    for seed in range(6):
        bars = clip(prompt, seed, 30.0)
        assert not instruments(bars), seed
        assert all(b.hits for b in bars[:-2]), seed


def test_a_pad_stays_where_it_is_named():
    for seed in range(6):
        assert instruments(clip("808 drums and pads, no melody, no bass, no keys", seed, 30.0))["pad"] > 3, seed


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("only piano and bass", "felt_piano"),
        ("piano and bass only", "felt_piano"),
        ("only piano, bass and drums", "felt_piano"),
        ("only guitar and bass", "nylon_guitar"),
        ("just rhodes and bass", "rhodes"),
        ("only organ and bass, jazz", "organ"),
        ("only harp and bass", "harp"),
        ("only flute and bass", "flute"),
    ],
)
def test_a_bass_beside_the_only_instrument_is_a_bass(prompt, named):
    for seed in range(4):
        bars = clip(prompt, seed, 30.0)
        played = instruments(bars)
        basses = {b.mix.tracks["bass"].instrument for b in bars for n in b.notes if n.part == "bass"}
        assert len(basses) == 1
        assert INSTRUMENTS[basses.pop()].role == "bass"
        assert played[named] > 10
        assert len(played) == 2
        assert bool(drums(bars)) == ("drums" in prompt)


@pytest.mark.parametrize("prompt", ["only piano", "only piano and upright bass, bass forward"])
def test_the_low_notes_are_those_of_who_is_named(prompt):
    low = {b.mix.tracks["bass"].instrument for b in clip(prompt, 2, 30.0) for n in b.notes if n.part == "bass"}
    assert low == {"upright_bass" if "upright" in prompt else "felt_piano"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_kit_that_is_not_wanted_is_replaced(seed):
    bars = clip("jazz, no brushes", seed)
    assert sum(drums(bars).values()) > 30
    assert "brushes" not in {b.mix.kit for b in bars}
    assert not {"brush_tap", "brush_sweep"} & set(drums(bars))
    bars = clip("bossa nova, no shaker", seed)
    assert sum(drums(bars).values()) > 30
    assert not drums(bars)["shaker"]
    assert drums(clip("lofi with shaker", seed))["shaker"] > 30
    assert sum(drums(clip("lofi, no heavy drums", seed)).values()) > 30


@pytest.mark.parametrize("key", ["C major", "D minor", "G# minor"])
def test_a_key_that_is_not_wanted_is_not_chosen(key):
    for seed in range(40):
        programme = Programme(Request(f"lofi, not in {key}", seed), SynthOptions())
        programme.next_bar()
        assert programme.spec.key.name != key
    assert key_fit(clip("not in C major, in D major"), "D major") > 0.92


def test_a_style_that_is_not_wanted_is_no_guest():
    wishes = read_intent("not jazz")[0]
    guests = {style for seed in range(200) for style, _ in blend_of(wishes, Chance(seed)).shares}
    assert "jazz" not in guests
    assert {"lofi", "soul", "hiphop"} <= guests
