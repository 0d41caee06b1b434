"""Organ and accordion: tonewheels behind a rotor, and free reeds in pairs."""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from ..synthesis import MUSIC_RATE, cycle, formants, levelled, phase_of, play_cycle, play_voices, rise, shaped, sine

_DRAWBARS = ((1, 0.8), (2, 1.0), (3, 0.75), (4, 0.45), (6, 0.22), (8, 0.2), (12, 0.1), (16, 0.12))  # of a 16-foot pipe
_ACCORDION = ((700.0, 500.0, 0.8), (1800.0, 700.0, 0.6), (3200.0, 1000.0, 0.3))


def organ(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Tonewheels with the lowest drawbars out, and the slow rotor of a loudspeaker that turns."""
    frames = round(seconds * MUSIC_RATE)
    amps = np.zeros(16)
    for number, amount in _DRAWBARS:
        if number * pitch_hz / 2 < 0.44 * MUSIC_RATE:
            amps[number - 1] = amount * (1.0 if number < 8 else 0.5 + velocity)
    rotor = sine(phase_of(0.85, frames, 0.1))
    cycles = phase_of(0.5 * pitch_hz, frames) + 0.0008 * pitch_hz / 100.0 * rotor
    wave = np.tanh(np.float32(0.35) * play_cycle(cycle(amps, turned=True), cycles))
    wave = wave * (1 + np.float32(0.12) * rotor) * rise(frames, 0.016)
    return levelled(shaped(wave.astype(np.float32), low_hz=4500.0, high_hz=40.0))


def accordion(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Three free reeds, the outer two ten cents apart (musette)."""
    frames = round(seconds * MUSIC_RATE)
    n = np.arange(1, int(np.clip(0.44 * MUSIC_RATE / pitch_hz, 4, 40)) + 1, dtype=np.float64)
    bright_hz = 3500.0 + 3000.0 * velocity
    amps = (
        n**-0.75 * formants(n * pitch_hz, _ACCORDION, 0.4) * (1 + 0.4 * (n % 2)) / (1 + (n * pitch_hz / bright_hz) ** 2)
    )
    reeds = [
        (pitch_hz * 2 ** (cents / 1200), start) for cents, start in ((-5.0, 0.1), (5.0, 0.63), (0.0, 0.3), (0.0, 0.31))
    ]
    wave = play_voices(cycle(amps, turned=True)[None], reeds, frames)[0] * rise(frames, 0.05)
    return levelled(shaped(wave, low_hz=6500.0, high_hz=110.0))
