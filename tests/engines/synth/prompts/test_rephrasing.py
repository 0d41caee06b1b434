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
        ("no instruments except piano", "no instruments but piano"),
        ("no instruments, except piano", "no instruments but piano"),
        ("no other instruments than guitar", "no instruments but guitar"),
        ("no music except for rain", "no music but rain"),
        ("no music at all except rain", "no music but rain"),
        ("no sounds apart from waves", "no sounds but waves"),
        ("piano, no other instruments", "piano, nothing else"),
        ("jazz piano and no other instruments", "jazz piano and nothing else"),
        ("cello without any other instruments, please", "cello, nothing else"),
        ("no music but no rain either", "no music, no rain"),
    ],
)
def test_what_is_excepted_plays(said, plain):
    assert read_intent(said)[0] == read_intent(plain)[0]


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("jazz with rain, no other instruments", "jazz with rain"),
        ("lofi with piano and rain, no other sound effects", "lofi with piano and rain"),
        ("piano, no other music styles", "piano"),
    ],
)
def test_others_are_only_instruments_beside_one_that_is_named(said, plain):
    said, plain = read_intent(said)[0], read_intent(plain)[0]
    assert (said.only, said.instruments, said.styles) == (False, plain.instruments, plain.styles)


@pytest.mark.parametrize(
    "prompt",
    ["piano replaced by a guitar", "the piano replaced with guitar", "piano changed to guitar",
     "swap in a guitar for the piano", "swap piano for guitar"],
)  # fmt: skip
def test_what_is_replaced_by_another_goes(prompt):
    assert meant(prompt) == meant("replace piano for guitar")


@pytest.mark.parametrize(
    ("prompt", "kit"),
    [
        ("replace the drums with brushes", "brushes"),
        ("replace the drums with soft brushes", "brushes"),
        ("drums changed to brushes", "brushes"),
        ("swap drums for an 808 kit", "808"),
        ("replace drums with softer drums", ""),
        ("replace the drums with hand drums", "hand"),
    ],
)
def test_drums_that_change_their_kit_stay(prompt, kit):
    intent = read_intent(prompt)[0]
    assert (intent.kit, intent.avoid.names, is_addition(prompt, intent)) == (kit, (), True)


@pytest.mark.parametrize("prompt", ["replace the drums with piano", "swap the drums for rain"])
def test_drums_that_are_replaced_go(prompt):
    assert read_intent(prompt)[0].avoid.names == ("drums",)


def test_what_is_swapped_in_is_added():
    intent = read_intent("swap in a guitar")[0]
    assert (intent.instruments, intent.avoid.names) == (("nylon_guitar",), ())
    assert is_addition("swap in a guitar", intent)


@pytest.mark.parametrize(
    "prompt",
    ["재즈 피아노로 바꿔줘", "비 재즈로 바꿔줘", "ジャズピアノに変えて", "静かなジャズピアノに変えて",
     "雨のピアノに変えて", "把音乐换成爵士", "静かなピアノ曲に変えて"],
)  # fmt: skip
def test_what_the_music_is_to_become_refuses_nothing(prompt):
    """Without a particle between the two, a style and an instrument are one wish."""
    intent = read_intent(prompt)[0]
    assert (intent.avoid.names, intent.avoid.styles) == ((), ())
    assert intent.instruments or intent.styles
