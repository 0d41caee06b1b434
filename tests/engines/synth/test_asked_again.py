"""What an earlier prompt refused is heard, and no longer called refused, when a later one asks for it."""

import pytest
from scores import drums, instruments

from lullwave.engines.synth.catalogue.instruments import INSTRUMENTS
from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.programme import Programme
from lullwave.engines.synth.prompts.explanation import name_of
from lullwave.engines.synth.prompts.parser import read_intent
from lullwave.engines.synth.theory import Key
from lullwave.request import Request

ADDED = {"keys": "piano", "bass": "upright bass", "lead": "violin", "pad": "choir"}
REFUSED = {"keys": "no keys, no chords", "bass": "no bass", "lead": "no melody", "pad": "no pads, no chords"}


def steered(prompt, *wishes, seed=5, before=4, count=20):
    """The understanding after the last prompt and the bars that follow it, the first left out: it plays already."""
    programme = Programme(Request(prompt, seed), SynthOptions())
    for wish in wishes:
        for _ in range(before):
            programme.next_bar()
        programme.steer(wish)
    bars = [programme.next_bar() for _ in range(count)]
    return programme.understanding, bars


def word_for(name):
    """A phrase that names this instrument alone."""
    return next(
        phrase for phrase in (name_of(name), INSTRUMENTS[name].label, *INSTRUMENTS[name].phrases)
        if read_intent(phrase)[0].instruments == (name,)
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(INSTRUMENTS))
def test_an_instrument_is_heard_after_its_part_was_refused(name):
    for refused in ("no instruments", "lofi, " + REFUSED[INSTRUMENTS[name].role], "jazz, no melody, no bass, no keys"):
        understood, bars = steered(refused, f"add {word_for(name)}")
        assert instruments(bars)[name] >= 2, refused
        assert "no room" not in understood.text, refused


@pytest.mark.parametrize(
    ("prompt", "wish", "role"),
    [
        ("lofi without bass", "add bass", "bass"),
        ("lofi, no melody", "add a melody", "lead"),
        ("lofi, no chords", "add chords", "keys"),
        ("no instruments", "add bass", "bass"),
        ("no instruments", "add a melody", "lead"),
    ],
)
def test_a_part_is_heard_after_it_was_refused(prompt, wish, role):
    for seed in range(4):
        understood, bars = steered(prompt, wish, seed=seed)
        assert sum(n.part == role for b in bars for n in b.notes) >= 8
        assert "without" not in understood.text


def test_a_soloist_of_the_first_prompt_plays_with_the_one_that_is_added():
    understood, bars = steered("jazz with saxophone, no melody", "add violin", count=40)
    played = instruments(bars)
    assert min(played["saxophone"], played["violin"]) >= 4
    assert understood.text == "jazz; saxophone, violin"


@pytest.mark.parametrize("prompt", ["no instruments", "only rain", "rain, no instruments"])
def test_added_to_no_instruments_players_play_alone(prompt):
    understood, bars = steered(prompt, "add piano")
    assert set(instruments(bars)) == {"felt_piano"}
    assert not drums(bars)
    assert "only piano" in understood.text
    _, bars = steered(prompt, "add piano", "add violin", count=40)
    assert set(instruments(bars)) == {"felt_piano", "violin"}
    _, bars = steered(prompt, "add drums")
    assert not instruments(bars)
    assert sum(drums(bars).values()) > 40


@pytest.mark.parametrize("prompt", ["no instruments", "only rain"])
def test_added_to_no_instruments_a_style_brings_its_band(prompt):
    _, bars = steered(prompt, "add jazz")
    assert {n.part for b in bars for n in b.notes} >= {"keys", "bass", "lead"}
    assert drums(bars)


@pytest.mark.parametrize("prompt", ["jazz with piano and violin", "only piano", "drums and bass"])
def test_no_instruments_ends_all_of_them(prompt):
    _, bars = steered(prompt, "no instruments")
    assert not instruments(bars[1:])
    assert not drums(bars[1:])


def test_beside_a_named_player_no_instruments_means_no_others():
    _, bars = steered("lofi", "piano, no other instruments", count=30)
    assert set(instruments(bars[12:])) == {"felt_piano"}


@pytest.mark.parametrize(
    ("refused", "asked", "still"),
    [
        ("no brushes, jazz", "with brushes", []),
        ("lofi, no shaker", "add a shaker", []),
        ("no half-time", "add half-time", []),
        ("not in C major", "in C major", []),
        ("no drums, no bass, no rain", "add upright bass", ["drums", "rain"]),
        ("no piano, no melody", "add violin", ["felt_piano"]),
        ("no melody, no bass", "add harp", ["melody", "bass"]),
    ],
)
def test_only_what_is_asked_for_is_refused_no_longer(refused, asked, still):
    before = read_intent(refused)[0]
    assert before.avoid.to_strings()
    assert sorted(read_intent(asked)[0].after(before).avoid.to_strings()) == sorted(still)


def test_another_key_leaves_the_refused_one():
    after = read_intent("in D minor")[0].after(read_intent("not in C major, not in D minor")[0])
    assert after.avoid.keys == (Key(0, False),)
