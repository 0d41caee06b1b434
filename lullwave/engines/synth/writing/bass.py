"""The bass line: roots locked to the kick, a fifth or octave for motion, a step into the next chord.

Follows the chords and the kick.
"""

from __future__ import annotations

from ..chance import Chance
from ..theory import Key, nearest
from .event import Event, VoicedChord

LOW, HIGH = 28, 43  # E1 … G2

# (beat, length) of the notes in a bar under one chord.
CELLS: tuple[tuple[tuple[float, float], ...], ...] = (
    ((0, 4),),
    ((0, 2), (2, 2)),
    ((0, 3), (3, 1)),
    ((0, 3.5), (3.5, 0.5)),
    ((0, 1.5), (1.5, 1.5), (3, 1)),
    ((0, 1.5), (2.5, 1.5)),
    ((0, 1), (1, 1), (2, 1), (3, 1)),  # walking
    ((0, 0.5), (0.5, 0.5), (1, 0.5), (1.5, 0.5), (2, 0.5), (2.5, 0.5), (3, 0.5), (3.5, 0.5)),  # driving eighths
    ((0, 1.5), (1.5, 0.5), (2, 1.5), (3.5, 0.5)),  # bossa
    ((0, 0.5), (0.5, 0.5), (1, 0.5), (1.5, 0.5), (2, 0.5), (2.5, 0.5), (3, 0.5), (3.5, 0.5)),  # eighths in octaves
)
WALKING, DRIVING, BOSSA, LEAPING = 6, 7, 8, 9
LOFI_CELLS = (0, 1, 2, 3, 4, 5)


def write_bass(
    chance: Chance,
    chords: list[VoicedChord],
    key: Key,
    cell: int,
    kick: tuple[int, ...],
    before: int | None,
    low: int = LOW,
) -> list[Event]:
    """The bass under the chords; ``before`` is the pitch that it comes from."""
    events: list[Event] = []
    at = before if before is not None else low + 8
    for i, here in enumerate(chords):
        draw = chance.of(i)
        following = chords[i + 1] if i + 1 < len(chords) else chords[0]
        root = _root_near(here.chord.root, at, low)
        figure = [(b, n) for b, n in _figure(draw, cell, kick) if b < here.beats - 1e-6]
        for k, (beat, length) in enumerate(figure):
            length = min(length, here.beats - beat)
            last = k == len(figure) - 1 and i + 1 < len(chords)
            pitch = _pitch(draw, k, beat, length, root, here, following, key, cell, last, low)
            events.append(
                Event("bass", here.beat + beat, _released(here.beat + beat, length), pitch, _weight(draw, beat, cell))
            )
            at = pitch
        at = root
    return events


def _figure(chance: Chance, cell: int, kick: tuple[int, ...]) -> tuple[tuple[float, float], ...]:
    """The cell of a bar; where it moves with the drums, its inner notes go to the kick."""
    if cell in (WALKING, DRIVING, BOSSA, LEAPING) or not chance.yes(0.7):
        return CELLS[cell]
    inner = [step / 4.0 for step in kick if 4 <= step <= 14]
    if not inner or len(CELLS[cell]) < 2:
        return CELLS[cell]
    starts = [0.0, *inner]
    return tuple((b, (starts[k + 1] if k + 1 < len(starts) else 4.0) - b) for k, b in enumerate(starts))


def _root_near(root: int, at: int, low: int) -> int:
    """The root in the octave that is nearest, drawn a little to the middle of the range."""
    choices = range(low + (root - low) % 12, HIGH + 1, 12)
    return min(choices, key=lambda p: (abs(p - at) + 0.6 * abs(p - (low + 7)), p))


def _pitch(
    chance: Chance,
    place: int,
    beat: float,
    length: float,
    root: int,
    here: VoicedChord,
    following: VoicedChord,
    key: Key,
    cell: int,
    last: bool,
    low: int,
) -> int:
    if place == 0:
        return root
    if cell == LEAPING:
        return root + 12 * (place % 2)
    fifth = root + 7 if root + 7 <= HIGH else root - 5
    has_fifth = (here.chord.root + 7) % 12 in here.chord.pitch_classes
    if last and length <= 1.0 and here.beats - beat <= 1.0 and (cell == WALKING or chance.yes(0.5)):
        goal = _root_near(following.chord.root, root, low)
        steps = [p for p in (goal - 1, goal + 1, goal - 2, goal + 2) if p % 12 in key.scale and low <= p <= HIGH]
        if steps and goal != root:
            return chance.pick(steps)
    if cell == WALKING:
        tones = [nearest(pc, root + 5, low, HIGH) for pc in here.chord.pitch_classes[1:3]]
        return tones[(place - 1) % len(tones)]
    if cell == BOSSA:
        return fifth if beat in (1.5, 2) and has_fifth else root
    if cell == DRIVING:
        return root
    if has_fifth and chance.yes(0.12 if here.chord.root == key.tonic else 0.28):
        return fifth
    if root + 12 <= HIGH and chance.yes(0.25):
        return root + 12
    return root


def _released(beat: float, length: float) -> float:
    """The note's length, ended a little before a backbeat or the next note."""
    end = beat + length
    for backbeat in (1.0, 3.0):
        bar = 4.0 * (beat // 4.0)
        if abs(end - (bar + backbeat)) < 0.01:
            return length - 0.12
    return max(0.2, length - 0.06)


def _weight(chance: Chance, beat: float, cell: int) -> float:
    base = 0.84 if beat == 0 else 0.7
    return base * (0.9 if cell == DRIVING and beat % 1.0 else 1.0) + chance.between(-0.03, 0.03)
