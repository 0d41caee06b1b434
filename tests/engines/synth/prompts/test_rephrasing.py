"""What is too much, too little or to be exchanged is read as the wish that it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lullwave.engines.synth.prompts.additions import is_addition
from lullwave.engines.synth.prompts.explanation import understand
from lullwave.engines.synth.prompts.parser import read_intent

SAME = {
    "less piano": ("too much piano", "the piano is too loud", "piano too loud", "the piano is way too loud",
        "piano is a bit too loud", "hardly any piano", "very little piano"),
    "fewer drums": ("too many drums", "hardly any drums", "barely any drums", "few drums", "almost no drums"),
    "more bass": ("not enough bass", "there is not enough bass", "I don't hear enough bass"),
    "more drums": ("not enough drums", "drums too quiet", "the drums are too quiet", "the drums aren't loud enough"),
    "drums": ("a few drums",),
    "slower": ("too fast", "way too fast", "not slow enough"),
    "faster": ("too slow", "it is too slow", "not fast enough"),
    "quieter": ("too loud", "the music is too loud"),
    "louder": ("too quiet", "not loud enough"),
    "not sad": ("too sad", "it's too sad"),
    "not too fast": ("not fast",),
    "less rain": ("too much rain", "too rainy", "the rain is too loud"),
    "jazz, less piano": ("jazz, but the piano is too loud",),
    "less piano, fewer drums": ("too much piano and too many drums",),
    "rain, no instruments": ("rain, no music", "rain without any music", "rain, music off", "rain, not music",
        "no music, just rain" , "rain and no music"),
    "rain, fire, no instruments": ("rain and fire, no music",),
    "replace piano by guitar": ("switch from piano to guitar", "change the piano to a guitar",
        "exchange the piano for a guitar", "trade piano for guitar", "substitute the piano with a guitar"),
    "guitar instead of piano": ("substitute guitar for piano", "use guitar in place of the piano"),
}  # fmt: skip
CASES = [(said, plain) for plain, ways in SAME.items() for said in ways]


def meant(prompt):
    intent = read_intent(prompt)[0]
    moods = {name: round(value, 6) for name, value in intent.moods.items()}
    levels = tuple((name, max(-4.0, level)) for name, level in intent.levels_db)  # said twice, it is still less
    return replace(intent, notes=(), moods=moods, levels_db=levels, only=False)


@pytest.mark.parametrize(("said", "plain"), CASES, ids=lambda text: text)
def test_it_means_what_the_plain_words_mean(said, plain):
    assert meant(said) == meant(plain)


@pytest.mark.parametrize(
    ("prompt", "level"), [("not enough bass", {"bass": 3.0}), ("piano too loud", {"felt_piano": -4.0})]
)
def test_amounts_are_levels_and_refuse_nothing(prompt, level):
    intent = read_intent(prompt)[0]
    assert dict(intent.levels_db) == level
    assert intent.avoid.names == ()


@pytest.mark.parametrize(("prompt", "told"), [("too sad", "cheerful"), ("too fast", "slower"), ("too slow", "faster")])
def test_too_much_of_a_mood_or_pace_turns_it(prompt, told):
    assert told in understand(prompt).text


@pytest.mark.parametrize("prompt", ["don't stop the music", "no music with vocals", "no sad music", "music, too"])
def test_music_that_is_wanted_stays(prompt):
    assert "instruments" not in read_intent(prompt)[0].avoid.names


@pytest.mark.parametrize("prompt", ["change the mood to calm piano", "switch to piano", "go to the sea with a piano"])
def test_what_exchanges_nothing_refuses_nothing(prompt):
    intent = read_intent(prompt)[0]
    assert intent.avoid.names == ()
    assert intent.instruments == ("felt_piano",)


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("no instruments except piano", "only piano"),
        ("no instruments but the flute", "only flute"),
        ("no other instruments than guitar", "only guitar"),
        ("no music except for rain", "only rain"),
        ("no sounds apart from waves", "only waves"),
        ("piano, no other instruments", "only piano"),
        ("jazz piano and no other instruments", "only jazz piano"),
        ("cello without any other instruments", "only cello"),
        ("only rain, no other sounds", "only rain"),
    ],
)
def test_nothing_except_a_thing_is_that_thing_alone(said, plain):
    said, plain = read_intent(said)[0], read_intent(plain)[0]
    assert (said.only, said.instruments, said.ambience, said.styles) == (
        True, plain.instruments, plain.ambience, plain.styles
    )  # fmt: skip
    assert said.avoid == plain.avoid


@pytest.mark.parametrize(
    "prompt", ["piano replaced by a guitar", "the piano replaced with guitar", "piano changed to guitar"]
)
def test_what_is_replaced_by_another_goes(prompt):
    assert meant(prompt) == meant("replace piano for guitar")


@pytest.mark.parametrize(
    ("prompt", "kit"),
    [("replace the drums with brushes", "brushes"), ("drums changed to brushes", "brushes"),
     ("swap drums for an 808 kit", "808")],
)  # fmt: skip
def test_drums_that_change_their_kit_stay(prompt, kit):
    intent = read_intent(prompt)[0]
    assert (intent.kit, intent.avoid.names, is_addition(prompt, intent)) == (kit, (), True)


def test_what_is_swapped_in_is_added():
    intent = read_intent("swap in a guitar")[0]
    assert (intent.instruments, intent.avoid.names) == (("nylon_guitar",), ())
    assert is_addition("swap in a guitar", intent)
