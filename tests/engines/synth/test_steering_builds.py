"""Steering by words that change what is there: what was asked for before goes on, and what is asked for comes soon."""

import json

import pytest
from scores import drums, instruments, layers

from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.programme import Programme
from lullwave.engines.synth.prompts.additions import is_addition
from lullwave.engines.synth.prompts.parser import read_intent
from lullwave.request import Request


def after(start, *steers, seed=3, bars=60, played=9):
    programme = Programme(Request(start, seed), SynthOptions())
    for wish in steers:
        for _ in range(played):
            programme.next_bar()
        programme.steer(wish, 4.0)
    return programme, [programme.next_bar() for _ in range(bars)]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("add rain", True), ("no drums", True), ("more bass", True), ("slower", True), ("turn off the rain", True),
        ("with rain", True), ("Please add a flute", True), ("-drums", True), ("remove the piano", True),
        ("rain", False), ("jazz, no drums", False), ("no drums, soft piano", False), ("warm synthwave", False),
        ("", False),
    ],
)  # fmt: skip
def test_which_prompts_add(prompt, expected):
    assert is_addition(prompt, read_intent(prompt)[0]) == expected


def test_rain_is_added_to_what_was_asked_for():
    programme, bars = after("rhodes, no drums", "add rain", bars=150)  # into the next piece
    assert bars[-1].piece > bars[0].piece
    assert not drums(bars)
    assert instruments(bars)["rhodes"] > 100
    assert layers(bars) == {"rain"}
    assert "rain" in programme.understanding.text
    assert "without drums" in programme.understanding.text


def test_what_was_refused_comes_back_when_it_is_asked_for():
    _, bars = after("rhodes, no drums", "add drums", "add rain")
    assert sum(drums(bars).values()) > 100
    _, bars = after("lofi with rain", "no rain", "add a flute")
    assert layers(bars) == set()
    assert instruments(bars)["flute"] > 10


def test_a_new_prompt_begins_anew():
    _, bars = after("rhodes, no drums", "upbeat synthwave with drums", bars=150)
    assert sum(drums(bars).values()) > 100


def test_tempo_key_and_style_stay():
    programme, bars = after("bossa nova, 78 bpm in E minor", "add rain", "more bass", bars=150)
    assert {round(b.tempo_bpm, 3) for b in bars} == {78}
    assert {s.key.name for s in programme.spec.sections} == {"E minor"}
    assert dict(programme._intent.styles) == {"bossa": 1.0}


def test_more_bass_is_louder_and_less_is_softer():
    def level(*steers):
        return after("lofi with upright bass", *steers, bars=12)[1][-1].mix.tracks["bass"].level_db

    usual = level("add rain")
    assert level("more bass") == usual + 3
    assert level("less bass") == usual - 4
    assert level("more bass", "less bass") == usual - 1


@pytest.mark.parametrize("wish", ["flute", "add a muted trumpet", "music box", "with a vibraphone", "add some melody"])
def test_a_tune_begins_within_two_bars(wish):
    named = {"trumpet": "muted_trumpet", "flute": "flute", "box": "music_box", "vibraphone": "vibraphone"}
    for seed in (1, 2, 3):
        for played in (5, 11, 18, 26, 34):
            start = "lofi with rhodes" + (", no melody" if "melody" in wish else "")
            _, bars = after(start, wish, seed=seed, played=played, bars=2)
            if "melody" in wish:
                assert any(n.part == "lead" for b in bars for n in b.notes)
            else:
                assert instruments(bars)[next(v for k, v in named.items() if k in wish)] >= 2, (seed, played)


def test_a_restored_programme_remembers_what_was_added():
    programme, _ = after("rhodes, no drums", "add rain", bars=3)
    again = Programme.restore(json.loads(json.dumps(programme.state())))
    assert again.understanding == programme.understanding
    for one in (programme, again):
        one.steer("more bass", 4.0)
    assert [again.next_bar() for _ in range(100)] == [programme.next_bar() for _ in range(100)]
