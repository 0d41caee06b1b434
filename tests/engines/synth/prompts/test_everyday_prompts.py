"""Prompts as people write them, in many languages and notations, mean what a plain English prompt means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lullwave.engines.synth.prompts.additions import is_addition
from lullwave.engines.synth.prompts.explanation import understand
from lullwave.engines.synth.prompts.parser import read_intent

SAME = {
    "neither … nor": {
        "no drums, no bass": (
            "neither drums nor bass", "weder Schlagzeug noch Bass", "ni batterie ni basse", "ni batería ni bajo",
            "senza batteria né basso", "sem bateria nem baixo", "geen drums noch basgitaar", "ни барабанов, ни баса",
        ),
    },
    "one instead of another": {
        "guitar, no piano": (
            "kein Klavier, sondern Gitarre", "statt Klavier Gitarre", "guitare au lieu du piano",
            "guitarra, nada de piano",
            "guitarra en vez de piano", "chitarra invece del piano", "guitarra em vez de piano",
            "gitaar in plaats van piano",
            "zamiast pianina gitara", "гитара вместо пианино", "ピアノの代わりにギター", "吉他而不是钢琴",
            "피아노 대신 기타",
        ),
    },
    "other forms of words": {
        "calm piano": ("Ruhiges Klavier", "ruhige Klaviermusik", "spokojna muzyka na pianinie", "спокойный рояль"),
        "calm violin": ("rustige vioolmuziek", "violines suaves", "violini calmi", "des violons calmes"),
        "harp, ocean": ("Harfe und Meeresrauschen", "harp met zeegeluiden"),
        "rain": ("Regengeräusche", "🌧️", "☔", "с дождём", "deszczem"),
    },
    "keys": {
        "piano in B minor": ("Klavier in h-Moll", "piano en si mineur", "pianoforte in si minore",
            "пианино, си минор"),
        "piano in Bb major": ("Klavier in B-Dur", "piano, si bémol majeur", "piano en si bemol mayor",
            "変ロ長調のピアノ"),
        "piano in F# minor": ("Klavier, fis-Moll", "piano in fis mineur", "piano, fa# menor", "升F小调钢琴"),
        "D minor": ("ré mineur", "re menor", "d-moll", "ре минор", "ニ短調", "D小调", "라단조", "Dマイナー"),
    },
    "metres and tempos": {
        "piano in 3/4": (
            "Klavier im Dreivierteltakt", "piano à trois temps", "piano, tres por cuatro", "pianoforte in tre quarti",
            "三拍子のピアノ", "4分の3拍子のピアノ", "三拍子钢琴", "4분의 3박자 피아노", "a piano in 3", "piano in 9/8",
        ),
        "rain in 6/8": ("rain in 6", "6/8 & rain", "Regen, Sechsachteltakt", "seis por ocho, lluvia"),
        "flute, 72.5 bpm": ("Flöte, 72,5 Schläge pro Minute", "flûte, 72,5 battements par minute", "flute 72,5 bpm"),
        "80 bpm": ("80 pulsaciones por minuto", "80 ударов в минуту", "毎分80拍", "每分钟80拍", "분당 80박"),
    },
    "loudness": {
        "not loud": ("not too loud", "nicht zu laut", "pas trop fort"),
        "calm": ("quieter", "leiser", "turn it down"),
        "loud": ("turn it up", "laut"),
        "sax softly": ("sax, but not too loud", "sax but softer", "sax, aber nicht zu laut",
            "sax, mais pas trop fort"),
        "less sax": ("sax quieter", "turn the sax down"),
    },
    "refusals": {
        "no drums": ("no more drums", "drums? no.", "drums, no", "my cat hates drums", "🚫🥁", "drums: off",
            "нет барабанов"),
        "rain": ("rain, no thunder",),
        "no crackle": ("ohne Knistern", "sans craquements"),
    },
    "labels": {
        "jazz, sad, piano, double bass": ("genre: jazz; mood: sad; instruments: piano, double bass",),
        "in D minor": ("Key: D minor", "the key is D minor"),
        "piano, drums": ("[intro] piano [drop] drums", "[Verse 1] piano, [chorus] drums"),
        "only rain": ("solo rain", "solo lluvia", "nur Regen", "seulement la pluie"),
    },
}  # fmt: skip
CASES = [(said, plain) for kind in SAME.values() for plain, ways in kind.items() for said in ways]


@pytest.mark.parametrize(("said", "plain"), CASES, ids=lambda text: text)
def test_it_means_what_plain_english_means(said, plain):
    assert replace(read_intent(said)[0], notes=()) == replace(read_intent(plain)[0], notes=())


@pytest.mark.parametrize(
    ("asked", "plays"),
    [
        ("hurdy gurdy", "violin"), ("didgeridoo", "brass"), ("female vocals", "humming choir"), ("Gesang",
            "humming choir"),
        ("trap", "hip-hop"), ("reggae", "soul"), ("dubstep", "electronic"), ("tango", "folk"), ("cavaquinho",
            "guitar"),
    ],
)  # fmt: skip
def test_the_nearest_is_played_and_told(asked, plays):
    told = understand(asked)
    assert told.recognised
    assert f" here: {plays} instead" in told.text


def test_what_is_to_be_soft_plays_softly():
    intent = read_intent("sax, but not too loud")[0]
    assert (intent.instruments, dict(intent.levels_db), intent.moods) == (("saxophone",), {"saxophone": -4.0}, {})


def test_amounts_of_rain_are_told():
    assert "a little rain" in understand("weniger Regen").text
    assert "much rain" in understand("noch mehr Regen").text
    assert "with rain" in understand("rain").text


@pytest.mark.parametrize(
    "prompt", ["batteries not included", "Mary had a little lamb", "chores", "the quick brown fox", "a durable sound"]
)
def test_english_is_not_taken_for_another_language(prompt):
    assert not understand(prompt).recognised


def test_a_misspelled_word_of_another_language_gets_a_suggestion():
    assert understand("Klaveir").suggestions == {"klaveir": ("klavier",)}
    assert understand("more").suggestions == {}
    assert understand("changed").suggestions == {}  # "échanger" is grammar


@pytest.mark.parametrize("prompt", ["leiser", "quieter", "turn it up", "weniger Regen", "plus lent", "ohne Schlagzeug"])
def test_a_change_keeps_what_was_asked_for_before(prompt):
    assert is_addition(prompt, read_intent(prompt)[0])
