"""Synth lead: two soft detuned square-ish voices behind a low-pass, with vibrato."""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from .tone import MUSIC_RATE, chance, cycle, levelled, phase_of, play_cycle, rise, shaped, sine


def synth_lead(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A saw and a square seven cents apart; the filter opens with velocity and closes as the note goes on."""
    frames = round(seconds * MUSIC_RATE)
    spread = chance("lead", round(pitch_hz, 2), variant)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    grow = np.clip((t - 0.3) / 0.5, 0, 1)
    bend = 7.0 * sine(phase_of(spread.uniform(4.8, 5.4), frames)) * grow
    freq = pitch_hz * 2.0 ** (bend / 1200.0)
    count = int(np.clip(6000.0 / pitch_hz, 3, 40))
    n = np.arange(1, count + 1, dtype=np.float64)

    def saw(cutoff_hz: float) -> Samples:
        return cycle(1 / n / (1 + (n * pitch_hz / cutoff_hz) ** 2))

    def square(cutoff_hz: float) -> Samples:
        return cycle((n % 2) / n / (1 + (n * pitch_hz / cutoff_hz) ** 2))

    one = phase_of(freq * 2 ** (3.5 / 1200), frames, spread.uniform(0, 1))
    two = phase_of(freq * 2 ** (-3.5 / 1200), frames, spread.uniform(0, 1))
    low, high = 500.0 + 300 * velocity, 1600.0 + 1600.0 * velocity
    dark = play_cycle(saw(low), one) + 0.7 * play_cycle(square(low), two)
    bright = play_cycle(saw(high), one) + 0.7 * play_cycle(square(high), two)
    wave = dark + (bright - dark) * (0.3 + 0.7 * np.exp(-t / np.float32(0.45)))
    return levelled(shaped((wave * rise(frames, 0.014)).astype(np.float32), low_hz=6000.0, high_hz=120.0))
