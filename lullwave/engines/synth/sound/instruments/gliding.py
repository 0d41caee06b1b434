"""Slides: a note that begins at another pitch and glides to its own; knows nothing of scores."""

from __future__ import annotations

import numpy as np

from .cache import Sound
from .tone import MUSIC_RATE

GLIDE_S = 0.085
_MOST = 12  # semitones; more is taken as an octave


def slid(sound: Sound, from_semitones: int) -> Sound:
    """``sound`` read at a speed that begins ``from_semitones`` away and eases to its own."""
    apart = float(np.clip(from_semitones, -_MOST, _MOST))
    frames = round(GLIDE_S * MUSIC_RATE)
    t = (np.arange(frames) + 0.5) / frames
    speed = 2.0 ** (apart * (0.5 + 0.5 * np.cos(np.pi * t)) / 12.0)
    places = np.cumsum(speed)
    rest = np.arange(places[-1] + 1.0, len(sound) - 1)
    places = np.concatenate([[0.0], places, rest])
    places = places[places < len(sound) - 1]
    return Sound(np.interp(places, np.arange(len(sound)), sound.values).astype(np.int16), sound.scale)
