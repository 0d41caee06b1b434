"""A note as the parts write it, in beats from the beginning of its section; time in seconds comes later.

Also the chords with their voicings, which all parts follow.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..theory import Chord


@dataclass(frozen=True)
class Event:
    """A written note."""

    part: str
    beat: float
    beats: float
    pitch: int
    velocity: float
    grace: bool = False
    slide_from: int | None = None
    roll: int = 0  # place in a rolled chord
    ring: bool = False  # sounds to the very end of the piece
    skip: float = 0.0  # a chop: it begins this many beats into its sound
    pitched: int = 0  # a chop: semitones by which its recording is read faster

    @property
    def end(self) -> float:
        return self.beat + self.beats


@dataclass(frozen=True)
class VoicedChord:
    """A chord in its place, with the voicing that the keys play."""

    beat: float
    beats: float
    chord: Chord
    voicing: tuple[int, ...]
    borrowed: bool

    @property
    def end(self) -> float:
        return self.beat + self.beats


def chord_at(chords: list[VoicedChord], beat: float) -> VoicedChord:
    """The chord that holds at a beat."""
    for one in reversed(chords):
        if one.beat <= beat + 1e-6:
            return one
    return chords[0]
