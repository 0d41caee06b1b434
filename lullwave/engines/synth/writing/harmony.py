"""Makes chord progressions from a grammar, and voices them.

A loop of four bars is a random walk over the chords of the key. The tables below hold how likely each chord follows
another, and which extensions each style adds to a chord. A borrowed chord may replace half a bar afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ..chance import Chance
from ..spec import Slot
from ..theory import QUALITIES, Chord, Key

# Degree in semitones → how likely each next chord is. Major: I ii iii IV V vi; minor: i ii° III iv v VI VII.
_NEXT_MAJOR: dict[int, dict[int, float]] = {
    0: {2: 2.0, 4: 1.5, 5: 2.5, 9: 3.0, 7: 1.0},
    2: {7: 5.0, 4: 0.8, 5: 0.8, 0: 1.0},
    4: {9: 3.0, 5: 2.5, 2: 1.0},
    5: {0: 2.0, 4: 2.0, 2: 1.0, 7: 2.5},
    7: {0: 4.0, 9: 1.5, 4: 0.8, 5: 0.5},
    9: {2: 2.5, 5: 2.5, 7: 1.0, 4: 0.8},
}
_NEXT_MINOR: dict[int, dict[int, float]] = {
    0: {8: 3.0, 5: 2.5, 3: 1.5, 10: 1.5, 7: 0.8},
    2: {7: 4.0, 10: 0.6},
    3: {8: 2.5, 5: 2.0, 10: 2.0, 0: 0.5},
    5: {10: 2.5, 0: 2.0, 7: 2.0, 8: 0.6, 2: 0.5},
    7: {0: 4.0, 8: 2.0, 5: 0.5},
    8: {10: 2.5, 7: 1.5, 3: 2.0, 5: 1.5, 0: 1.0},
    10: {0: 3.0, 3: 2.5, 8: 1.0},
}
_FIRST_MAJOR = {0: 6.5, 2: 2.0, 5: 1.4, 9: 0.6}
_FIRST_MINOR = {0: 8.0, 8: 1.2, 5: 1.2}
_TO_TONIC = {False: (7, 5, 2), True: (7, 10, 5)}  # degrees that lead to the tonic; key: minor

_SHORT_LOOPS = {2: (4.0, 4.0), 3: (4.0, 2.0, 2.0), 4: (2.0, 2.0, 2.0, 2.0)}  # beats of the chords of two bars

Palette = dict[int, dict[str, float]]

_LOFI_MAJOR: Palette = {
    0: {"maj9": 4, "maj7": 1.5, "6/9": 2, "add9": 1},
    2: {"m9": 4, "m7": 3, "m11": 1.5},
    4: {"m7": 1},
    5: {"maj9": 3, "maj7": 4, "6/9": 0.8},
    7: {"9sus4": 4, "13": 2.2, "7sus4": 1.5, "9": 1},
    9: {"m9": 3, "m7": 4, "m11": 1},
}
_LOFI_MINOR: Palette = {
    0: {"m9": 4, "m7": 3, "m11": 1.2},
    2: {"m7b5": 1},
    3: {"maj7": 3, "maj9": 2},
    5: {"m9": 3, "m7": 3},
    7: {"m7": 3, "7sus4": 1},
    8: {"maj7": 4, "maj9": 3},
    10: {"9": 2, "13": 2, "9sus4": 1},
}
_PLAIN_MAJOR: Palette = {
    0: {"add9": 4, "": 1, "maj7": 1},
    2: {"m7": 3, "m": 1},
    4: {"m7": 2, "m": 1},
    5: {"add9": 3, "maj7": 2, "": 1},
    7: {"7sus4": 3, "": 1, "add9": 1},
    9: {"m7": 3, "madd9": 2},
}
_PLAIN_MINOR: Palette = {
    0: {"madd9": 3, "m7": 2, "m": 1},
    2: {"m7b5": 1},
    3: {"add9": 2, "maj7": 1, "": 1},
    5: {"m7": 2, "madd9": 2},
    7: {"m7": 2, "m": 1},
    8: {"maj7": 2, "add9": 2},
    10: {"add9": 2, "": 1, "7sus4": 1},
}
_OPEN_MAJOR: Palette = {
    0: {"6/9": 3, "add9": 3, "maj9": 2},
    2: {"m11": 2, "m7": 2},
    4: {"m7": 1},
    5: {"maj9": 3, "add9": 2, "6/9": 2},
    7: {"9sus4": 4, "7sus4": 2},
    9: {"m11": 2, "m7": 3},
}
_OPEN_MINOR: Palette = {
    0: {"m11": 2, "madd9": 3, "m9": 2},
    2: {"m7b5": 1},
    3: {"add9": 2, "maj9": 2, "6/9": 1},
    5: {"m9": 2, "m7": 2},
    7: {"m7": 2, "7sus4": 2},
    8: {"maj9": 3, "add9": 1},
    10: {"9sus4": 3, "add9": 2},
}
PALETTES: dict[str, tuple[Palette, Palette]] = {
    "lofi": (_LOFI_MAJOR, _LOFI_MINOR),
    "plain": (_PLAIN_MAJOR, _PLAIN_MINOR),
    "open": (_OPEN_MAJOR, _OPEN_MINOR),
}


def make_loop(
    chance: Chance, minor: bool, palette: str, split: float, known: Mapping[int, str] | None = None
) -> tuple[Slot, ...]:
    """Make four bars that contain the tonic and lead back to their beginning.

    ``split`` is the probability of two chords in a bar; ``known`` are the piece's chords by degree, mostly used again.
    """
    following = _NEXT_MINOR if minor else _NEXT_MAJOR
    for _ in range(64):
        degrees = [chance.weighted(_FIRST_MINOR if minor else _FIRST_MAJOR)]
        while len(degrees) < 4:
            degrees.append(chance.weighted(following[degrees[-1]]))
        if _coherent(degrees, minor):
            break
    else:
        degrees = [0, 8, 3, 10] if minor else [0, 9, 2, 7]
    colours = PALETTES[palette][1 if minor else 0]
    slots: list[Slot] = []
    quality = {d: q for d, q in (known or {}).items() if chance.yes(0.85)}
    for place, degree in enumerate(degrees):
        quality.setdefault(degree, chance.weighted(colours[degree]))
        after = degrees[(place + 1) % 4]
        passing = [d for d in following[degree] if d not in (degree, after, 0) and after in following[d]]
        wanted = split * (1.4 if place in (1, 3) else 0.6)
        if passing and chance.yes(wanted) and not (degree == 0 and place == 0):
            between = chance.weighted([(d, following[degree][d] * following[d][after]) for d in passing])
            quality.setdefault(between, chance.weighted(colours[between]))
            slots += [Slot(2.0, degree, quality[degree]), Slot(2.0, between, quality[between])]
        else:
            slots.append(Slot(4.0, degree, quality[degree]))
    return tuple(slots)


def make_short_loop(
    chance: Chance, minor: bool, palette: str, chords: int, known: Mapping[int, str] | None = None
) -> tuple[Slot, ...]:
    """Two bars of two to four chords that begin or end at home and lead back to their own beginning."""
    following = _NEXT_MINOR if minor else _NEXT_MAJOR
    first = 0
    degrees = [first]
    for _ in range(64):
        first = chance.weighted(_FIRST_MINOR if minor else _FIRST_MAJOR)
        degrees = [first]
        while len(degrees) < chords:
            degrees.append(chance.weighted(following[degrees[-1]]))
        if 0 in (degrees[0], degrees[-1]) and first in following[degrees[-1]] and len(set(degrees)) == chords:
            break
    else:
        degrees = ([0, 8, 5, 10] if minor else [0, 9, 5, 7])[:chords]
    colours = PALETTES[palette][1 if minor else 0]
    quality = {d: q for d, q in (known or {}).items() if chance.yes(0.85)}
    beats = _SHORT_LOOPS[chords]
    return tuple(
        Slot(length, degree, quality.setdefault(degree, chance.weighted(colours[degree])))
        for length, degree in zip(beats, degrees, strict=True)
    )


def _coherent(degrees: list[int], minor: bool) -> bool:
    """Tell whether a loop has its tonic first or after a cadence, no chord twice, and an end that leads back."""
    if 0 not in degrees or len(set(degrees)) < 4 - (degrees.count(0) == 2):
        return False
    if degrees[0] == 0:
        return degrees[3] in _TO_TONIC[minor] or degrees[3] in (8, 4)
    return degrees.index(0) >= 2 and degrees[degrees.index(0) - 1] in _TO_TONIC[minor]


# How well each pitch class fits a key, from the tonic up (Krumhansl and Kessler 1982, probe-tone profiles).
_PROFILES = {
    False: (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    True: (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
_CENTRED = {mode: tuple(v - sum(p) / 12 for v in p) for mode, p in _PROFILES.items()}
_NORM = {mode: sum(v * v for v in p) ** 0.5 for mode, p in _CENTRED.items()}


def clarity(loop: tuple[Slot, ...], minor: bool) -> float:
    """How much better a loop (in C) fits its key or the relative one than any other; above 0, that key is heard."""
    heard = [0.0] * 12
    for slot in loop:
        voiced = _VOICED[slot.quality] if slot.degree else _AT_HOME.get(slot.quality, _VOICED[slot.quality])
        for step in (0, *voiced):  # the bass and the keys; each tone counts with its first overtones
            for above, weight in ((0, 1.7), (7, 0.35), (4, 0.12)):
                heard[(slot.degree + step + above) % 12] += slot.beats * weight
    scores = {
        (tonic, mode): sum(heard[(tonic + k) % 12] * v for k, v in enumerate(profile)) / _NORM[mode]
        for mode, profile in _CENTRED.items()
        for tonic in range(12)
    }
    own = {(0, minor), (3, False) if minor else (9, True)}
    best = max(scores[k] for k in own)
    other = max(v for k, v in scores.items() if k not in own)
    return float((best - other) / sum(v * v for v in heard) ** 0.5)


def unroll(loop: tuple[Slot, ...], beats: float, offset: float = 0.0) -> tuple[Slot, ...]:
    """Repeat the loop to fill ``beats``, starting ``offset`` beats into it; the last chord is cut to fit."""
    slots: list[Slot] = []
    skip, place, filled = offset, 0, 0.0
    while filled < beats - 1e-6:
        slot = loop[place % len(loop)]
        place += 1
        if skip >= slot.beats:
            skip -= slot.beats
            continue
        length = min(slot.beats - skip, beats - filled)
        skip = 0.0
        slots.append(Slot(length, slot.degree, slot.quality))
        filled += length
    return tuple(slots)


# Borrowed chords: (minor, degree, next degree or None, degree and quality of the borrowed chord, weight). The borrowed
# chord replaces the second half of a bar.
_BORROWED: list[tuple[bool, int, int | None, int, str, float]] = [
    (False, 5, 0, 5, "m6", 3.0),  # IV iv I
    (False, 5, 4, 5, "m6", 1.5),
    (False, 5, None, 10, "9", 1.5),  # backdoor
    (False, 7, 0, 1, "7#11", 1.5),  # tritone substitute
    (False, 0, 5, 0, "9", 1.5),  # V of IV
    (False, 9, 2, 9, "7", 1.2),  # V of ii
    (False, 4, 9, 4, "7", 1.2),  # V of vi
    (True, 7, 0, 7, "7b9", 3.0),  # the leading tone
    (True, 10, 0, 7, "7", 1.0),
    (True, 5, 0, 5, "9", 1.5),  # dorian
    (True, 5, 10, 5, "9", 1.0),
    (True, 8, 7, 1, "maj7", 1.0),  # neapolitan
]
# Degrees that a secondary dominant may precede, whatever the chord before it.
_LED_TO = {False: (2, 5, 7, 9), True: (5, 8, 10)}


def borrow(chance: Chance, slots: tuple[Slot, ...], minor: bool, rich: bool) -> tuple[Slot, ...]:
    """Replace half a bar in the second half of ``slots`` by a borrowed chord, if one fits."""
    found: list[tuple[tuple[int, int, str], float]] = []
    for i, slot in enumerate(slots):
        after = slots[(i + 1) % len(slots)].degree
        if slot.beats < 4.0 or i < len(slots) // 2:
            continue
        for mode, degree, follows, to, quality, weight in _BORROWED:
            if mode == minor and degree == slot.degree and follows in (None, after) and (rich or quality != "7#11"):
                found.append(((i, to, quality), weight))
        dominant = (after + 7) % 12
        if after in _LED_TO[minor] and slot.degree not in (after, dominant):
            found.append(((i, dominant, "7" if not minor else "9"), 0.6))
    if not found:
        return slots
    place, degree, quality = chance.weighted(found)
    half = slots[place].beats / 2
    kept = Slot(half, slots[place].degree, slots[place].quality)
    return (*slots[:place], kept, Slot(half, degree, quality), *slots[place + 1 :])


def lead_to(slots: tuple[Slot, ...], key: Key, to: Key) -> tuple[Slot, ...]:
    """Replace the last two beats by the suspended dominant of the key ``to``, which fits both keys."""
    dominant = (to.tonic + 7 - key.tonic) % 12
    last = slots[-1]
    if last.beats <= 2.0:
        return (*slots[:-1], Slot(last.beats, dominant, "9sus4" if not to.minor else "7sus4"))
    return (
        *slots[:-1],
        Slot(last.beats - 2.0, last.degree, last.quality),
        Slot(2.0, dominant, "9sus4" if not to.minor else "7sus4"),
    )


# Rootless voicings: the tones that must be played, in semitones above the root.
_VOICED: dict[str, tuple[int, ...]] = {
    "": (4, 7, 12),
    "m": (3, 7, 12),
    "add9": (4, 7, 12, 14),
    "madd9": (3, 7, 12, 14),
    "6": (4, 7, 9, 12),
    "6/9": (4, 7, 9, 14),
    "maj7": (4, 7, 11, 14),
    "maj9": (4, 7, 11, 14),
    "m6": (3, 7, 9, 12),
    "m7": (3, 7, 10, 12),
    "m9": (3, 7, 10, 14),
    "m11": (3, 10, 14, 17),
    "m7b5": (3, 6, 10, 12),
    "7": (4, 7, 10, 12),
    "9": (4, 7, 10, 14),
    "13": (4, 9, 10, 14),
    "7sus4": (5, 7, 10, 12),
    "9sus4": (5, 7, 10, 14),
    "7b9": (4, 7, 10, 13),
    "7#11": (4, 6, 10, 14),
}
_AT_HOME = {
    "maj9": (4, 7, 12, 14),
    "maj7": (4, 7, 11, 12),
    "m9": (3, 7, 12, 14),
    "m11": (3, 7, 12, 17),
}  # voicings of the tonic chord that include its root, so that it sounds like home
_PLAIN_SEVENTH = {"maj7": (4, 7, 11), "m7": (3, 7, 10, 12)}  # used where the ninth is not in the key
assert set(_VOICED) == set(QUALITIES)
LOWEST, HIGHEST = 52, 76  # range of the voicings: E3 … E5
_CENTRE = 61.5  # mean pitch that voicings stay close to
_TUNE = 70  # higher chord tones would cover the melody

Voicing = tuple[int, ...]


@lru_cache(maxsize=2048)
def candidates(root: int, quality: str, ninth: bool, spread: bool, home: bool = False) -> tuple[Voicing, ...]:
    """Every playable voicing of a chord: a third or seventh at the bottom, no two tones a minor ninth apart."""
    steps = _VOICED[quality] if ninth else _PLAIN_SEVENTH.get(quality, _VOICED[quality])
    if home:
        steps = _AT_HOME.get(quality, steps)
    classes = sorted({(root + step) % 12 for step in steps})
    guide = {(root + step) % 12 for step in (3, 4, 5, 9, 10, 11) if step in {s % 12 for s in steps}}
    found: list[Voicing] = []
    for bottom in range(LOWEST, LOWEST + 13):
        if bottom % 12 not in classes:
            continue
        closed = sorted(bottom + (pc - bottom) % 12 for pc in classes)
        shapes = [tuple(closed)]
        if spread and len(closed) >= 4:
            dropped = sorted([*closed[:-2], closed[-1], closed[-2] - 12])
            shapes = [tuple(dropped), tuple(closed)]
        for shape in shapes:
            if shape[0] < LOWEST or shape[-1] > HIGHEST or shape[0] % 12 not in guide:
                continue
            if any(b - a == 13 for i, a in enumerate(shape) for b in shape[i + 1 :]):
                continue
            if shape not in found:
                found.append(shape)
    return tuple(found)


def voice(chord: Chord, key: Key, before: Voicing, spread: bool) -> Voicing:
    """Choose the voicing that moves least from the previous one and stays near the middle of the keyboard."""
    ninth = (chord.root + 2) % 12 in key.scale or chord.quality not in _PLAIN_SEVENTH
    home = chord.root == key.tonic and not spread
    choices = candidates(chord.root, chord.quality, ninth, spread, home)

    def cost(shape: Voicing) -> float:
        centre = abs(sum(shape) / len(shape) - _CENTRE)
        total = 0.9 * float(max(0.0, centre - 2.0) ** 1.3)
        if before:
            total += sum(min(abs(p - q) for q in before) for p in shape)
            total += sum(min(abs(p - q) for q in shape) for p in before) * 0.5
            total += 6.0 * max(0, abs(shape[-1] - before[-1]) - 5)
        if spread:
            total -= 1.5 if shape[-1] - shape[0] > 12 else 0.0
        total += 0.8 * max(0, shape[-1] - _TUNE)
        if shape[1] - shape[0] == 1:
            total += 4.0  # a semitone at the bottom sounds muddy
        return total

    return min(choices, key=lambda shape: (cost(shape), shape))
