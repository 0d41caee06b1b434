"""Words with two meanings are read by their context, and replaced instruments are told."""

import pytest

from lullwave.engines.synth.prompts.explanation import understand
from lullwave.engines.synth.prompts.intent import Avoided, Intent
from lullwave.engines.synth.prompts.parser import read_intent


@pytest.mark.parametrize(
    "prompt", ["major city", "train of thought", "lead-off", "space bar", "no problem", "falling asleep"]
)
def test_what_is_not_about_music_asks_for_nothing(prompt):
    assert read_intent(prompt) == (Intent(), ())


@pytest.mark.parametrize(
    ("prompt", "places", "instruments"),
    [
        ("square waves", (), ("synth_lead",)), ("ocean waves", ("waves",), ()),
        ("16 bars of piano", (), ("felt_piano",)),
        ("a piano bar", ("cafe",), ("felt_piano",)), ("jazz with vibes", (), ("vibraphone",)), ("good vibes", (), ()),
        ("no drums with vibes", (), ("vibraphone",)), ("train station piano", ("train",), ("felt_piano",)),
    ],
)  # fmt: skip
def test_context_decides(prompt, places, instruments):
    intent = read_intent(prompt)[0]
    assert (tuple(dict(intent.ambience)), intent.instruments) == (places, instruments)


def test_a_negation_may_refuse_nothing():
    assert read_intent("no rush, piano")[0].avoid == Avoided()
    assert read_intent("drop the beat")[0].drums
    assert read_intent("drop the drums")[0].avoid == Avoided(("drums",))
    assert read_intent("no drums with vibes")[0].avoid == Avoided(("drums",))


def test_an_article_is_no_tonic():
    intent = read_intent("something in a minor key")[0]
    assert (intent.tonic, intent.minor) == (None, True)
    assert read_intent("a minor detail")[0].minor is None


@pytest.mark.parametrize(("asked", "plays"), [("oboe", "flute"), ("viola", "violin"), ("banjo", "steel-string guitar")])
def test_a_replacement_is_told(asked, plays):
    assert f"no {asked} here: {plays} instead" in understand(f"{asked} and rain").text
    assert " here: " not in understand("flute, pads and guitar").text


def test_a_misspelled_word_gets_a_suggestion():
    told = understand("pinao")
    assert not told.recognised
    assert told.suggestions == {"pinao": ("piano",)}
    assert "did you mean piano?" in told.text
    assert understand("pinao with rain").recognised
    assert understand("zzzzz").suggestions == {}
