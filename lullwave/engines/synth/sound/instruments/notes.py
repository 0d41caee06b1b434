"""Renders notes and drum strokes through the cache, and glides from one pitch to another.

::

    Note ──▶ sound_of ──▶ (instrument, pitch, layer, variant, length) ──▶ cache ──▶ render function of the instrument

A note is rendered as if held for one of a few lengths; key-up and exact loudness are applied when it is mixed, so that
one rendering serves many notes. Renderings are pure functions of that key.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache as cached
from importlib import import_module

import numpy as np

from .....audio import Samples
from ...catalogue.drums import DrumName, KitName
from ...catalogue.instruments import INSTRUMENTS, InstrumentName
from ..synthesis import MUSIC_RATE, fall, hertz
from . import drums
from .cache import Sound, SoundCache

Render = Callable[[float, float, int, float], Samples]  # (pitch in Hz, velocity, variant, seconds) to (T,)

_LENGTHS_S = (0.7, 1.0, 1.4, 2.0, 2.8, 3.8, 5.0, 6.7, 9.0)  # notes are rendered in these lengths
_STROKE_LAYERS, _STROKE_VARIANTS = 3, 6  # renderings of a drum stroke by hardness, and taken in turn
GLIDE_S = 0.085  # length of a slide
BEND_S = 0.22  # length of a bend
_WIDEST_GLIDE = 12  # semitones; a wider one begins an octave away


@cached
def render_function(name: InstrumentName) -> Render:
    """The function that renders an instrument: it bears its name, in the file of its family."""
    family = import_module(f".{INSTRUMENTS[name].family}", __package__)
    render: Render = getattr(family, name)
    return render


def layer_of(velocity: float, layers: int) -> int:
    """Which rendering by hardness serves a velocity."""
    return min(layers - 1, max(0, int(velocity * layers)))


def sound_of(
    cache: SoundCache, instrument: InstrumentName, pitch: int, velocity: float, seconds: float, variant: int
) -> Sound:
    """A note held for at least ``seconds`` (or as long as it rings), at the instrument's calibrated level.

    Velocity chooses the colour; the caller scales by ``amplitude``.
    """
    voice = INSTRUMENTS[instrument].voice
    length = next((s for s in _LENGTHS_S if s >= min(seconds, voice.ring_s)), _LENGTHS_S[-1])
    length = min(length, voice.ring_s)
    layer = layer_of(velocity, voice.layers)
    variant %= voice.variants
    key = (instrument, pitch, layer, variant, length)
    render = render_function(instrument)

    def make() -> Samples:
        wave = render(hertz(pitch), (layer + 0.5) / voice.layers, variant, length)
        fade = min(len(wave), round(min(0.25, 0.2 * length) * MUSIC_RATE))
        wave[-fade:] *= fall(fade, fade / MUSIC_RATE)
        return wave

    return cache.get(key, make)


def pitched_sound(
    cache: SoundCache,
    instrument: InstrumentName,
    pitch: int,
    velocity: float,
    seconds: float,
    variant: int,
    semitones: int,
) -> Sound:
    """A note as from a sampler: another pitch, read ``semitones`` faster (below 0: slower), is heard at ``pitch``."""
    speed = 2.0 ** (semitones / 12.0)
    played = sound_of(cache, instrument, pitch - semitones, velocity, seconds * speed, variant)

    def make() -> Samples:
        places = np.arange(0.0, len(played) - 1, speed)
        return np.interp(places, np.arange(len(played)), played.part(0, len(played))).astype(np.float32)

    voice = INSTRUMENTS[instrument].voice
    layer = layer_of(velocity, voice.layers)
    key = ("pitched", instrument, pitch, layer, variant % voice.variants, len(played), semitones)
    return cache.get(key, make)


def amplitude(instrument: InstrumentName, velocity: float) -> float:
    """Linear gain of a note."""
    voice = INSTRUMENTS[instrument].voice
    return float(10.0 ** (voice.level_db / 20.0) * max(velocity, 0.01) ** voice.touch)


def stroke_of(cache: SoundCache, kit: KitName, drum: DrumName, velocity: float, variant: int) -> Sound:
    """A drum stroke of peak 1; the caller scales it by its velocity."""
    layer = layer_of(velocity, _STROKE_LAYERS)
    variant %= _STROKE_VARIANTS
    hardness = (layer + 0.5) / _STROKE_LAYERS
    return cache.get(("drum", kit, drum, layer, variant), lambda: drums.stroke(kit, drum, hardness, variant))


def slid(sound: Sound, from_semitones: int, glide_s: float = GLIDE_S) -> Sound:
    """``sound`` read at a speed that begins ``from_semitones`` away and eases to its own within ``glide_s``."""
    apart = float(np.clip(from_semitones, -_WIDEST_GLIDE, _WIDEST_GLIDE))
    frames = round(glide_s * MUSIC_RATE)
    t = (np.arange(frames) + 0.5) / frames
    speed = 2.0 ** (apart * (0.5 + 0.5 * np.cos(np.pi * t)) / 12.0)
    places = np.cumsum(speed)
    rest = np.arange(places[-1] + 1.0, len(sound) - 1)
    places = np.concatenate([[0.0], places, rest])
    places = places[places < len(sound) - 1]
    return Sound(np.interp(places, np.arange(len(sound)), sound.values).astype(np.int16), sound.scale)
