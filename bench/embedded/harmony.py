"""Measures harmony and form of a piece from its notes.

A note is in key when its pitch class belongs to the scale of the stated key, whatever chord it was written for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
}
_NAMES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
LOW_E3 = 52


@dataclass(frozen=True)
class Harmony:
    """The measures of a clip."""

    in_key: float  # share of the sounding time of all notes
    borrowed_bars: float  # share of bars that hold a non-diatonic chord
    clashes: int
    chords: int  # number of different chords
    seconds_a_chord: float
    drums: bool
    progression: tuple[str, ...]
    form: tuple[str, ...]

    def bars(self) -> dict[str, bool]:
        """The pass marks of the music report that concern the notes."""
        return {
            "in key": self.in_key >= 0.92,
            "borrowed chords": self.borrowed_bars <= 0.25,
            "clash": self.clashes == 0,
            "different chords": 3 <= self.chords <= 10,
            "chord change": 1.2 <= self.seconds_a_chord <= 5.0,
        }


def scale(key: str) -> frozenset[int]:
    """Pitch classes of a key such as "F# minor"."""
    name, mode = key.split(" ", 1)
    tonic = _NAMES[name[0]] + name.count("#") - name[1:].count("b")
    return frozenset((tonic + step) % 12 for step in _SCALES[mode])


def clashes(notes: list[tuple[float, float, int, str]]) -> list[tuple[Any, Any]]:
    """Pairs of ``(start_s, stop_s, pitch, part)`` that clash.

    A clash is a minor 2nd or minor 9th that sounds for at least 0.25 s, in different parts or below E3.
    """
    ordered = sorted(notes)
    found = []
    for i, one in enumerate(ordered):
        for other in ordered[i + 1 :]:
            if other[0] >= one[1]:
                break
            together = min(one[1], other[1]) - other[0]
            if together < 0.25 or abs(one[2] - other[2]) not in (1, 13):
                continue
            if one[3] != other[3] or min(one[2], other[2]) < LOW_E3:
                found.append((one, other))
    return found


def read_harmony(request: Any) -> Harmony:
    """Compose the clip of ``request`` and measure its notes."""
    from lullwave.engines.synth.options import SynthOptions
    from lullwave.engines.synth.programme import Programme

    programme = Programme(request, SynthOptions())
    bars = []
    while (bar := programme.next_bar()) is not None:
        bars.append(bar)
    key = scale(str(programme.piece(0)["key"]))
    rate = bars[0].frames / bars[0].seconds
    notes = [
        (b.start_frame / rate + n.start_s, b.start_frame / rate + n.start_s + n.length_s, n.pitch, n.part)
        for b in bars
        for n in b.notes
    ]
    sounding = sum(stop - start for start, stop, _, _ in notes)
    inside = sum(stop - start for start, stop, pitch, _ in notes if pitch % 12 in key)
    names = [c.name for b in bars for c in b.chords]
    changes = [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
    length_s = sum(b.seconds for b in bars)
    diatonic = [all(set(c.pitch_classes) <= key for c in b.chords) for b in bars]
    sections = [b.section for b in bars]
    return Harmony(
        in_key=inside / sounding if sounding else 1.0,
        borrowed_bars=1 - sum(diatonic) / len(bars),
        clashes=len(clashes(notes)),
        chords=len(set(names)),
        seconds_a_chord=length_s / len(changes),
        drums=any(b.hits for b in bars),
        progression=tuple(changes),
        form=tuple(s for i, s in enumerate(sections) if i == 0 or sections[i - 1] != s),
    )
