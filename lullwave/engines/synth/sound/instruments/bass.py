"""Sub bass and synth bass: a warm sine, and a filtered saw."""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from .tone import MUSIC_RATE, cycle, levelled, phase_of, play_cycle, rise, shaped, sine


def sub_bass(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A sine with a tenth of tanh, so that small speakers hear it too."""
    frames = round(seconds * MUSIC_RATE)
    pure = sine(phase_of(pitch_hz, frames))
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    body = 0.72 + 0.28 * np.exp(-t / np.float32(0.35))
    warm = np.tanh(pure * np.float32(1.6 + velocity) + np.float32(0.18)) - np.float32(np.tanh(0.18))
    wave = (0.82 * pure + 0.22 * warm) * body * rise(frames, 0.015)
    return levelled(shaped(wave.astype(np.float32), low_hz=900.0, high_hz=24.0))


def synth_bass(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A band-limited saw whose filter closes after the attack, over its own fundamental."""
    frames = round(seconds * MUSIC_RATE)
    count = int(np.clip(5000.0 / pitch_hz, 4, 64))
    n = np.arange(1, count + 1, dtype=np.float64)

    def saw(cutoff_hz: float) -> Samples:
        return cycle(1 / n / np.sqrt(1 + (n * pitch_hz / cutoff_hz) ** 4), turned=True)

    cycles = phase_of(pitch_hz, frames)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    open_ = np.exp(-t / np.float32(0.16)) * np.float32(0.35 + 0.5 * velocity)
    dark, bright = play_cycle(saw(320.0), cycles), play_cycle(saw(1300.0), cycles)
    wave = dark + (bright - dark) * open_ + 0.35 * sine(cycles)
    wave *= (0.8 + 0.2 * np.exp(-t / np.float32(0.25))) * rise(frames, 0.016)
    return levelled(shaped(wave.astype(np.float32), high_hz=28.0))
