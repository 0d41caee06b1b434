"""Reads bars as a listener would: who plays, what is struck, how fast, in which key, and what clashes.

Written apart from the composer on purpose: it knows only ``score.Bar``.
"""

from __future__ import annotations

from collections import Counter

from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.programme import Programme
from lullwave.engines.synth.score import RATE, Bar
from lullwave.request import Request

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
NAMES = {
    "C": 0,
    "C#": 1,
    "Db": 1,
    "D": 2,
    "Eb": 3,
    "E": 4,
    "F": 5,
    "F#": 6,
    "G": 7,
    "G#": 8,
    "Ab": 8,
    "A": 9,
    "Bb": 10,
    "B": 11,
}
KICKS, BACKBEATS = {"kick"}, {"snare", "rim", "clap", "brush_tap"}


def clip(prompt: str, seed: int = 1, seconds: float = 60.0, **options) -> list[Bar]:
    """All bars of a finite request."""
    programme = Programme(Request(prompt, seed, seconds), SynthOptions(**options))
    bars = []
    while (bar := programme.next_bar()) is not None:
        bars.append(bar)
    return bars


def sung(bars: list[Bar]) -> list[tuple[str, float, float, int]]:
    """(part, start, end, pitch) of every note, in seconds of the stream, by start."""
    notes = [
        (n.part, b.start_frame / RATE + n.start_s, b.start_frame / RATE + n.start_s + n.length_s, n.pitch)
        for b in bars
        for n in b.notes
    ]
    return sorted(notes, key=lambda n: n[1])


def clashes(bars: list[Bar]) -> list[tuple]:
    """Pairs a minor second or ninth apart for a quarter of a second, in different parts or below E3."""
    notes, found = sung(bars), []
    for i, a in enumerate(notes):
        for b in notes[i + 1 :]:
            if b[1] >= a[2]:
                break
            if (
                abs(a[3] - b[3]) in (1, 13)
                and min(a[2], b[2]) - b[1] >= 0.25
                and (a[0] != b[0] or min(a[3], b[3]) < 52)
            ):
                found.append((a, b))
    return found


def instruments(bars: list[Bar]) -> Counter[str]:
    """How many notes each instrument plays."""
    return Counter(b.mix.tracks[n.part].instrument for b in bars for n in b.notes)


def drums(bars: list[Bar]) -> Counter[str]:
    return Counter(h.drum for b in bars for h in b.hits)


def tempo(bars: list[Bar]) -> float:
    """Beats a minute of the bars that are played (the last one rings)."""
    played = [b for b in bars[:-1] if b.notes] or bars
    return 60.0 * sum(b.beats for b in played) / (sum(b.frames for b in played) / RATE)


def key_fit(bars: list[Bar], name: str) -> float:
    """Share of the sounding time that lies in a key."""
    tonic, mode = name.split(" ")
    scale = {(NAMES[tonic] + s) % 12 for s in SCALES[mode]}
    inside = total = 0.0
    for _, start, end, pitch in sung(bars):
        total += end - start
        inside += (end - start) * (pitch % 12 in scale)
    return inside / total


def final_root(bars: list[Bar]) -> int:
    """The pitch class of the lowest note of the last bar with notes."""
    last = [b for b in bars if b.notes][-1]
    return min(n.pitch for n in last.notes) % 12


def last_chord_has(bars: list[Bar], name: str) -> bool:
    """Whether the music ends on the tonic chord of a key."""
    tonic, mode = name.split(" ")
    last = [c for b in bars for c in b.chords][-1]
    third = 3 if mode == "minor" else 4
    return last.root == NAMES[tonic] and {(last.root + third) % 12} <= set(last.pitch_classes)


def layers(bars: list[Bar]) -> set[str]:
    return {name for b in bars for name, level in b.mix.ambience_lufs.items() if level > -60}
