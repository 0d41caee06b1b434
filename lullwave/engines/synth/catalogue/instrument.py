"""The record of a pitched instrument: what it can do, where it sits in the mix, and what prompts call it.

Levels are in dB, frequencies in Hz, times in seconds, pitches are MIDI numbers (60 is C4). The records themselves are
in ``keyboards``, ``strings``, ``blown`` and ``electronic``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

InstrumentName = Literal[
    "rhodes", "wurli", "felt_piano", "nylon_guitar", "upright_bass", "sub_bass", "synth_bass",
    "vibraphone", "pad", "flute", "muted_trumpet", "synth_lead", "music_box",
    "violin", "cello", "bowed_bass", "string_section",
    "steel_guitar", "electric_guitar", "slide_guitar", "harp", "harpsichord", "sitar", "koto",
    "choir", "humming_choir", "saxophone", "clarinet", "trumpet", "brass_section", "accordion", "organ",
    "marimba", "kalimba", "celesta", "synth_pluck", "pulse_pad", "bass_808",
]  # fmt: skip
Role = Literal["keys", "bass", "lead", "answer", "pad"]  # a part of the arrangement; "answer" is the second melody
Family = Literal[
    "pianos", "plucked", "bowed", "mallets", "winds", "organs", "choirs", "synths"
]  # a file of sound/instruments
# "slide": a note may glide from the pitch before it; "bend": a long note is often pulled up to its pitch, slowly
Articulation = Literal["slide", "bend"]
# How it plays a melody: "" the motif and its variations, "slow" long notes without a rest, "sequence" sixteenths
Line = Literal["", "slow", "sequence"]

BAR_S = 3.5  # about one bar at the slowest usual tempo


@dataclass(frozen=True)
class Seat:
    """Where an instrument sits in the mix, before the role, the section and the style move it."""

    level_db: float
    cutoff_hz: float  # low-pass
    room_db: float = -60.0  # sends, relative to the instrument; -60 is none
    plate_db: float = -60.0
    tremolo: float = 0.0  # depth 0…1
    chorus: float = 0.0  # depth 0…1


@dataclass(frozen=True)
class Voice:
    """How its notes are rendered and mixed."""

    level_db: float  # of a note of velocity 1, calibrated so that all instruments are equally loud
    release_s: float  # time constant of the decay after key-up
    ring_s: float  # the longest that a held note sounds
    touch: float = 1.3  # amplitude is velocity to this power
    layers: int = 4  # renderings by hardness
    variants: int = 2  # renderings of one note, taken in turn


@dataclass(frozen=True)
class Instrument:
    """One instrument.

    A prompt that names it casts it in its first role. The other roles are those that it takes over where the prompt
    leaves them to it ("only rhodes" plays chords, bass and melody). A style may cast it in any role.
    """

    name: InstrumentName
    family: Family  # its render function is ``name`` in sound/instruments/<family>.py
    label: str  # how it reads in a sentence
    roles: tuple[Role, ...]
    lowest: int  # pitches that may be written for it
    highest: int
    midi_program: int  # General MIDI, counted from 0
    seat: Seat
    voice: Voice
    phrases: tuple[str, ...]  # what prompts call it; "-s" and "-es" are understood
    articulations: tuple[Articulation, ...] = ()
    line: Line = ""
    comps: tuple[str, ...] = ()  # how it plays chords unless the prompt says how, names of writing.comping; (): any way
    named_comps: tuple[str, ...] = ()  # the same where the prompt names it and no style; (): as ``comps``
    unasked: float = 1.0  # how often an open palette draws it, beside the others of its family
    chords_up: int = 0  # semitones by which its chords lie above the usual ones
    style: str = ""  # of a prompt that names it and neither a style nor drums, a name of planning.styles; "": any
    bed: tuple[InstrumentName, ...] = ()  # plays the chords under it where the prompt leaves that open; (): any
    stands_in_for: tuple[str, ...] = ()  # missing instruments that this one replaces; the listener is told

    @property
    def role(self) -> Role:
        """The role that it plays when a prompt names it."""
        return self.roles[0]

    def octaves(self, lowest: int, highest: int) -> int:
        """By how many semitones a part written for ``lowest`` … ``highest`` moves, in octaves, to fit the range."""
        shifts = sorted(range(-48, 49, 12), key=abs)
        return min(shifts, key=lambda by: max(0, self.lowest - lowest - by) + max(0, highest + by - self.highest))

    @property
    def fades_within_bar(self) -> bool:
        """Whether a held chord has died away before the bar ends."""
        return self.voice.ring_s < BAR_S


def phrases(text: str) -> tuple[str, ...]:
    """The phrases of a list with commas."""
    return tuple(phrase.strip() for phrase in text.split(","))
