"""Felt piano: strings with stiff partials, struck softly through felt, with the thump of the action."""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from .tone import MUSIC_RATE, bloom, chance, levelled, noise, rise, shaped


def felt_piano(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Partials n·f0·sqrt(1 + B·n²) of two strings a cent apart, hammer at an eighth of the string."""
    frames = round(seconds * MUSIC_RATE)
    spread = chance("felt", round(pitch_hz, 2), variant)
    count = int(np.clip(7000.0 / pitch_hz, 4, 24))
    n = np.arange(1, count + 1, dtype=np.float64)
    stiffness = 2.2e-4 * (pitch_hz / 220.0) ** 0.8
    freqs = n * pitch_hz * np.sqrt((1 + stiffness * n * n) / (1 + stiffness))
    strike = np.abs(np.sin(np.pi * n / 8.1)) + 0.06
    soft = np.exp(-(((n * pitch_hz) / (1500.0 + 2000.0 * velocity)) ** 1.2))
    amps = n**-1.1 * strike * soft * spread.uniform(0.75, 1.3, count)
    long_s = np.clip(9.0 * (130.0 / pitch_hz) ** 0.55, 1.6, 14.0) / (1 + 0.22 * (n - 1))
    cents = spread.uniform(0.35, 0.8)
    wave = bloom(
        frames,
        np.concatenate([freqs * 2 ** (cents / 2400), freqs * 2 ** (-cents / 2400), freqs]),
        np.concatenate([amps * 0.42, amps * 0.36, amps * 0.5]),
        np.concatenate([long_s, long_s * 0.92, long_s * 0.22]),
        np.tile(spread.uniform(-1.4, 1.4, count), 3),
        0.018,
        0.038,
    )
    wave = levelled(wave)
    thump_frames = min(frames, round(0.14 * MUSIC_RATE))
    thump = noise(thump_frames, "felt thump", variant, round(pitch_hz)) * np.exp(
        -np.arange(thump_frames, dtype=np.float32) / (0.022 * MUSIC_RATE)
    )
    thump = shaped(thump.astype(np.float32) * rise(thump_frames, 0.004), low_hz=260.0, high_hz=80.0, order=2)
    thump *= np.linspace(1, 0, thump_frames, dtype=np.float32)
    wave[:thump_frames] += thump * np.float32(0.16 / (np.abs(thump).max() + 1e-9) * 0.35)
    return shaped(wave, low_hz=3800.0 + 3000.0 * velocity, high_hz=40.0)
