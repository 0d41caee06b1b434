"""Every instrument of the synth: how its notes are rendered, how loud it is, how it lets go.

::

    Note ──▶ sound_of ──▶ (instrument, pitch, layer, variant, length) ──▶ cache ──▶ render in the family's file

A note is rendered as if held for one of a few lengths; key-up and exact loudness are applied when it is mixed, so that
one rendering serves many notes. Renderings are pure functions of that key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .....audio import Samples
from ...score import Drum, Instrument, Kit
from . import bass, drums, electric_piano, felt_piano, lead, mallets, pad, plucked, winds
from .cache import Sound, SoundCache
from .tone import MUSIC_RATE, fall, hertz

Render = Callable[[float, float, int, float], Samples]

_LENGTHS_S = (0.7, 1.4, 2.8, 5.0, 6.7, 9.0)


@dataclass(frozen=True)
class Voice:
    """One instrument."""

    render: Render
    level_db: float  # of a velocity-1 note against the common reference
    release_s: float  # time constant of letting go
    ring_s: float  # the longest that a held note sounds
    touch: float = 1.3  # amplitude is velocity to this power
    layers: int = 4  # renderings by hardness
    variants: int = 2  # round-robin
    glides: bool = False  # can slide from another pitch


VOICES: dict[Instrument, Voice] = {
    "rhodes": Voice(electric_piano.rhodes, -0.5, 0.07, 5.0),
    "wurli": Voice(electric_piano.wurli, 1.0, 0.06, 4.0),
    "felt_piano": Voice(felt_piano.felt_piano, -0.5, 0.09, 5.0),
    "nylon_guitar": Voice(plucked.nylon_guitar, 0.0, 0.07, 3.4),
    "upright_bass": Voice(plucked.upright_bass, -0.5, 0.05, 2.8, touch=0.8, layers=3, glides=True),
    "sub_bass": Voice(bass.sub_bass, -5.0, 0.045, 9.0, touch=0.7, layers=2, variants=1, glides=True),
    "synth_bass": Voice(bass.synth_bass, -1.5, 0.04, 9.0, touch=0.8, layers=3, variants=1, glides=True),
    "vibraphone": Voice(mallets.vibraphone, -0.5, 0.12, 5.0),
    "pad": Voice(pad.pad, -1.0, 0.32, 9.0, touch=0.8, layers=2, variants=2),
    "flute": Voice(winds.flute, -1.5, 0.06, 9.0, touch=1.0, layers=3, variants=2, glides=True),
    "muted_trumpet": Voice(winds.muted_trumpet, -4.0, 0.05, 9.0, touch=1.0, layers=3, variants=2, glides=True),
    "synth_lead": Voice(lead.synth_lead, -1.0, 0.07, 9.0, touch=0.9, layers=3, variants=1, glides=True),
    "music_box": Voice(mallets.music_box, 1.0, 0.12, 2.8, layers=3),
}

BASSES: tuple[Instrument, ...] = ("upright_bass", "sub_bass", "synth_bass")


def layer_of(velocity: float, layers: int) -> int:
    """Which rendering by hardness serves a velocity."""
    return min(layers - 1, max(0, int(velocity * layers)))


def sound_of(
    cache: SoundCache, instrument: Instrument, pitch: int, velocity: float, seconds: float, variant: int
) -> Sound:
    """A note held for at least ``seconds`` (or as long as it rings), at the instrument's calibrated level.

    Velocity chooses the colour; the caller scales by ``amplitude``.
    """
    voice = VOICES[instrument]
    length = next((s for s in _LENGTHS_S if s >= min(seconds, voice.ring_s)), _LENGTHS_S[-1])
    length = min(length, voice.ring_s)
    layer = layer_of(velocity, voice.layers)
    variant %= voice.variants
    key = (instrument, pitch, layer, variant, length)

    def make() -> Samples:
        wave = voice.render(hertz(pitch), (layer + 0.5) / voice.layers, variant, length)
        fade = min(len(wave), round(min(0.25, 0.2 * length) * MUSIC_RATE))
        wave[-fade:] *= fall(fade, fade / MUSIC_RATE)
        return wave

    return cache.get(key, make)


def amplitude(instrument: Instrument, velocity: float) -> float:
    """Linear gain of a note."""
    voice = VOICES[instrument]
    return float(10.0 ** (voice.level_db / 20.0) * max(velocity, 0.01) ** voice.touch)


def stroke_of(cache: SoundCache, kit: Kit, drum: Drum, velocity: float, variant: int) -> Sound:
    """A drum stroke of one of six variants and three hardnesses, peak 1."""
    layer = layer_of(velocity, 3)
    return cache.get(
        ("drum", kit, drum, layer, variant % 6), lambda: drums.stroke(kit, drum, (layer + 0.5) / 3, variant % 6)
    )
