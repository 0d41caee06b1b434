"""Forty more prompts: metres, languages, homonyms, negations and replacements, answered by notes, levels or words."""

import pytest
from scores import clip
from test_intent_obeyed import (
    Bars,
    Wish,
    at,
    darker,
    drummed,
    hears,
    key,
    kit,
    mode,
    no_crackle,
    no_drums,
    no_part,
    only,
    plays,
    silent,
)

from lullwave.engines.synth.prompts.explanation import understand


def metre(name: str) -> Wish:
    return lambda bars: {b.metre for b in bars[:-1]} == {name}


def backbeat(*quarters: float) -> Wish:
    """Most snares fall on these quarter notes of the bar."""

    def wish(bars: Bars) -> bool:
        full = [
            2 * h.start_s / b.seconds * b.quarters
            for b in bars
            for h in b.hits
            if h.drum in ("snare", "rim", "brush_tap") and h.velocity > 0.35
        ]
        return sum(round(place) in {2 * q for q in quarters} for place in full) > 0.75 * len(full) > 6

    return wish


def level(part: str, change_db: float, usual: str) -> Wish:
    """A part is this much louder than in another prompt of the same seed and players."""

    def loudest(bars: Bars) -> float:
        return max(t.level_db for b in bars for name, t in b.mix.tracks.items() if name == part)

    return lambda bars: abs(loudest(bars) - loudest(clip(usual, 1)) - change_db) < 2.1


PROMPTS: list[tuple[str, list[Wish], str]] = [
    # metre, feel, tempo
    ("piano waltz, 84 bpm", [metre("3/4"), at(84), plays("felt_piano")], "in 3/4"),
    ("lofi beat in 3/4", [metre("3/4"), drummed], "in 3/4"),
    ("6/8 guitar lullaby at 50 bpm, no drums", [metre("6/8"), at(50), no_drums, plays("nylon_guitar")], "in 6/8"),
    ("half-time hip hop beat, 88 bpm", [at(88), backbeat(2)], "half-time"),
    ("double time lofi beat, 72 bpm", [at(72), backbeat(0.5, 1.5, 2.5, 3.5)], "double-time"),
    ("40 bpm ambient pads", [at(40), plays("pad")], "40 bpm"),
    ("synthwave at 180 bpm with drums", [at(180), drummed], "180 bpm"),
    ("7/8 piano", [metre("4/4"), plays("felt_piano")], "7/8 is played as 4/4"),
    # languages
    ("Klavier und Regen, ohne Schlagzeug", [plays("felt_piano"), hears("rain"), no_drums], "without drums"),
    ("Walzer in F-Dur, Gitarre", [metre("3/4"), key("F major"), plays("nylon_guitar")], "in F major"),
    ("guitare au coin du feu, pas de basse", [plays("nylon_guitar"), hears("fire"), no_part("bass")], "without bass"),
    ("nuit sombre, piano électrique? non, piano et pluie", [plays("felt_piano"), hears("rain")], "with rain"),
    ("guitarra tranquila en la playa, sin batería", [plays("nylon_guitar"), hears("waves"), no_drums], "with waves"),
    ("pianoforte e pioggia, senza batteria", [plays("felt_piano"), hears("rain"), no_drums], "with rain"),
    ("violão e chuva, sem bateria", [plays("nylon_guitar"), hears("rain"), no_drums], "with rain"),
    ("gitaar bij het kampvuur, zonder drums", [plays("nylon_guitar"), hears("fire"), no_drums], "with a fire"),
    ("спокойное пианино и дождь, без барабанов", [plays("felt_piano"), hears("rain"), no_drums], "with rain"),
    ("雨の夜のピアノ、ドラムなし", [plays("felt_piano"), hears("rain"), no_drums], "with rain"),
    ("咖啡馆，吉他，没有鼓", [plays("nylon_guitar"), hears("cafe"), no_drums], "with a café"),
    ("비 오는 밤 기타, 드럼 없이", [plays("nylon_guitar"), hears("rain"), no_drums], "with rain"),
    ("بيانو هادئ مع المطر بدون طبول", [plays("felt_piano"), hears("rain"), no_drums], "with rain"),
    ("gitara i deszcz, bez perkusji", [plays("nylon_guitar"), hears("rain"), no_drums], "with rain"),
    # homonyms
    ("square waves over upright bass", [plays("synth_lead", "upright_bass"), hears()], "synth lead"),
    ("16 bars of rhodes", [plays("rhodes"), hears()], "16 bars has no effect"),
    ("rhodes with vibes", [plays("rhodes", "vibraphone")], "vibraphone"),
    ("dark piano in a major city", [plays("felt_piano"), hears()], "dark"),
    ("something in a minor key, flute", [mode(True), plays("flute")], "in minor"),
    ("train of thought, piano, no drums", [plays("felt_piano"), hears(), no_drums], "without drums"),
    ("drop the beat, rhodes", [drummed, plays("rhodes")], "drums"),
    ("no rush, guitar and light rain", [plays("nylon_guitar"), hears("rain")], "with rain"),
    # negations and amounts
    ("lofi, anything but drums", [no_drums], "without drums"),
    ("guitar, no waltz, no rain, no crackle", [metre("4/4"), hears(), no_crackle], "without crackle"),
    ("drums: none, bass: none, piano", [no_drums, no_part("bass"), plays("felt_piano")], "without drums"),
    ("piano instead of guitar", [plays("felt_piano"), silent("nylon_guitar")], "without guitar"),
    ("rhodes, lofi with upright bass, more bass", [level("bass", 3.0, "rhodes, lofi with upright bass")], "more bass"),
    ("jazz but no brushes", [drummed, lambda bars: "brushes" not in {b.mix.kit for b in bars}], "without brushes"),
    # replacements
    (
        "banjo by the campfire, crickets",
        [plays("steel_guitar"), hears("fire", "night")],
        "no banjo here: steel-string guitar instead",
    ),
    ("oboe over rhodes", [plays("flute", "rhodes")], "no oboe here: flute instead"),
    (
        "late night rhodes, vocals, electronic drums",
        [plays("rhodes", "humming_choir"), kit("electronic"), darker],
        "no vocal here: humming choir instead",
    ),
    ("just ukulele", [only("nylon_guitar")], "no ukulele here: guitar instead"),
]


def test_there_are_forty():
    assert len({prompt for prompt, _, _ in PROMPTS}) == 40


@pytest.mark.parametrize(("prompt", "wishes", "words"), PROMPTS, ids=[prompt for prompt, _, _ in PROMPTS])
def test_wishes_are_obeyed_and_told(prompt: str, wishes: list[Wish], words: str):
    assert words in understand(prompt).text
    for seed in (1, 2, 3):
        bars = clip(prompt, seed)
        assert [i for i, wish in enumerate(wishes) if not wish(bars)] == []
