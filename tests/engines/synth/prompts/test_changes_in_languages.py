"""Too much, too little, removing and replacing in other languages mean what they mean in English."""

from __future__ import annotations

import pytest

from lullwave.engines.synth.prompts.additions import is_addition
from lullwave.engines.synth.prompts.parser import read_intent
from lullwave.engines.synth.prompts.tokens import tokens_of

SAME = {
    "less piano": (
        "zu viel Klavier", "das Klavier ist zu laut", "trop de piano", "le piano est trop fort", "demasiado piano",
        "el piano está demasiado fuerte", "troppo piano", "te veel piano", "za dużo pianina", "слишком много пианино",
        "ピアノ少なめ", "ピアノが大きすぎる", "太多钢琴", "钢琴太吵", "piano más bajo", "weinig piano",
        "البيانو أكثر من اللازم",
    ),
    "fewer drums": (
        "الطبول أكثر من اللازم",
        "trop de batterie", "demasiada batería", "bateria demais", "te veel drums", "鼓太多", "wenig Schlagzeug",
        "kaum Schlagzeug", "peu de batterie", "poca batería", "mało perkusji", "мало барабанов", "ドラム控えめ",
    ),
    "more bass": (
        "nicht genug Bass", "zu wenig Bass", "pas assez de basse", "no hay suficiente bajo", "niet genoeg bas",
        "za mało basu", "недостаточно баса", "贝斯不够", "ベースが足りない", "meer bas",
    ),
    "slower": ("zu schnell", "trop rapide", "demasiado rápido", "troppo veloce", "te snel", "za szybko",
        "слишком быстро", "太快", "速すぎる", "너무 빨라"),
    "faster": ("zu langsam", "trop lent", "demasiado lento", "te langzaam", "za wolno", "太慢", "遅すぎる"),
    "quieter": ("zu laut", "trop fort", "te hard", "za głośno", "太吵"),
    "not sad": ("zu traurig", "trop triste", "demasiado triste", "te droevig", "za smutne", "太悲伤"),
    "more drums": ("meer drums",),
    "more piano": ("meer piano", "もっとピアノ", "ピアノをもっと"),
    "more violin": ("meer viool",),
    "more rain": ("meer regen",),
    "more guitar": ("ギターをもっと", "ギターもっと"),
    "more bass, less piano": ("más bajo y menos piano", "meer bas en minder piano"),
    "no drums": (
        "ドラムは要らない", "ドラムはいりません", "ドラムを消して", "去掉鼓", "把鼓去掉", "드럼 빼줘",
        "enlève la batterie", "quita la batería", "togli la batteria", "tira a bateria", "verwijder de drums",
        "usuń perkusję", "убери барабаны", "lass das Schlagzeug weg", "entferne das Schlagzeug",
    ),
    "no piano": ("quita el piano", "togli il pianoforte", "lass das Klavier weg", "enlève le piano"),
    "guitar instead of piano": (
        "ersetze das Klavier durch eine Gitarre", "tausche Klavier gegen Gitarre", "remplace le piano par une guitare",
        "cambia el piano por una guitarra", "sostituisci il piano con la chitarra", "troca o piano pelo violão",
        "vervang de piano door een gitaar", "zamień pianino na gitarę",
        "замени пианино на гитару", "把钢琴换成吉他",
        "ピアノをギターに変えて", "ピアノをギターに替えて",
        "ピアノをギターに置き換えて",
        "피아노를 기타로 바꿔줘", "피아노를 기타로 바꿔 주세요", "피아노를 기타로 교체해줘",
    ),
    "rain": ("beaucoup de pluie", "mucha lluvia", "veel regen", "dużo deszczu", "tanta pioggia", "viel Regen",
        "много дождя"),
    "ocean": ("Meer", "Meer, Wellen", "Wellen am Meer"),
    "harp, ocean": ("Harfe und Meer", "Harfe, Meer"),
    "piano": ("Klavier auf dem Weg",),
    "not too loud": ("nicht zu laut", "niet te hard", "pas trop fort"),
    "only piano": ("apenas piano",),
}  # fmt: skip
CASES = [(said, plain) for plain, ways in SAME.items() for said in ways]
CHANGES = [said for said, plain in CASES if plain.startswith(("no ", "less", "more", "fewer", "guitar instead"))]


def heard(prompt):
    """What of an intent is heard: an instrument named twice is one."""
    intent, ignored = read_intent(prompt)
    signs = {name: (value > 0) - (value < 0) for name, value in intent.moods.items()}
    places = {place: round(weight, 6) for place, weight in intent.ambience}
    return (
        set(intent.instruments), set(intent.parts), intent.drums, set(intent.avoid.names), signs, places,
        dict(intent.levels_db), ignored,
    )  # fmt: skip


@pytest.mark.parametrize(("said", "plain"), CASES, ids=lambda text: text)
def test_it_means_what_plain_english_means(said, plain):
    assert heard(said) == heard(plain)


@pytest.mark.parametrize("prompt", CHANGES)
def test_a_change_builds_on_what_plays(prompt):
    assert is_addition(prompt, read_intent(prompt)[0])


def test_a_dutch_word_counts_before_a_thing_that_is_not_german():
    assert tokens_of("meer drums") == ["more", "drums"]
    assert tokens_of("Meer Klavier") == ["ocean", "piano"]
    assert tokens_of("meer") == ["ocean"]
