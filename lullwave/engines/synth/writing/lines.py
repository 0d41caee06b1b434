"""Writes the melodies of instruments with an idiom of their own: slow lines and sequences over a section's motif.

Both follow the chords and avoid clashes with them as ``melody`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..chance import Chance
from ..spec import MotifNote
from ..theory import Key
from .event import Event, VoicedChord
from .melody import HIGHEST, LOWEST, fitness, snap

# Length of a chord in beats → the ways to divide it into long notes.
_SLOW: dict[int, tuple[tuple[float, ...], ...]] = {
    1: ((1.0,),),
    2: ((2.0,), (1.5, 0.5), (1.0, 1.0)),
    3: ((3.0,), (2.0, 1.0)),
    4: ((4.0,), (3.0, 1.0), (2.0, 2.0), (2.0, 1.0, 1.0)),
}
_SEQUENCES = ((0, 2, 1, 2), (0, 1, 2, 3, 2, 1), (0, 2, 1, 3), (0, 0, 2, 1, 3, 2, 1, 2), (3, 2, 1, 0, 1, 2))  # of tones
_LIFT = 0.06  # beats of silence after a long note
_STEP = 0.25  # beats of a note of a sequence


def write_slow_line(
    chance: Chance,
    chords: Sequence[VoicedChord],
    key: Key,
    motif: tuple[MotifNote, ...],
    part: str,
    shift: int,
) -> list[Event]:
    """Long notes without a rest, one to three on each chord, which follow the pitches of the motif.

    ``shift`` is in octaves, in semitones, as in ``melody.write_melody``.
    """
    low, high = LOWEST + shift, HIGHEST + shift
    events: list[Event] = []
    for i, here in enumerate(chords):
        beat = here.beat
        for long in _long_notes(chance.of(i), here.beats):
            target = 60 + motif[len(events) % len(motif)].pitch + shift
            pitch = snap(key, list(chords), beat, long, target, True, low, high)
            if events and pitch == events[-1].pitch:
                pitch = snap(key, list(chords), beat, long, pitch + chance.of("turn", i).pick((-3, 3)), True, low, high)
            if fitness(key, list(chords), beat, long, pitch, False) > 0:
                events.append(
                    Event(part, beat, long - _LIFT, pitch, 0.68 + 0.04 * (long >= 2) + chance.between(-0.04, 0.04))
                )
            beat += long
    return events


def _long_notes(chance: Chance, beats: float) -> list[float]:
    left, out = beats, []
    while left > 0:
        out += list(chance.pick(_SLOW[max(1, min(4, int(left)))])) if left >= 1 else [left]
        left = beats - sum(out)
    return out


def write_sequence(
    chance: Chance, chords: Sequence[VoicedChord], key: Key, motif: tuple[MotifNote, ...], part: str, shift: int
) -> list[Event]:
    """Sixteenths over the tones of each chord, in one order; the last beat of every other chord rests.

    ``shift`` as in ``write_slow_line``.
    """
    order = chance.pick(_SEQUENCES)
    low = 60 + min(note.pitch for note in motif) + shift
    events: list[Event] = []
    for i, here in enumerate(chords):
        tones = [
            pitch
            for pitch in range(max(LOWEST + shift, low), HIGHEST + shift + 1)
            if pitch % 12 in here.chord.pitch_classes
            and fitness(key, list(chords), here.beat, here.beats, pitch, True) > 0
        ][:4]
        steps = round(here.beats / _STEP) - (4 if i % 2 and here.beats > 2 else 0)
        for k in range(steps if tones else 0):
            pitch = tones[order[k % len(order)] % len(tones)]
            velocity = 0.74 if k % 4 == 0 else 0.6
            events.append(
                Event(part, here.beat + k * _STEP, 0.9 * _STEP, pitch, velocity + chance.between(-0.04, 0.04))
            )
    return events


def rested(line: Sequence[Event]) -> list[Event]:
    """A line without its second and fourth bar of four."""
    return [event for event in line if event.beat // 4.0 % 2 == 0]


def with_answers(line: Sequence[Event], answers: Sequence[Event]) -> list[Event]:
    """A line and the notes that answer it; the line rests while it is answered."""
    kept: list[Event] = []
    for event in line:
        after = [a.beat for a in answers if event.beat < a.beat < event.end]
        if any(a.beat - 0.1 <= event.beat < a.end + 0.5 for a in answers):
            continue
        kept.append(replace(event, beats=min(after) - event.beat) if after else event)
    return [*kept, *answers]


def bent(chance: Chance, events: Sequence[Event], key: Key, part: str) -> list[Event]:
    """The events; six in ten long notes of ``part`` are pulled up from the scale's step below."""
    out: list[Event] = []
    for i, event in enumerate(events):
        if event.part == part and event.beats >= 0.7 and not event.grace and chance.of(i).yes(0.6):
            step = 1 if (event.pitch - 1) % 12 in key.scale else 2
            event = replace(event, slide_from=event.pitch - step)
        out.append(event)
    return out
