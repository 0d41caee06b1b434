"""Vibraphone and music box: struck bars and plucked teeth."""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from ..synthesis import MUSIC_RATE, generator, levelled, modes, phase_of, rise, shaped, sine


def vibraphone(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Aluminium bars tuned to 1 : 4 : 10, with the motor's slow beating in the resonators."""
    frames = round(seconds * MUSIC_RATE)
    spread = generator("vibes", round(pitch_hz, 2), variant)
    slow = float(np.clip((440.0 / pitch_hz) ** 0.4, 0.6, 1.6))
    wave = modes(
        frames,
        [pitch_hz, pitch_hz * 4.0, pitch_hz * spread.uniform(9.6, 10.1)],
        [1.0, 0.10 + 0.14 * velocity, 0.03 + 0.07 * velocity],
        [5.5 * slow, 1.6 * slow, 0.35],
        [0.0, 0.3, 0.9],
    )
    motor = 1.0 - (0.16 + 0.16 * sine(phase_of(spread.uniform(4.3, 4.9), frames, spread.uniform(0, 1))))
    wave *= motor * rise(frames, 0.014)
    return levelled(shaped(wave.astype(np.float32), low_hz=4500.0 + 2500.0 * velocity))


def music_box(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Steel teeth: a clear fundamental, the 6.27th mode of a clamped bar, and a small tick."""
    frames = round(seconds * MUSIC_RATE)
    spread = generator("music box", round(pitch_hz, 2), variant)
    slow = float(np.clip((523.0 / pitch_hz) ** 0.5, 0.5, 1.8))
    wave = modes(
        frames,
        [pitch_hz, pitch_hz * 2.003, pitch_hz * spread.uniform(6.1, 6.35)],
        [1.0, 0.12, 0.10 + 0.12 * velocity],
        [2.6 * slow, 1.2 * slow, 0.22],
        [0.0, 0.5, 0.2],
    )
    wave *= rise(frames, 0.014)
    return levelled(shaped(wave, low_hz=3600.0 + 2400.0 * velocity, high_hz=120.0))
