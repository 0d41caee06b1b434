"""The score: bars of notes, drum hits and mix settings, as the composer writes and the renderer plays them.

Pure values; knows neither theory nor sound. The bar is the unit of everything: music is composed, steered, rendered
and resumed bar by bar. All times inside a bar are seconds from its beginning and are final: swing, push and pull and
human spread are already in them, so an event may begin a little before 0 (never more than ``LOOKAHEAD_S``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from .catalogue.drums import DrumName, KitName
from .catalogue.instruments import InstrumentName

RATE = 44100  # Hz, of everything that the synth renders; stereo
LOOKAHEAD_S = 0.03  # how far before its bar an event may begin

Ambience = Literal["rain", "fire", "cafe", "night", "waves", "train"]
MetreName = Literal["4/4", "3/4", "6/8"]
Feel = Literal["", "half", "double"]  # where the backbeat lies: half-time, double-time

AMBIENCES: tuple[Ambience, ...] = get_args(Ambience)


@dataclass(frozen=True)
class Note:
    """One pitched note of a part. ``part`` is a key of ``Mix.tracks``."""

    part: str
    start_s: float
    length_s: float  # until key-up; the instrument's release comes after it
    pitch: int  # MIDI number, 60 is C4
    velocity: float  # above 0, at most 1
    grace: bool = False  # an ornament: played, left out of motifs
    slide_from: int | None = None  # glide from this pitch (bass, lead), where the instrument can
    skip_s: float = 0.0  # a chop: it begins this far into its sound
    pitched: int = 0  # a chop: semitones by which its recording is read faster (above 0) or slower


@dataclass(frozen=True)
class Hit:
    """One stroke on the drum kit."""

    drum: DrumName
    start_s: float
    velocity: float  # above 0, at most 1; ghosts are about 0.15-0.3


@dataclass(frozen=True)
class Track:
    """How one part sounds in this bar. Values that differ from the bar before are glided to."""

    instrument: InstrumentName
    level_db: float = 0.0  # relative to the instrument's own calibrated level; -60 and below is silent
    pan: float = 0.0  # -1 left … 1 right
    cutoff_hz: float = 20000.0  # low-pass of the part
    thin_hz: float = 0.0  # high-pass of the part; 0 is none
    scoop_db: float = 0.0  # bell at 500 Hz
    highs_db: float = 0.0  # shelf above 2 kHz
    room_db: float = -18.0  # sends, relative to the part
    plate_db: float = -60.0
    tremolo: float = 0.0  # depth 0…1
    chorus: float = 0.0  # depth 0…1


@dataclass(frozen=True)
class Mix:
    """Everything about a bar's sound that is not a note."""

    tracks: Mapping[str, Track]
    kit: KitName = "dusty"
    drums_db: float = 0.0
    drums_cutoff_hz: float = 9000.0
    drums_crush: float = 0.3  # wet share of bit reduction 0…1
    drums_room_db: float = -22.0
    drums_attack_db: float = 4.0  # the most that the drum bus adds to an attack
    drums_parallel: float = 0.4  # compressed copy of the drums beside them, 0…1
    drums_air_db: float = 6.0  # shelf of the drums above 4 kHz
    duck_db: float = 5.0  # how far the music dips under each kick; the bass, and all under a snare, half as far
    cutoff_hz: float = 10000.0  # low-pass of the whole music (not of crackle and ambience)
    warmth: float = 0.5  # saturation 0…1
    wow: float = 0.5  # depth of wow and flutter 0…1
    crackle_db: float = -44.0  # level of the vinyl crackle; -120 is off
    hiss_db: float = -62.0  # level of the tape hiss; -120 is off
    music_db: float = 0.0  # gain of the music as a whole
    music_lufs: float | None = None  # planned loudness of the section; None leaves it as it comes
    ambience_lufs: Mapping[Ambience, float] = field(default_factory=dict)  # loudness of each layer that is on


@dataclass(frozen=True)
class ChordAt:
    """A chord that begins in this bar, for readers other than the renderer (page, MIDI, tests)."""

    beat: float
    name: str  # such as "Dm9"
    root: int  # pitch class
    pitch_classes: tuple[int, ...]
    borrowed: bool = False  # not diatonic in the piece's key


@dataclass(frozen=True)
class Bar:
    """One bar of one piece."""

    start_frame: int  # in the stream
    frames: int
    beats: int
    notes: tuple[Note, ...]
    hits: tuple[Hit, ...]
    mix: Mix
    chords: tuple[ChordAt, ...]
    piece: int  # number of the piece in the stream
    bar: int  # number of the bar in its piece
    section: str  # "intro", "A", "B", "break", "outro"…
    tempo_bpm: float  # beats a minute; in 6/8 a beat is a dotted quarter note
    take: int = -1  # bars of one take are played by the same renderings; -1 is a take of its own
    metre: MetreName = "4/4"

    @property
    def start_s(self) -> float:
        """Seconds of the stream before it."""
        return self.start_frame / RATE

    @property
    def quarters(self) -> float:
        """Its length in quarter notes at its tempo; the bar that rings out at the end of a piece may have any."""
        return self.seconds * self.quarters_per_minute / 60.0

    @property
    def quarters_per_minute(self) -> float:
        return self.tempo_bpm * (1.5 if self.metre == "6/8" else 1.0)

    @property
    def seconds(self) -> float:
        return self.frames / RATE

    def part(self, start: int, stop: int) -> Bar:
        """Its frames from ``start`` to ``stop`` as a bar of its own, with the events that begin in them.

        A ``start`` below 0 puts a rest before it. Notes that go on end at ``stop``, if that is not the bar's own end.
        """
        if (start, stop) == (0, self.frames):
            return self
        shift_s, end_s = start / RATE, stop / RATE

        def within(at_s: float) -> bool:
            return (start <= 0 or at_s >= shift_s) and at_s < end_s

        def cut(note: Note) -> Note:
            length_s = note.length_s if stop == self.frames else min(note.length_s, end_s - note.start_s)
            return replace(note, start_s=note.start_s - shift_s, length_s=length_s)

        quarters_per_s = self.quarters_per_minute / 60.0
        return replace(
            self,
            start_frame=self.start_frame + start,
            frames=stop - start,
            notes=tuple(cut(note) for note in self.notes if within(note.start_s)),
            hits=tuple(replace(hit, start_s=hit.start_s - shift_s) for hit in self.hits if within(hit.start_s)),
            chords=tuple(
                replace(chord, beat=chord.beat - shift_s * quarters_per_s)
                for chord in self.chords
                if within(chord.beat / quarters_per_s)
            ),
        )
