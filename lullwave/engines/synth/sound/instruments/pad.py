"""Pad: seven slightly detuned saws behind a filter that moves slowly."""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from .tone import MUSIC_RATE, chance, cycle, levelled, phase_of, play_voices, rise, sine

_CENTS = (-11.0, -7.0, -3.0, 0.0, 4.0, 7.5, 11.5)


def pad(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Band-limited saws within 12 cents, low-passed between about 600 and 1800 Hz."""
    frames = round(seconds * MUSIC_RATE)
    spread = chance("pad", round(pitch_hz, 2), variant)
    count = int(np.clip(7000.0 / pitch_hz, 2, 60))
    n = np.arange(1, count + 1, dtype=np.float64)
    low, high = 1000.0 + 600.0 * velocity, 3000.0 + 2000.0 * velocity

    def saw(cutoff_hz: float) -> Samples:
        return cycle(n**-1.0 / (1 + (n * pitch_hz / cutoff_hz) ** 2), 1024)

    dark, bright = saw(low), saw(high)
    move = 0.45 + 0.4 * sine(phase_of(spread.uniform(0.07, 0.13), frames, spread.uniform(0, 1)))
    table = np.stack([dark, bright])
    voices = [(pitch_hz * 2 ** (c * spread.uniform(0.8, 1.05) / 1200), spread.uniform(0, 1)) for c in _CENTS]
    total = play_voices(table, voices, frames)
    wave = total[0] + (total[1] - total[0]) * move
    return levelled(wave, window_s=0.4) * rise(frames, min(0.9, 0.25 + 0.5 * (1 - velocity)))
