"""Writes melodies: singable motifs, and phrases that develop them, rest and answer.

Notes avoid clashes with the voicings of the chords below.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from ..chance import Chance
from ..spec import MotifNote
from ..theory import Key, clashing
from .event import Event, VoicedChord, chord_at

LOW, HIGH = 69, 86  # range of the melody: A4 … D6
LOWEST, HIGHEST = LOW - 3, HIGH + 2  # where its variations may go

# Plans of four bars: (beat, how the motif is changed; see `developed`). The fourth bar (or the first) is left empty.
PHRASES: dict[str, tuple[tuple[float, str], ...]] = {
    "call": ((0, "a"), (8, "sequence")),
    "period": ((0, "a"), (4, "shift"), (8, "cadence")),
    "late": ((4, "a"), (8, "cadence")),
    "climb": ((0, "a"), (4, "sequence"), (8, "cadence")),
    "mirror": ((0, "a"), (8, "mirror")),
    "thin": ((0, "thin"), (8, "a")),
    "tail": ((0, "a"), (4, "thin"), (8, "tail")),
}
FULL = ("period", "climb", "tail")  # those in which the melody rests least
ANSWERS = {
    "call": 6.0,
    "mirror": 6.0,
    "thin": 4.0,
    "late": 12.0,
    "period": 12.0,
    "climb": 12.0,
    "tail": 12.0,
}  # beat at which the second voice answers


def make_motif(
    chance: Chance, key: Key, chords: list[VoicedChord], low: int = LOW, high: int = HIGH
) -> tuple[MotifNote, ...]:
    """Draw the rhythm and the pitches of a motif of four to six notes over the first chords."""
    onset = chance.weighted({0: 3.0, 2: 3.0, 4: 1.5, 6: 0.8, 3: 0.6})
    count = min(chance.weighted({4: 2.0, 5: 3.0, 6: 2.0}), max(4, (14 - onset) // 2 + 1))
    rhythm: list[tuple[int, int]] = []
    for k in range(count):
        if k == count - 1:
            length = chance.weighted({4: 2.0, 6: 3.0, 8: 2.0})
        else:
            length = chance.weighted({2: 5.0, 3: 1.6, 4: 1.8, 1: 0.7, 6: 0.5})
            if onset % 2 and length != 1:  # return to the grid of eighths
                length = 3 if length >= 3 else 1
        last_step = 13 - 2 * (count - 1 - k)  # so that all notes begin within the bar
        rhythm.append((onset, length))
        onset = min(onset + length, max(onset + 1, last_step + 2))
    rhythm = [
        (start, min(length, following - start))
        for (start, length), following in zip(rhythm, [*(s for s, _ in rhythm[1:]), 99], strict=True)
    ]
    centre = (low + high) / 2 + chance.between(-4, 2)
    shape = chance.pick(
        ((1, 1, -1, -1, -1), (-1, -1, 1, 1, -1), (1, -1, 1, -1, -1), (1, 1, 1, -1, -1), (-1, 1, -1, -1, 1))
    )
    notes: list[MotifNote] = []
    at, leap = centre, 0
    for k, (start, length) in enumerate(rhythm):
        pitch = _choose(
            chance, key, chords, start / 4.0, length / 4.0, at, leap, shape[(k - 1) % 5] if k else 0, low, high
        )
        if k:
            leap = pitch - int(at)
        notes.append(MotifNote(start, length, pitch - 60))
        at = pitch
    return tuple(notes)


def motif_name(motif: tuple[MotifNote, ...]) -> str:
    """Identify a motif by its intervals and note lengths."""
    steps = [str(b.pitch - a.pitch) for a, b in pairwise(motif)]
    return ".".join(steps) + ":" + ".".join(str(n.length) for n in motif)


def _choose(
    chance: Chance,
    key: Key,
    chords: list[VoicedChord],
    beat: float,
    beats: float,
    at: float,
    leap: int,
    direction: int,
    low: int,
    high: int,
) -> int:
    """Draw a pitch: steps more often than leaps, the opposite direction after a leap, chord tones on strong beats."""
    strong = beat % 1.0 == 0 or beats >= 1.0
    choices: list[tuple[int, float]] = []
    for pitch in range(max(low, int(at) - 9), min(high, int(at) + 9) + 1):
        weight = fitness(key, chords, beat, beats, pitch, strong)
        if weight <= 0:
            continue
        size = abs(pitch - at)
        if direction:
            weight *= 0.07 if size < 0.5 else 1.0 if size <= 2 else 0.34 if size <= 4 else 0.08 if size <= 7 else 0.01
            weight *= 1.5 if (pitch > at) == (direction > 0) else 0.6
            if abs(leap) > 4:
                weight *= 2.5 if 0 < size <= 2 and (pitch > at) != (leap > 0) else 0.2
        else:
            weight *= 1.0 / (1.0 + 0.5 * size)
        choices.append((pitch, weight))
    if not choices:
        return snap(key, chords, beat, beats, int(at), strong, low, high)
    return chance.weighted(choices)


def fitness(key: Key, chords: list[VoicedChord], beat: float, beats: float, pitch: int, strong: bool) -> float:
    """How well a pitch fits the chords that sound under it, 0 to 1; 0 if it clashes."""
    here = chord_at(chords, beat)
    if pitch % 12 not in key.scale:
        return 0.0
    pitches = {
        *here.voicing,
        *(p for c in chords if c.beat < beat + beats - 0.3 and c.end > beat + 0.3 for p in c.voicing),
    }
    if beats >= 0.2 and any(clashing(pitch, q) for q in pitches):
        return 0.0
    if any((pitch - pc) % 12 == 1 for pc in here.chord.pitch_classes):
        return 0.0 if strong or here.borrowed else 0.25
    tones = here.chord.pitch_classes
    if pitch % 12 in tones:
        return 0.7 if pitch % 12 == here.chord.root != key.tonic else 1.0
    pentatonic = {(key.tonic + s) % 12 for s in ((0, 3, 5, 7, 10) if key.minor else (0, 2, 4, 7, 9))}
    return (0.22 if strong else 0.9) * (1.0 if pitch % 12 in pentatonic else 0.5)


def snap(
    key: Key,
    chords: list[VoicedChord],
    beat: float,
    beats: float,
    target: int,
    strong: bool,
    low: int,
    high: int,
    along: float | None = None,
) -> int:
    """The pitch near ``target`` that fits best; ``target`` itself if none fits.

    ``along`` is the pitch that would keep the interval of the motif.
    """
    target = max(low, min(high, target))
    best, best_cost = target, 99.0
    for pitch in range(max(low, target - 5), min(high, target + 5) + 1):
        fit = fitness(key, chords, beat, beats, pitch, strong)
        if fit <= 0:
            continue
        cost = abs(pitch - target) + 2.2 * (1.0 - fit) + (0.0 if along is None else 0.8 * abs(pitch - along))
        if cost < best_cost:
            best, best_cost = pitch, cost
    return best


def write_melody(
    chance: Chance,
    chords: list[VoicedChord],
    key: Key,
    motif: tuple[MotifNote, ...],
    phrase: str,
    bars: int,
    part: str = "lead",
    answer: str = "",
    shifts: tuple[int, int] = (0, 0),
    again: bool = False,
) -> list[Event]:
    """Write the melody of a section: one plan per four bars, varied when repeated; ``answer`` names a second voice.

    ``shifts`` are the octaves, in semitones, by which the melody and the answer lie away from the usual range.
    ``again``: the section is a loop, whose hook comes back as it was.
    """
    events: list[Event] = []
    for block in range((bars + 3) // 4):
        draw = chance.of(block)
        plan = PHRASES[phrase]
        left = bars * 4.0 - block * 16.0
        for beat, change in plan:
            if beat + 4.0 > left:
                continue
            if again and change == "sequence":
                change = "a"
            elif block and change == "a" and not again:
                change = draw.pick(("sequence", "tail", "a"))
            where = (block * 16.0 + beat, left + block * 16.0)
            events += _statement(draw, chords, key, motif, change, where, part, shifts[0])
        if answer:
            at = ANSWERS[phrase]
            if at + 3.0 <= left:
                where = (block * 16.0 + at, left + block * 16.0)
                events += _statement(draw.of("answer"), chords, key, motif, "answer", where, answer, shifts[1])
    return _monophonic(events)


def _statement(
    chance: Chance,
    chords: list[VoicedChord],
    key: Key,
    motif: tuple[MotifNote, ...],
    change: str,
    where: tuple[float, float],
    part: str,
    shift: int,
) -> list[Event]:
    """The motif, changed, from the first beat of ``where`` up to the second, ``shift`` semitones from its range."""
    at, until = where
    notes = _in_range(developed(chance, motif, change, key))
    events: list[Event] = []
    apart = 0.0  # distance of the last note from the motif's, in semitones
    for k, note in enumerate(notes):
        beat, beats = at + note.onset / 4.0, note.length / 4.0
        if beat + 0.25 > until:
            break
        beats = min(beats, until - beat - 0.05)
        strong = beat % 1.0 == 0 or beats >= 1.0
        target = 60 + note.pitch + shift
        if change == "a" and fitness(key, chords, beat, beats, target, False) > 0:
            pitch = target
        else:
            pitch = snap(key, chords, beat, beats, target, strong, LOWEST + shift, HIGHEST + shift, target + apart)
            if fitness(key, chords, beat, beats, pitch, False) <= 0:
                continue
        apart = pitch - target
        accent = 0.78 if beat % 1.0 == 0 else 0.68
        if beats >= 0.5 and k and chance.yes(0.08):
            under = [p for p in (pitch - 1, pitch - 2) if p % 12 in key.scale]
            if under:
                events.append(Event(part, beat - 0.08, 0.07, under[0], 0.5, grace=True))
        length = beats * (0.94 if k + 1 < len(notes) else 0.98)
        before = events[-1] if events and not events[-1].grace else None
        slides = (
            before is not None
            and 0 < abs(before.pitch - pitch) <= 4
            and beat - before.beat <= 1.0
            and beats >= 0.75
            and chance.of("slide", k).yes(0.2)
        )
        events.append(
            Event(
                part,
                beat,
                length,
                pitch,
                accent + chance.between(-0.05, 0.05),
                slide_from=before.pitch if slides and before is not None else None,
            )
        )
    return events


def _in_range(notes: tuple[MotifNote, ...]) -> tuple[MotifNote, ...]:
    """Move the motif by an octave if it would leave the voice's range."""
    mean = 60 + sum(n.pitch for n in notes) / len(notes)
    by = -12 if mean > HIGH - 3 else 12 if mean < LOW - 1 else 0
    return tuple(MotifNote(n.onset, n.length, n.pitch + by) for n in notes) if by else notes


