"""A piece in numbers: all that the composer needs to write it, bar by bar, and nothing that it decides itself.

Frozen and JSON-able, small enough to be kept for every piece that was ever aired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, get_args, get_type_hints

from .catalogue.drums import KitName
from .catalogue.instruments import InstrumentName, Role
from .catalogue.productions import ProductionName
from .score import RATE, Ambience, Feel, MetreName
from .theory import Chord, Key

VERSION = 4
MAX_SECTIONS, MAX_BARS = 64, 128  # of a piece, and of one section; the planner writes at most 12 and 16
TEMPOS_BPM = (20.0, 400.0)  # slowest and fastest that the composer writes
MAX_TAIL_FRAMES = 60 * RATE  # of a last bar in which everything rings; the planner writes 8 s
BEATS = 4  # of a bar


@dataclass(frozen=True)
class Slot:
    """A chord for some beats; ``degree`` is in semitones above the tonic."""

    beats: float
    degree: int
    quality: str

    def chord(self, key: Key) -> Chord:
        return Chord((key.tonic + self.degree) % 12, self.quality)


@dataclass(frozen=True)
class MotifNote:
    """One note of a melodic idea: onset and length in sixteenths from the idea's bar, pitch in semitones from C4."""

    onset: int
    length: int
    pitch: int


@dataclass(frozen=True)
class Section:
    """Consecutive bars that share chords, players and patterns."""

    name: str
    bars: int
    tonic: int
    minor: bool
    slots: tuple[Slot, ...]  # fill the bars exactly
    roles: tuple[Role, ...]  # that play here
    drums: int  # 0 none, 1 hats or rim alone, 2 without ghosts, 3 full
    kick: tuple[int, ...]  # steps of 16
    hats: str
    comp: str
    bass: int  # which cell
    motif: tuple[MotifNote, ...]
    phrase: str  # plan of the melody
    spread: bool  # open voicings
    energy: float  # 0…1
    bright: float  # factor of the cut-offs
    tempo_from: float
    tempo_to: float
    fill: bool = False  # a fill leads out of it
    drop: bool = False  # the drums fall silent before its end
    closing: str = ""  # "" goes on, "turn" leads to another piece, "ring" is the end of all
    border: bool = False  # another piece joins here
    metre: MetreName = "4/4"
    feel: Feel = ""
    held: int = 0  # bars before the tempo begins to move
    tail_frames: int = 0  # a last bar of this length in which everything rings
    players: Mapping[Role, InstrumentName] = field(default_factory=dict)  # in the place of the band's
    loop_bars: int = 0  # chords, bass and drums repeat after this many bars; 0: written through
    theme: str = "A"  # sections of one theme repeat the same loop

    @property
    def key(self) -> Key:
        return Key(self.tonic, self.minor)

    def tempo(self, bar: int) -> float:
        """The tempo of a bar of the section."""
        if bar < self.held:
            return self.tempo_from
        if self.bars - self.held <= 1:
            return self.tempo_to
        return self.tempo_from + (self.tempo_to - self.tempo_from) * (bar + 1 - self.held) / (self.bars - self.held)


@dataclass(frozen=True)
class Band:
    """The players of a piece, their feel, and their place in the mix."""

    instruments: Mapping[Role, InstrumentName]
    kit: KitName
    swing: float  # 0.5 straight … 0.68
    swing_unit: float  # in beats: 0.5 swings the sixteenths, 1.0 the eighths
    feel_ms: Mapping[str, float]  # push and pull of each part and drum
    pan: Mapping[Role, float]
    wet: float  # 0 dry … 1 far away
    warmth: float
    wow: float
    cutoff_hz: float
    crackle_db: float
    hiss_db: float
    ambience_lufs: Mapping[Ambience, float]
    drums_db: float
    gate: bool = False  # a big gated snare
    muted: tuple[str, ...] = ()  # strokes that were refused: "kick", "snare", "hat"
    levels_db: Mapping[str, float] = field(default_factory=dict)  # of instruments and parts, beside the usual
    production: ProductionName = "dusty"
    featured: tuple[InstrumentName, ...] = ()  # named by the prompt: louder than everything else that is melodic


@dataclass(frozen=True)
class PieceSpec:
    """One piece."""

    number: int
    seed: int
    title: str
    prompt: str
    tempo_bpm: float
    tonic: int
    minor: bool
    form: str
    progression: tuple[Slot, ...]  # the loop of its first theme
    band: Band
    sections: tuple[Section, ...]
    version: int = VERSION

    @property
    def key(self) -> Key:
        return Key(self.tonic, self.minor)

    @property
    def bars(self) -> int:
        return sum(section.bars + (1 if section.tail_frames else 0) for section in self.sections)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> PieceSpec:
        """The piece of what ``to_json`` made.

        Raises:
            ValueError: a section is longer, slower or faster than the composer allows.
            KeyError, TypeError: a field is absent or of another type.
        """
        spec = _build(cls, data)
        assert isinstance(spec, cls)
        _check_lengths(spec)
        return spec


def _check_lengths(spec: PieceSpec) -> None:
    if not 1 <= len(spec.sections) <= MAX_SECTIONS:
        raise ValueError(f"a piece of {len(spec.sections)} sections; allowed: 1 to {MAX_SECTIONS}")
    slowest, fastest = TEMPOS_BPM
    for section in spec.sections:
        if section.metre not in get_args(MetreName) or section.feel not in get_args(Feel):
            raise ValueError(f"metre {section.metre!r} and feel {section.feel!r}")
        tempos = (section.tempo_from, section.tempo_to)
        if not all(slowest <= tempo <= fastest for tempo in tempos):
            raise ValueError(f"tempos {tempos}; allowed: {slowest:g} to {fastest:g} bpm")
        if not 0 <= section.loop_bars <= MAX_BARS:
            raise ValueError(f"a loop of {section.loop_bars} bars; allowed: 0 to {MAX_BARS}")
        if not (0 <= section.bars <= MAX_BARS and 0 <= section.tail_frames <= MAX_TAIL_FRAMES):
            raise ValueError(f"a section of {section.bars} bars and {section.tail_frames} frames of tail")
        beats = [slot.beats for slot in section.slots]
        if min(beats, default=1) <= 0 or len(beats) > BEATS * MAX_BARS or sum(beats) > BEATS * MAX_BARS:
            raise ValueError(f"{len(beats)} chords of {sum(beats):g} beats; allowed: {BEATS * MAX_BARS}")


def _build(cls: type[Any], data: Mapping[str, Any]) -> Any:
    """A dataclass of this module from what ``asdict`` (and JSON) made of it."""
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for one in fields(cls):
        value = data[one.name]
        hint = hints[one.name]
        inner = getattr(hint, "__args__", (None,))[0]
        if hint is Band:
            value = _build(Band, value)
        elif isinstance(value, (list, tuple)):
            value = tuple(_build(inner, v) if inner in (Slot, MotifNote, Section) else v for v in value)
        elif isinstance(value, Mapping):
            value = dict(value)
        values[one.name] = value
    return cls(**values)
