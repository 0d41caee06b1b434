"""Metre and feel in the notes: lengths of bars, where the drums mark them, and what MIDI and the page are told."""

from collections import Counter
from itertools import pairwise

import pytest
from scores import clashes, clip, drums

from lullwave.engines.synth.engine import SynthEngine
from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.programme import Programme
from lullwave.engines.synth.prompts.explanation import understand
from lullwave.engines.synth.score import RATE
from lullwave.engines.synth.writing.metres import METRES
from lullwave.request import Request


def snare_beats(bars):
    """How often a full backbeat falls on which quarter note (in eighths) of a bar, fills and endings apart."""
    found = Counter()
    for bar in bars:
        for hit in bar.hits:
            if hit.drum in ("snare", "rim", "brush_tap") and hit.velocity > 0.35:
                found[round(2 * hit.start_s / bar.seconds * bar.quarters) / 2] += 1
    return [beat for beat, times in found.most_common() if times > 0.5 * max(found.values())]


@pytest.mark.parametrize(
    ("prompt", "metre", "backbeat"),
    [
        ("lofi beat, 90 bpm", "4/4", {1, 3}), ("waltz with drums, 90 bpm", "3/4", {1, 2}),
        ("drums in 6/8, 60 bpm", "6/8", {1.5}), ("half-time lofi beat, 90 bpm", "4/4", {2}),
        ("double time lofi beat, 90 bpm", "4/4", {0.5, 1.5, 2.5, 3.5}),
        ("Walzer mit Schlagzeug, 90 bpm", "3/4", {1, 2}),
    ],
)  # fmt: skip
def test_the_drums_mark_the_metre(prompt, metre, backbeat):
    for seed in (1, 2, 3):
        bars = clip(prompt, seed)[:-1]
        assert {b.metre for b in bars} == {metre}
        assert set(snare_beats(bars)) == backbeat
        beat_s = 60 / (60 if metre == "6/8" else 90)
        assert all(abs(b.seconds - METRES[metre].beats * beat_s) < 1e-4 for b in bars)
        assert clashes(bars) == []


@pytest.mark.parametrize("bpm", [40, 180])
@pytest.mark.parametrize("metre", ["4/4", "3/4", "6/8"])
def test_the_ends_of_the_range_of_tempos(bpm, metre):
    bars = clip(f"drums, piano, {metre}, {bpm} bpm", 2)
    assert sum(b.frames for b in bars) == 60 * RATE
    assert {round(b.tempo_bpm, 3) for b in bars} == {bpm}
    assert all(n.start_s + 0.03 >= 0 and n.start_s < b.seconds for b in bars for n in b.notes)
    assert sum(drums(bars).values()) > 10


def test_a_metre_comes_with_the_next_section_and_goes_again():
    programme = Programme(Request("lofi beat, 84 bpm", 3), SynthOptions())
    seen = []
    for wish in ("", "make it a waltz", "no waltz"):
        if wish:
            programme.steer(wish, 4.0)
        seen.append([programme.next_bar().metre for _ in range(12)])
    assert set(seen[0]) == {"4/4"}
    assert seen[1][-8:] == ["3/4"] * 8
    assert seen[2][-8:] == ["4/4"] * 8


def test_what_others_are_told():
    engine = SynthEngine()
    assert b"\xff\x58\x04\x03\x02\x18\x08" in engine.midi(Request("piano waltz", 1, 20.0))
    assert b"\xff\x58\x04\x06\x03\x24\x08" in engine.midi(Request("piano in 6/8", 1, 20.0))
    with engine.stream(Request("piano in 6/8 at 60 bpm", 1)) as stream:
        stream.read(10 * RATE)
        (piece,) = [m.data for m in stream.marks(0, stream.position) if m.kind == "piece"]
        assert (piece["metre"], piece["tempo_bpm"]) == ("6/8", 60)
        beats = stream.beats(0, stream.position)
        assert {round((b - a) / RATE, 3) for a, b in pairwise(beats)} == {1.0}
    assert "in 3/4" in understand("waltz").text
    assert "half-time" in understand("half time beat").text


def test_swing_by_word():
    def swing(words):
        programme = Programme(Request(f"lofi beat, {words}", 4), SynthOptions())
        programme.next_bar()
        return programme.spec.band.swing

    amounts = [swing(words) for words in ("straight", "light swing", "swing", "hard swing")]
    assert amounts == sorted(amounts)
    assert amounts[0] < 0.53
    assert amounts[-1] >= 0.65