def developed(chance: Chance, motif: tuple[MotifNote, ...], change: str, key: Key) -> tuple[MotifNote, ...]:
    """The motif changed in one of the classical ways; ``"a"`` and unknown names leave it unchanged."""
    if change == "sequence":
        by = chance.pick((-2, -1, 1, 2))
        return tuple(MotifNote(n.onset, n.length, _steps(key, n.pitch, by)) for n in motif)
    if change == "shift":
        by = 2 if motif[0].onset + 2 <= 8 else -2
        return tuple(MotifNote(n.onset + by, n.length, n.pitch) for n in motif)
    if change == "mirror":
        axis = motif[0].pitch
        return tuple(MotifNote(n.onset, n.length, axis - (n.pitch - axis)) for n in motif)
    if change == "thin":
        kept = [n for i, n in enumerate(motif) if i % 2 == 0 or n.length >= 4]
        return tuple(
            MotifNote(
                n.onset, min(8, (kept[i + 1].onset if i + 1 < len(kept) else n.onset + n.length) - n.onset), n.pitch
            )
            for i, n in enumerate(kept)
        )
    if change == "tail":
        by = chance.pick((-3, -2, 2))
        return (*motif[:-1], MotifNote(motif[-1].onset, motif[-1].length, _steps(key, motif[-1].pitch, by)))
    if change == "answer":
        tail = motif[-3:]
        first = tail[0].onset
        return tuple(MotifNote(n.onset - first, n.length, _steps(key, n.pitch, -2)) for n in tail)
    if change == "cadence":
        head, last = motif[:-1], motif[-1]
        homes = [
            p for p in range(last.pitch - 6, last.pitch + 5) if (p + 60) % 12 in (key.tonic, key.scale[2], key.scale[4])
        ]
        home = min(homes, key=lambda p: abs(p - head[-1].pitch) + 0.5 * (p > head[-1].pitch))
        return (*head, MotifNote(last.onset, 8, home))
    return motif


def _steps(key: Key, pitch: int, by: int) -> int:
    """Move a pitch (relative to C4) by scale steps."""
    scale = key.scale
    at = pitch
    while (at + 60) % 12 not in scale:
        at -= 1
    direction = 1 if by > 0 else -1
    for _ in range(abs(by)):
        at += direction
        while (at + 60) % 12 not in scale:
            at += direction
    return at


def _monophonic(events: list[Event]) -> list[Event]:
    """Make each part monophonic: a note ends where the next note of its part begins."""
    out: list[Event] = []
    for part in sorted({e.part for e in events}):
        line = sorted((e for e in events if e.part == part), key=lambda e: e.beat)
        for i, event in enumerate(line):
            if i + 1 < len(line) and not event.grace:
                nxt = line[i + 1].beat
                if nxt - event.beat < 0.1:
                    continue
                if event.end > nxt:
                    event = replace(event, beats=nxt - event.beat)
            out.append(event)
    return out
