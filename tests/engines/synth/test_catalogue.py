"""The catalogue is complete: every instrument can be asked for, written, rendered and exported."""

import typing
from pathlib import Path

import pytest

from lullwave.engines.synth.catalogue import drums, instruments
from lullwave.engines.synth.catalogue.instruments import INSTRUMENTS
from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.planning.styles import STYLES
from lullwave.engines.synth.programme import Programme
from lullwave.engines.synth.prompts.tokens import phrase_at, tokens_of
from lullwave.engines.synth.prompts.vocabulary import PHRASES
from lullwave.engines.synth.sound.instruments.notes import render_function
from lullwave.engines.synth.writing import comping
from lullwave.request import Request


def test_every_name_has_one_record():
    assert sorted(INSTRUMENTS) == sorted(typing.get_args(instruments.InstrumentName))
    assert sorted(drums.DRUMS) == sorted(typing.get_args(drums.DrumName))
    assert sorted(drums.KITS) == sorted(typing.get_args(drums.KitName))


def test_no_phrase_names_two_instruments():
    phrases = [phrase for one in INSTRUMENTS.values() for phrase in one.phrases]
    assert len(set(phrases)) == len(phrases)


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_phrase_asks_for_its_instrument(name):
    for phrase in INSTRUMENTS[name].phrases:
        words = tokens_of(phrase)
        found, length = phrase_at(words, 0)
        assert length == len(words)
        assert PHRASES[found]["instrument"] == name


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_an_instrument_has_a_render_function_of_its_name(name):
    assert render_function(name).__name__ == name


@pytest.mark.parametrize("name", INSTRUMENTS)
@pytest.mark.parametrize("words", ["{}", "only {}", "{}, bass and melody"])
def test_what_is_written_for_an_instrument_lies_within_its_range(name, words):
    one = INSTRUMENTS[name]
    played = False
    for seed in range(3):
        programme = Programme(Request(words.format(one.phrases[0]), seed, 60.0), SynthOptions())
        while (bar := programme.next_bar()) is not None:
            for note in bar.notes:
                if bar.mix.tracks[note.part].instrument == name:
                    played = True
                    assert one.lowest <= note.pitch <= one.highest
    assert played


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_its_manner_exists(name):
    one = INSTRUMENTS[name]
    assert set(one.comps) <= {*comping.STYLES, comping.HELD}
    assert set(one.bed) <= set(INSTRUMENTS)
    assert one.style in ("", *STYLES)


def test_the_docs_list_every_instrument_and_kit_with_its_words():
    text = (Path(__file__).parents[3] / "docs/use/instruments.md").read_text()
    for one in INSTRUMENTS.values():
        assert f"| {one.label} | {', '.join(one.phrases)} | {', '.join(one.stands_in_for)} |\n" in text
    for kit in drums.KITS.values():
        assert f"| {kit.name} | {', '.join(kit.phrases)} |\n" in text


def test_styles_name_only_instruments_and_kits_of_the_catalogue():
    for style in STYLES.values():
        assert {*style.keys, *style.lead, *style.answer, *style.bass} <= set(INSTRUMENTS)
        assert set(style.kits) <= set(drums.KITS)
