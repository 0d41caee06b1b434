"""Writes the chords of the keys (or the guitar) and of the pad from their voicings."""

from __future__ import annotations

from ..chance import Chance
from ..theory import clashing, nearest
from .event import Event, VoicedChord

# Strikes of a bar under one chord: (beat, length, which tones, weight). "all" is the chord, "low" its lowest
# tone, "top" the rest; a number is one tone, counted from below, after "^" an octave up; "root" and "fifth" are those
# of the chord near E3.
Strike = tuple[float, float, str, float]
STYLES: dict[str, tuple[Strike, ...]] = {
    "halves": ((0, 2, "all", 0.56), (2, 2, "all", 0.54)),
    "whole": ((0, 4, "all", 0.62),),
    "and_of_two": ((0, 1.4, "all", 0.62), (1.5, 2.5, "all", 0.52)),
    "charleston": ((0, 1.4, "all", 0.62), (1.5, 1.2, "all", 0.54)),
    "low_top": ((0, 4, "low", 0.6), (0.5, 3.5, "top", 0.52)),
    "roll": ((0, 4, "roll", 0.6),),
    "pulse": ((0, 0.9, "all", 0.58), (1, 0.9, "top", 0.46), (2, 0.9, "all", 0.52), (3, 0.9, "top", 0.46)),
    "arpeggio": (
        (0, 4, "0", 0.58),
        (0.5, 3.5, "1", 0.48),
        (1, 3, "2", 0.5),
        (1.5, 2.5, "3", 0.46),
        (2.5, 1.5, "2", 0.42),
        (3, 1, "1", 0.42),
    ),
    "arp16": tuple((k * 0.5, 0.45, str((0, 2, 1, 3, 2, 1, 3, 2)[k]), 0.5 if k % 2 == 0 else 0.42) for k in range(8)),
    "broken": tuple(
        (k * 0.25, 0.4, ("0", "1", "2", "3", "^0", "3", "2", "1")[k % 8], 0.56 if k % 4 == 0 else 0.46)
        for k in range(16)
    ),
    "glissando": (
        *((0.25 * k, 4 - 0.25 * k, ("0", "1", "2", "3", "^0", "^1", "^2")[k], 0.46 + 0.02 * k) for k in range(7)),
        (2, 2, "3", 0.5),
        (2.5, 1.5, "2", 0.46),
        (3, 1, "1", 0.46),
        (3.5, 0.5, "2", 0.42),
    ),
    "drone": ((0, 4, "root", 0.5), (1, 3, "fifth", 0.42), (2, 2, "root", 0.46), (3, 1, "fifth", 0.42)),
    "picking": (
        (0, 2, "0", 0.6),
        (0.5, 1.4, "2", 0.46),
        (1, 1.9, "3", 0.5),
        (1.5, 1.4, "1", 0.44),
        (2, 2, "0", 0.54),
        (2.5, 1.4, "2", 0.44),
        (3, 1, "3", 0.48),
        (3.5, 0.5, "1", 0.42),
    ),
    "bossa": ((0, 1.3, "all", 0.58), (1.5, 0.9, "all", 0.5), (2.5, 0.9, "all", 0.54), (3.5, 0.5, "all", 0.46)),
    "stabs": ((0, 0.7, "all", 0.62), (0.75, 0.6, "all", 0.5), (1.5, 1.3, "all", 0.58), (3, 0.7, "top", 0.48)),
    "late": ((0, 0.4, "low", 0.5), (0.5, 2.0, "all", 0.58), (2.75, 1.25, "top", 0.46)),
}
HELD = "held"  # every chord even and unbroken until the next one
CHOPS = "chops"  # slices of a recording of the chords, triggered again on the grid
_HIGHEST = 91  # G6, the highest pitch of a chord
CHOP_PITCH = -3  # semitones by which a chopped recording is slowed down
_HELD_BEATS = 4.0  # a longer chord is struck again: electric pianos and strings die away
_ORDERS = ((0, 1, 0, 1), (0, 0, 2, 3), (0, 1, 2, 2), (0, 2, 0, 3), (0, 0, 1, 0))  # which beat of a chord sounds on each
OPEN = ("and_of_two", "charleston", "stabs", "late")  # styles that may drop any strike but the first
AGAIN: Strike = (
    2.5,
    1.5,
    "top",
    0.42,
)  # extra strike for instruments that fade within a bar


