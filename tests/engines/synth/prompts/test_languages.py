"""Prompts in other languages mean what their translations mean."""

import tomllib
from importlib.resources import files

import pytest

from lullwave.engines.synth import prompts
from lullwave.engines.synth.prompts.explanation import understand
from lullwave.engines.synth.prompts.parser import read_intent
from lullwave.engines.synth.prompts.phrases import phrase_at
from lullwave.engines.synth.prompts.rephrasing import OBJECT, SWAPPED
from lullwave.engines.synth.prompts.tokens import AND, OR, tokens_of
from lullwave.engines.synth.prompts.vocabulary import (
    FILLER,
    LESS,
    MORE,
    NEGATED_AFTER,
    NEGATIONS,
    STOPS,
    STRENGTHS,
)

WITHOUT_DRUMS = "piano, rain, no drums"
TRANSLATIONS = {
    "German": ("Klavier, Regen, ohne Schlagzeug", "langsamer", "mehr Bass, weniger Gitarre"),
    "French": ("piano et pluie, pas de batterie", "plus lent", "plus de basse, moins de guitare"),
    "Spanish": ("piano y lluvia, sin batería", "más lento", "más bajo... menos guitarra"),
    "Italian": ("pioggia e piano, senza batteria", "più lento", "più basso, meno chitarra"),
    "Portuguese": ("piano com chuva, sem bateria", "mais lento", "mais baixo... menos violão"),
    "Dutch": ("piano met regen, zonder drums", "langzamer", "meer bas, minder gitaar"),
    "Polish": ("pianino i deszcz, bez perkusji", "wolniej", "więcej basu, mniej gitary"),
    "Russian": ("Пианино, дождь, без барабанов", "медленнее", "больше баса, меньше гитары"),
    "Arabic": ("بيانو مع المطر بدون طبول", "أبطأ", "المزيد من الباس, أقل جيتار"),
    "Japanese": ("雨のピアノ、ドラムなし", "もっとゆっくり", "もっとベース"),
    "Chinese": ("下雨，钢琴，没有鼓", "慢一点", "更多贝斯，更少吉他"),
    "Korean": ("비와 피아노, 드럼 없이", "느리게", "더 베이스, 덜 기타"),
}


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_instruments_weather_and_refusals(language):
    intent, ignored = read_intent(TRANSLATIONS[language][0])
    assert ignored == ()
    assert (intent.instruments, intent.avoid.names, dict(intent.ambience)) == (
        ("felt_piano",),
        ("drums",),
        {"rain": 1.0},
    )


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_tempo_words(language):
    assert read_intent(TRANSLATIONS[language][1])[0].moods == read_intent("slower")[0].moods


@pytest.mark.parametrize("language", sorted(set(TRANSLATIONS) - {"Spanish", "Portuguese", "Dutch"}))
def test_more_and_less(language):
    levels = dict(read_intent(TRANSLATIONS[language][2])[0].levels_db)
    assert levels["bass"] == 3.0
    assert levels.get("nylon_guitar", -4.0) == -4.0


def test_every_word_of_every_language_is_understood():
    tables = tomllib.loads(files(prompts).joinpath("languages.toml").read_text(encoding="utf-8"))
    assert len(tables) == 13  # twelve languages and the signs
    grammar = {*FILLER, *NEGATIONS, *STOPS, *MORE, *LESS, *STRENGTHS, *NEGATED_AFTER, *AND, *OR}
    for language, entries in tables.items():
        for english in (*entries, *entries.get("shared", {}), *entries.get("before", {})):
            words = english.split()
            known = english in ("", "shared", "before", OBJECT, SWAPPED) or phrase_at(words, 0)[1] == len(words)
            known = known or all(word in grammar or phrase_at([word], 0)[0] for word in words)
            assert known or english in ("louder", "quieter"), (language, english)


def test_a_word_of_two_languages_takes_the_meaning_of_its_neighbours():
    assert tokens_of("chitarra e pioggia") == ["guitar", "and", "rain"]
    assert tokens_of("e piano") == ["e", "piano"]
    assert tokens_of("a living sin") == ["a", "living", "sin"]
    assert tokens_of("guitarra sin lluvia") == ["guitar", "without", "rain"]
    assert tokens_of("mais chuva") == ["more", "rain"]
    assert tokens_of("pluie mais sans orage") == ["rain", "but", "sans", "storm"]


def test_english_words_stay_english():
    for words in ("calm rain and a night train", "still no drums", "fast bass, solo piano, nothing else"):
        assert tokens_of(words) == words.replace(",", " ,").split()


def test_scripts_without_blanks_are_cut_into_words():
    assert tokens_of("80bpmのピアノ") == ["80bpm", "piano"]
    assert read_intent("80bpmのピアノ")[0].tempo_bpm == 80
    assert tokens_of("静かな雨の夜") == ["calm", "rain", "night"]
    assert understand("カバのピアノ").ignored == ("カバ",)


def test_accents_and_case_do_not_matter():
    assert tokens_of("BATERIA") == tokens_of("batería") == tokens_of("Bateri\u0301a") == ["drums"]


@pytest.mark.parametrize(
    ("prompt", "instruments"),
    [
        ("Klarinette und E-Gitarre", {"clarinet", "electric_guitar"}),
        ("clarinette, guitare électrique", {"clarinet", "electric_guitar"}),
        ("clavecín y guitarra eléctrica", {"harpsichord", "electric_guitar"}),
        ("clavicembalo e chitarra elettrica", {"harpsichord", "electric_guitar"}),
        ("violoncelo com chuva, cravo", {"cello", "harpsichord"}),
        ("klavecimbel en klarinet", {"harpsichord", "clarinet"}),
        ("wiolonczela i klawesyn", {"cello", "harpsichord"}),
        ("ситар и калимба", {"sitar", "kalimba"}),
        ("سيتار و تشيلو", {"sitar", "cello"}),
        ("シタールとチェンバロ", {"sitar", "harpsichord"}),
        ("西塔琴和手风琴", {"sitar", "accordion"}),
        ("하프시코드와 칼림바", {"harpsichord", "kalimba"}),
        ("二胡", {"violin"}),
    ],
)
def test_the_less_common_instruments(prompt, instruments):
    intent, ignored = read_intent(prompt)
    assert (set(intent.instruments), ignored) == (instruments, ())
