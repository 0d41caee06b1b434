"""Forty prompts with explicit wishes, and whether the notes obey them."""

from collections.abc import Callable

import pytest
from scores import BACKBEATS, KICKS, clip, drums, instruments, key_fit, last_chord_has, layers, tempo

from lullwave.engines.synth.score import Bar

Bars = list[Bar]
Wish = Callable[[Bars], bool]


def at(bpm: float) -> Wish:
    return lambda bars: abs(tempo(bars) / bpm - 1) < 0.002


def key(name: str) -> Wish:
    return lambda bars: key_fit(bars, name) > 0.92 and last_chord_has(bars, name)


def mode(minor: bool) -> Wish:
    def wish(bars: Bars) -> bool:
        last = [c for b in bars for c in b.chords][-1]
        return ((last.root + 3) % 12 in last.pitch_classes) == minor

    return wish


def plays(*names: str) -> Wish:
    return lambda bars: all(instruments(bars)[name] >= 6 for name in names)


def only(*names: str) -> Wish:
    return lambda bars: set(instruments(bars)) == set(names) and not drums(bars)


def silent(*names: str) -> Wish:
    return lambda bars: not any(instruments(bars)[name] for name in names)


def no_part(part: str) -> Wish:
    return lambda bars: not any(n.part == part for b in bars for n in b.notes)


def no_drums(bars: Bars) -> bool:
    return not drums(bars)


def drummed(bars: Bars) -> bool:
    struck = drums(bars)
    return sum(struck[d] for d in KICKS) >= 8 and sum(struck[d] for d in BACKBEATS) >= 8


def kit(name: str) -> Wish:
    return lambda bars: drummed(bars) and {b.mix.kit for b in bars} == {name}


def hears(*names: str) -> Wish:
    return lambda bars: layers(bars) == set(names)


def no_crackle(bars: Bars) -> bool:
    return all(b.mix.crackle_db <= -100 and b.mix.hiss_db <= -100 for b in bars)


def darker(bars: Bars) -> bool:
    def keys_cutoff(some: Bars) -> float:
        return max(t.cutoff_hz for b in some for name, t in b.mix.tracks.items() if name == "keys")

    return keys_cutoff(bars) < keys_cutoff(clip("bright morning rhodes"))


PROMPTS: list[tuple[str, list[Wish]]] = [
    ("72 bpm", [at(72)]),
    ("lofi at 84 bpm in F# minor", [at(84), key("F# minor")]),
    ("chill beats, tempo 66, key of Bb major", [at(66), key("Bb major")]),
    ("c major study music", [key("C major")]),
    ("something sad in Eb minor", [key("Eb minor")]),
    ("synthwave in A minor at 100 beats per minute", [at(100), key("A minor")]),
    ("jazz in D, 78bpm", [at(78), key("D major")]),
    ("C-sharp minor nocturne", [key("C# minor"), plays("felt_piano")]),
    ("a happy tune in a major key", [mode(False)]),
    ("minor key melancholy", [mode(True)]),
    ("no drums, soft piano", [no_drums, plays("felt_piano")]),
    ("just piano and rain", [only("felt_piano"), hears("rain")]),
    ("solo guitar", [only("nylon_guitar")]),
    ("piano only", [only("felt_piano")]),
    ("flute and rhodes, drumless", [plays("flute", "rhodes"), no_drums]),
    ("beatless ambient with pads", [no_drums, plays("pad")]),
    ("vibraphone lead over upright bass", [plays("vibraphone", "upright_bass")]),
    ("lo-fi without bass", [no_part("bass")]),
    ("rhodes and muted trumpet, brushes", [plays("rhodes", "muted_trumpet"), kit("brushes")]),
    ("hip hop beat, no melody", [drummed, no_part("lead"), no_part("answer")]),
    ("lofi without piano or guitar", [silent("felt_piano", "nylon_guitar")]),
    ("music box lullaby, no percussion", [plays("music_box"), no_drums]),
    ("rainy café jazz", [hears("rain", "cafe"), kit("brushes")]),
    ("by the fireplace on a snowy night", [hears("fire")]),
    ("ocean waves and nylon guitar", [hears("waves"), plays("nylon_guitar")]),
    ("night train, wurlitzer", [hears("train"), plays("wurli")]),
    ("study beats, no rain, no crackle", [hears(), no_crackle]),
    ("clean recording without vinyl noise, 90 bpm", [no_crackle, at(90)]),
    ("synth lead and synth bass with a drum machine", [plays("synth_lead", "synth_bass"), drummed]),
    ("ambient with drums", [drummed]),
    ("piano, -drums", [plays("felt_piano"), no_drums]),
    ("warm pads, -(guitar:1.4), -rain", [plays("pad"), silent("nylon_guitar"), hears()]),
    ("dark late night rhodes", [plays("rhodes"), darker]),
    ("electric piano, marimba and double bass", [plays("rhodes", "marimba", "upright_bass")]),
    ("jazz :2 | synthwave :1, 88 bpm in G minor", [at(88), key("G minor")]),
    ("slow waltz of raindrops at 60 bpm, don't use drums", [at(60), no_drums, hears("rain")]),
    ("upbeat city pop at 96 bpm with drums", [at(96), drummed]),
    ("bossa nova with flute and guitar in E major", [plays("flute", "nylon_guitar"), key("E major")]),
    ("campfire guitar, crickets, no beat", [plays("nylon_guitar"), hears("fire", "night"), no_drums]),
    ("lofi beat without snare, 80 bpm", [at(80), lambda bars: not drums(bars)["snare"] and drums(bars)["kick"] >= 8]),
]


def test_there_are_forty():
    assert len({p for p, _ in PROMPTS}) == 40


@pytest.mark.parametrize(("prompt", "wishes"), PROMPTS, ids=[p for p, _ in PROMPTS])
def test_wishes_are_obeyed(prompt: str, wishes: list[Wish]):
    for seed in (1, 2, 3):
        bars = clip(prompt, seed)
        assert [i for i, wish in enumerate(wishes) if not wish(bars)] == []