def write_keys(
    chance: Chance, chords: list[VoicedChord], style: str, part: str = "keys", fades: bool = False
) -> list[Event]:
    """The chords in a style. A chord shorter than a bar gets the strikes that fit."""
    if style == HELD and fades:
        style = "halves"
    if style == HELD:
        return _held(chords, part)
    if style == CHOPS:
        return _chopped(chance, chords, part)
    pattern = STYLES[style]
    if fades and pattern[-1][0] < 2:
        pattern = (*pattern, AGAIN)
    events: list[Event] = []
    for i, here in enumerate(chords):
        draw = chance.of(i)
        strikes = [s for s in pattern if s[0] < here.beats - 0.24]
        left_out = [k > 0 and style in OPEN and draw.yes(0.12) for k in range(len(strikes))]
        for k, (beat, length, which, weight) in enumerate(strikes):
            if left_out[k]:
                continue
            if k + 1 < len(strikes) and left_out[k + 1]:  # this strike rings on through those left out after it
                after = (strikes[n][0] for n in range(k + 1, len(strikes)) if not left_out[n])
                length = next(after, here.beats) - beat
            length = min(length, here.beats - beat) - 0.04
            events += _strike(here, part, here.beat + beat, length, which, weight)
    return events


def _held(chords: list[VoicedChord], part: str) -> list[Event]:
    events: list[Event] = []
    for here in chords:
        begun = 0.0
        while begun < here.beats - 1e-6:
            length = min(_HELD_BEATS, here.beats - begun)
            events += [
                Event(part, here.beat + begun, length - 0.03, p, 0.56, roll=k if not begun else 0)
                for k, p in enumerate(here.voicing)
            ]
            begun += length
    return events


def _chopped(chance: Chance, chords: list[VoicedChord], part: str) -> list[Event]:
    """A flip: each beat plays the recording of its chord from one of the chord's beats; now and then twice as fast."""
    order = chance.pick(_ORDERS)
    stutter = chance.yes(0.5)
    events: list[Event] = []
    for here in chords:
        beats = max(1, round(here.beats))
        for beat in range(beats):
            skip = float(min(order[beat % 4], beats - 1))
            last = stutter and beat == beats - 1 and beats > 1
            for begun, length in ((0.0, 0.5), (0.5, 0.5)) if last else ((0.0, 1.0),):
                events += [
                    Event(part, here.beat + beat + begun, length - 0.05, p, 0.6, skip=skip, pitched=CHOP_PITCH)
                    for p in here.voicing
                ]
    return events


def _strike(here: VoicedChord, part: str, beat: float, length: float, which: str, weight: float) -> list[Event]:
    tones = here.voicing
    if which == "roll":
        return [
            Event(part, beat + 0.25 * k, length - 0.25 * k, p, weight * (1 - 0.05 * k), roll=0)
            for k, p in enumerate(tones)
            if length - 0.25 * k > 0.2
        ]
    if which == "low":
        tones = tones[:1]
    elif which == "top":
        tones = tones[1:]
    elif which in ("root", "fifth"):
        root = nearest(here.chord.root, 52, 46, 57)
        fifth = which == "fifth" and (root + 7) % 12 in here.chord.pitch_classes
        tones = (root + 7 if fifth else root,)
    elif which != "all":
        tone = tones[min(int(which.removeprefix("^")), len(tones) - 1)]
        tones = (tone + 12 if which[0] == "^" and tone + 12 <= _HIGHEST else tone,)
    return [
        Event(part, beat, length, p, weight * (1.06 if p == tones[-1] else 0.94), roll=k) for k, p in enumerate(tones)
    ]


def write_pad(chords: list[VoicedChord], part: str = "pad") -> list[Event]:
    """Two or three tones of each voicing held through it, none a semitone from another tone of the chord."""
    events: list[Event] = []
    for here in chords:
        tones = [p for p in here.voicing if not any(clashing(p, q) for q in here.voicing)]
        tones = tones[-3:] or [here.voicing[0]]
        events += [Event(part, here.beat, here.beats - 0.05, p, 0.5) for p in tones]
    return events
