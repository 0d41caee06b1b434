"""Keys, scales and chords: the notes of a key, the notes and the name of a chord.

Pitch classes are 0 (C) to 11 (B), pitches are MIDI numbers (60 is C4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)

_MAJOR_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
_FLAT_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_SHARP_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}

# The tones of each chord quality, in semitones above the root.
QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "add9": (0, 4, 7, 14),
    "madd9": (0, 3, 7, 14),
    "6": (0, 4, 7, 9),
    "6/9": (0, 4, 7, 9, 14),
    "maj7": (0, 4, 7, 11),
    "maj9": (0, 4, 7, 11, 14),
    "m6": (0, 3, 7, 9),
    "m7": (0, 3, 7, 10),
    "m9": (0, 3, 7, 10, 14),
    "m11": (0, 3, 7, 10, 14, 17),
    "m7b5": (0, 3, 6, 10),
    "7": (0, 4, 7, 10),
    "9": (0, 4, 7, 10, 14),
    "13": (0, 4, 7, 10, 14, 21),
    "7sus4": (0, 5, 7, 10),
    "9sus4": (0, 5, 7, 10, 14),
    "7b9": (0, 4, 7, 10, 13),
    "7#11": (0, 4, 7, 10, 18),
}


_SCALES = {
    minor: tuple(tuple((tonic + step) % 12 for step in steps) for tonic in range(12))
    for minor, steps in ((False, MAJOR), (True, MINOR))
}


@dataclass(frozen=True)
class Key:
    """A major or (natural) minor key."""

    tonic: int
    minor: bool

    @property
    def name(self) -> str:
        names = _MINOR_NAMES if self.minor else _MAJOR_NAMES
        return f"{names[self.tonic]} {'minor' if self.minor else 'major'}"

    @property
    def scale(self) -> tuple[int, ...]:
        """The seven pitch classes of the key, from the tonic up."""
        return _SCALES[self.minor][self.tonic]

    @property
    def fifths(self) -> int:
        """Position on the circle of fifths, 0 … 11; relative keys share a position."""
        return ((self.tonic + (3 if self.minor else 0)) * 7) % 12

    @property
    def flats(self) -> bool:
        """Whether it is written with flats."""
        return self.fifths >= 7 or (self.fifths == 6 and self.minor)

    @property
    def sharps(self) -> int:
        """The number of sharps in the key signature; negative for flats."""
        return self.fifths - 12 if self.flats else self.fifths

    def distance(self, other: Key) -> int:
        """Steps between two keys on the circle of fifths, 0 … 6."""
        apart = (self.fifths - other.fifths) % 12
        return min(apart, 12 - apart)

    def neighbours(self, within: int = 2) -> list[Key]:
        """Every other key at most ``within`` fifths away, of either mode."""
        every = [Key(tonic, minor) for minor in (False, True) for tonic in range(12)]
        return [key for key in every if key != self and self.distance(key) <= within]

    @classmethod
    def parse(cls, name: str) -> Key:
        """``"F# minor"``, ``"Bb"``, ``"c-sharp minor"``, ``"Am"``.

        Raises:
            ValueError: ``name`` is not a key.
        """
        text = name.strip().replace("♯", "#").replace("♭", "b").lower()
        found = re.fullmatch(
            r"([a-g])[\s-]*(#|b|sharp|flat)?[\s-]*(major|minor|maj|min|m|dur|moll)?", text
        )  # "b" alone is the note B: the letter comes first
        if found is None:
            raise ValueError(f"{name!r} is not a key")
        letter, sign, mode = found.groups()
        shift = {"#": 1, "sharp": 1, "b": -1, "flat": -1}.get(sign or "", 0)
        return cls((_LETTERS[letter] + shift) % 12, mode in ("minor", "min", "m", "moll"))


@dataclass(frozen=True)
class Chord:
    """A chord on a root; ``quality`` is a key of ``QUALITIES``."""

    root: int
    quality: str

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        return _pitch_classes(self.root, self.quality)

    @property
    def third(self) -> int:
        """The pitch class of the third, which makes a chord major or minor (the fourth in a sus chord)."""
        return self.pitch_classes[1]

    def name(self, key: Key) -> str:
        names = _FLAT_NAMES if key.flats else _SHARP_NAMES
        return names[self.root] + self.quality

    def in_key(self, key: Key) -> bool:
        return set(self.pitch_classes) <= set(key.scale)


@lru_cache(maxsize=1024)
def _pitch_classes(root: int, quality: str) -> tuple[int, ...]:
    return tuple((root + step) % 12 for step in QUALITIES[quality])


def clashing(a: int, b: int) -> bool:
    """Tell whether two pitches are a minor second or a minor ninth apart."""
    return abs(a - b) in (1, 13)


def nearest(pitch_class: int, to: int, low: int, high: int) -> int:
    """The pitch of ``pitch_class`` within ``low … high`` that is nearest to ``to``."""
    first = low + (pitch_class - low) % 12
    return min(range(first, high + 1, 12), key=lambda p: (abs(p - to), p))
