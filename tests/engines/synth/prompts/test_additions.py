"""Changes build on the music that plays; prompts that name a piece replace it."""

from __future__ import annotations

import pytest

from lullwave.engines.synth.prompts.additions import is_addition
from lullwave.engines.synth.prompts.parser import read_intent

CHANGES = (
    "a bit slower", "much slower", "bass louder", "drums off", "drums: none", "I want more rain", "let's add rain",
    "can you add a flute", "I'd like some more bass", "could you please make it a bit slower", "much more bass",
    "the piano is too loud", "too fast", "too sad", "not enough bass", "hardly any drums", "piano louder, drums off",
    "sans batterie", "etwas langsamer", "un peu plus lent", "un poco más lento", "un po' più lento", "trochę wolniej",
    "ajoute de la pluie", "füge Regen hinzu", "añade lluvia", "aggiungi pioggia", "adiciona chuva", "voeg regen toe",
    "dodaj deszcz", "добавь дождь", "أضف المطر", "雨を追加", "加雨声", "비 추가해줘",
    "slow", "slow down", "slow it down", "slower", "still slower", "still no drums", "no drums", "not so fast",
    "guitar instead of piano", "switch from piano to guitar", "trade the piano for a flute", "add jazz",
)  # fmt: skip
PIECES = (
    "slow piano", "slow jazz", "slow drums", "still night, rain and piano", "still water", "slower waltz on a harp",
    "langsamer Walzer auf der Harfe", "jazz piano", "I want jazz piano", "piano, no drums", "jazz, slower", "rain",
    "calm", "wake me up", "warm up", "I want to relax", "a little rain", "use a piano", "no drums, jazz",
    "a bit of jazz", "love songs", "Klavier, ohne Schlagzeug", "piano, add rain", "now playing jazz", "now some piano",
    "", " , ", "please", "sax, but not too loud", "sax softly",
)  # fmt: skip


@pytest.mark.parametrize("prompt", CHANGES)
def test_a_change_builds_on_what_plays(prompt):
    assert is_addition(prompt, read_intent(prompt)[0])


@pytest.mark.parametrize("prompt", PIECES)
def test_a_piece_replaces_what_plays(prompt):
    assert not is_addition(prompt, read_intent(prompt)[0])


@pytest.mark.parametrize("prompt", ["ajoute de la pluie", "füge Regen hinzu", "añade lluvia", "雨を追加", "加雨声"])
def test_what_is_added_is_understood_whole(prompt):
    intent, ignored = read_intent(prompt)
    assert (tuple(dict(intent.ambience)), ignored) == (("rain",), ())


@pytest.mark.parametrize(
    "prompt",
    [
        "Regen, keine Musik", "Regen ohne Musik", "pluie sans musique", "lluvia sin música", "pioggia senza musica",
        "chuva sem música", "onweer zonder muziek", "deszcz bez muzyki", "дождь без музыки", "مطر بدون موسيقى",
        "雨、音楽なし", "雨声，没有音乐", "비, 음악 없이", "Regen, keine Instrumente", "Regen ohne Instrumente",
        "pluie sans instruments", "lluvia, sin instrumentos", "pioggia senza strumenti", "chuva sem instrumentos",
        "onweer zonder instrumenten", "deszcz bez instrumentów", "дождь без инструментов", "مطر بدون آلات",
        "雨声，没有乐器", "雨、楽器なし", "비, 악기 없이",
    ],
)  # fmt: skip
def test_rain_alone_in_every_language(prompt):
    intent, ignored = read_intent(prompt)
    assert (tuple(dict(intent.ambience)), intent.avoid.names, ignored) == (("rain",), ("instruments",), ())


@pytest.mark.parametrize(
    "prompt", ["ruhige Musik", "musique calme", "música tranquila", "muzyka spokojna", "静かな音楽"]
)
def test_music_that_is_wanted_has_instruments(prompt):
    assert read_intent(prompt)[0] == read_intent("calm")[0]
