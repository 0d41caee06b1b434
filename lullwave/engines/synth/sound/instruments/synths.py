"""Sub bass, synth bass, synth lead and pad: oscillators behind moving low-pass filters."""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from ..synthesis import MUSIC_RATE, cycle, generator, levelled, phase_of, play_cycle, play_voices, rise, shaped, sine

_PAD_CENTS = (-11.0, -7.0, -3.0, 0.0, 4.0, 7.5, 11.5)  # how far the seven saws of the pad are out of tune


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


def synth_lead(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A saw and a square seven cents apart; the filter opens with velocity and closes as the note goes on."""
    frames = round(seconds * MUSIC_RATE)
    spread = generator("lead", round(pitch_hz, 2), variant)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    grow = np.clip((t - 0.3) / 0.5, 0, 1)
    bend = 7.0 * sine(phase_of(spread.uniform(4.8, 5.4), frames)) * grow
    freq = pitch_hz * 2.0 ** (bend / 1200.0)
    count = int(np.clip(6000.0 / pitch_hz, 3, 40))
    n = np.arange(1, count + 1, dtype=np.float64)

    def saw(cutoff_hz: float) -> Samples:
        return cycle(1 / n / (1 + (n * pitch_hz / cutoff_hz) ** 2), turned=True)

    def square(cutoff_hz: float) -> Samples:
        return cycle((n % 2) / n / (1 + (n * pitch_hz / cutoff_hz) ** 2), turned=True)

    one = phase_of(freq * 2 ** (3.5 / 1200), frames, spread.uniform(0, 1))
    two = phase_of(freq * 2 ** (-3.5 / 1200), frames, spread.uniform(0, 1))
    low, high = 500.0 + 300 * velocity, 1600.0 + 1600.0 * velocity
    dark = play_cycle(saw(low), one) + 0.7 * play_cycle(square(low), two)
    bright = play_cycle(saw(high), one) + 0.7 * play_cycle(square(high), two)
    wave = dark + (bright - dark) * (0.3 + 0.7 * np.exp(-t / np.float32(0.45)))
    return levelled(shaped((wave * rise(frames, 0.014)).astype(np.float32), low_hz=6000.0, high_hz=120.0))


def pad(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Band-limited saws within 12 cents, low-passed between about 600 and 1800 Hz."""
    frames = round(seconds * MUSIC_RATE)
    spread = generator("pad", round(pitch_hz, 2), variant)
    count = int(np.clip(7000.0 / pitch_hz, 2, 60))
    n = np.arange(1, count + 1, dtype=np.float64)
    low, high = 1000.0 + 600.0 * velocity, 3000.0 + 2000.0 * velocity

    def saw(cutoff_hz: float) -> Samples:
        return cycle(n**-1.0 / (1 + (n * pitch_hz / cutoff_hz) ** 2), 1024)

    dark, bright = saw(low), saw(high)
    move = 0.45 + 0.4 * sine(phase_of(spread.uniform(0.07, 0.13), frames, spread.uniform(0, 1)))
    table = np.stack([dark, bright])
    voices = [(pitch_hz * 2 ** (c * spread.uniform(0.8, 1.05) / 1200), spread.uniform(0, 1)) for c in _PAD_CENTS]
    total = play_voices(table, voices, frames)
    wave = total[0] + (total[1] - total[0]) * move
    return levelled(wave, window_s=0.4) * rise(frames, min(0.9, 0.25 + 0.5 * (1 - velocity)))
