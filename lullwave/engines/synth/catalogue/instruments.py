"""The pitched instruments: what each can do, where it sits in the mix, and what prompts call it.

Levels are in dB, frequencies in Hz, times in seconds, pitches are MIDI numbers (60 is C4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

InstrumentName = Literal[
    "rhodes", "wurli", "felt_piano", "nylon_guitar", "upright_bass", "sub_bass", "synth_bass",
    "vibraphone", "pad", "flute", "muted_trumpet", "synth_lead", "music_box",
]  # fmt: skip
Role = Literal["keys", "bass", "lead", "answer", "pad"]  # a part of the arrangement; "answer" is the second melody
Family = Literal["pianos", "plucked", "mallets", "winds", "synths"]  # a file of sound/instruments
Articulation = Literal["slide"]  # "slide": a note may glide from the pitch before it

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
    stands_in_for: tuple[str, ...] = ()  # missing instruments that this one replaces; the listener is told

    @property
    def role(self) -> Role:
        """The role that it plays when a prompt names it."""
        return self.roles[0]

    @property
    def fades_within_bar(self) -> bool:
        """Whether a held chord has died away before the bar ends."""
        return self.voice.ring_s < BAR_S


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split(","))


# fmt: off
_ALL = (
    Instrument(
        "rhodes", "pianos", "Rhodes", ("keys", "bass", "lead"), 28, 88, midi_program=4,
        seat=Seat(0.0, 5200, -18, -22, tremolo=0.25, chorus=0.15), voice=Voice(-0.5, 0.07, 5.0),
        phrases=_phrases("rhodes, electric piano, e piano, epiano, fender rhodes, ep, mk1"),
    ),
    Instrument(
        "wurli", "pianos", "Wurlitzer", ("keys", "bass", "lead"), 28, 88, midi_program=5,
        seat=Seat(0.0, 5200, -18, -24, tremolo=0.3, chorus=0.1), voice=Voice(1.0, 0.06, 4.0),
        phrases=_phrases("wurli, wurlitzer, wurly, wurlitzer piano"),
        stands_in_for=_phrases("organ, hammond, church organ, pipe organ, clavinet, clavichord, accordion, harmonium"),
    ),
    Instrument(
        "felt_piano", "pianos", "piano", ("keys", "bass", "lead"), 28, 88, midi_program=0,
        seat=Seat(0.0, 5600, -16, -18), voice=Voice(-0.5, 0.09, 5.0),
        phrases=_phrases("piano, felt piano, upright piano, grand piano, pianist, felt"),
        stands_in_for=_phrases("harpsichord, honky tonk piano, pianoforte, cembalo"),
    ),
    Instrument(
        "nylon_guitar", "plucked", "guitar", ("keys", "bass", "lead"), 28, 88, midi_program=24,
        seat=Seat(0.0, 6000, -16, -20), voice=Voice(0.0, 0.07, 3.4),
        phrases=_phrases(
            "guitar, nylon guitar, acoustic guitar, classical guitar, spanish guitar, nylon string guitar, "
            "string guitar, jazz guitar, fingerpicked guitar, fingerpicking, nylon, strings plucked"
        ),
        stands_in_for=_phrases(
            "steel string guitar, electric guitar, steel guitar, slide guitar, slack key guitar, ukulele, koto, "
            "guzheng, harp, lute, banjo, mandolin, sitar, oud, bouzouki, dulcimer, zither, lyre, shamisen, "
            "pipa, balalaika"
        ),
    ),
    Instrument(
        "upright_bass", "plucked", "upright bass", ("bass",), 28, 88, midi_program=32,
        seat=Seat(0.0, 2500, -26), voice=Voice(-0.5, 0.05, 2.8, touch=0.8, layers=3), articulations=("slide",),
        phrases=_phrases("upright bass, double bass, contrabass, acoustic bass, walking bass, stand up bass"),
    ),
    Instrument(
        "sub_bass", "synths", "sub-bass", ("bass",), 26, 88, midi_program=39,
        seat=Seat(0.0, 1200), voice=Voice(-5.0, 0.045, 9.0, touch=0.7, layers=2, variants=1),
        articulations=("slide",),
        phrases=_phrases("sub bass, sub, 808, 808 bass, deep bass"),
    ),
    Instrument(
        "synth_bass", "synths", "synth bass", ("bass",), 28, 88, midi_program=38,
        seat=Seat(0.0, 1600), voice=Voice(-1.5, 0.04, 9.0, touch=0.8, layers=3, variants=1),
        articulations=("slide",),
        phrases=_phrases("synth bass, saw bass, moog, moog bass, bass synth"),
    ),
    Instrument(
        "vibraphone", "mallets", "vibraphone", ("lead", "keys"), 52, 89, midi_program=11,
        seat=Seat(-1.0, 7000, -18, -16), voice=Voice(-0.5, 0.12, 5.0),
        phrases=_phrases(
            "vibraphone, vibraharp, jazz vibes, mallet"
        ),
        stands_in_for=_phrases(
            "marimba, xylophone, glockenspiel, bell, balafon, steel drum, steelpan, hang drum, gamelan"
        ),
    ),
    Instrument(
        "music_box", "mallets", "music box", ("lead", "keys"), 52, 96, midi_program=10,
        seat=Seat(-2.0, 6500, -18, -14), voice=Voice(1.0, 0.12, 2.8, layers=3),
        phrases=_phrases("music box, lullaby box"),
        stands_in_for=_phrases("celesta, kalimba, thumb piano, mbira, chime, wind chime, toy piano"),
    ),
    Instrument(
        "flute", "winds", "flute", ("lead",), 60, 96, midi_program=73,
        seat=Seat(-2.0, 6000, -16, -14), voice=Voice(-1.5, 0.06, 9.0, touch=1.0, layers=3),
        articulations=("slide",),
        phrases=_phrases("flute"),
        stands_in_for=_phrases(
            "shakuhachi, recorder, woodwind, pan flute, whistle, ocarina, clarinet, oboe, bassoon, english horn, "
            "piccolo, duduk, bagpipe, harmonica, melodica"
        ),
    ),
    Instrument(
        "muted_trumpet", "winds", "muted trumpet", ("lead",), 54, 88, midi_program=59,
        seat=Seat(-2.5, 5600, -16, -16), voice=Voice(-4.0, 0.05, 9.0, touch=1.0, layers=3),
        articulations=("slide",),
        phrases=_phrases("trumpet, muted trumpet"),
        stands_in_for=_phrases(
            "horn, brass, cornet, sax, saxophone, alto sax, tenor sax, flugelhorn, trombone, tuba, french horn, bugle, "
            "open trumpet"
        ),
    ),
    Instrument(
        "synth_lead", "synths", "synth lead", ("lead",), 52, 88, midi_program=81,
        seat=Seat(-3.0, 5200, -20, -14, chorus=0.3), voice=Voice(-1.0, 0.07, 9.0, touch=0.9, layers=3, variants=1),
        articulations=("slide",),
        phrases=_phrases("synth lead, synth, lead synth, synthesizer, synthesiser, saw lead"),
        stands_in_for=_phrases("theremin, talk box, ondes martenot"),
    ),
    Instrument(
        "pad", "synths", "pads", ("pad", "keys"), 52, 88, midi_program=89,
        seat=Seat(-6.0, 4200, -18, -14, chorus=0.6), voice=Voice(-1.0, 0.32, 9.0, touch=0.8, layers=2),
        phrases=_phrases(
            "pad, pads, synth pad, synth strings, string machine, mellotron"
        ),
        stands_in_for=_phrases(
            "string, strings, string section, string quartet, bowed strings, violin, violins, viola, cello, fiddle, "
            "erhu, orchestra, choir, chorus, choral"
        ),
    ),
)
# fmt: on

INSTRUMENTS: Mapping[InstrumentName, Instrument] = {one.name: one for one in _ALL}
