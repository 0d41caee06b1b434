"""Mallets: struck bars, plucked teeth and tines."""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from ..synthesis import MUSIC_RATE, decay, generator, levelled, modes, noise, phase_of, rise, shaped, sine


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


def _bar(
    what: str,
    pitch_hz: float,
    variant: int,
    seconds: float,
    ratios: tuple[float, ...],
    amps: tuple[float, ...],
    t60_s: tuple[float, ...],
    click: float,
) -> Samples:
    """The modes of a bar, and the short noise of what strikes it."""
    frames = round(seconds * MUSIC_RATE)
    key = (what, round(pitch_hz, 2), variant)
    phases = generator(*key).uniform(-0.4, 0.4, len(ratios))
    wave = levelled(modes(frames, pitch_hz * np.array(ratios), amps, t60_s, phases) * rise(frames, 0.012))
    short = min(frames, round(0.03 * MUSIC_RATE))
    knock = shaped(noise(short, *key), low_hz=2500.0, high_hz=250.0) * decay(short, 0.03) * rise(short, 0.008)
    knock *= np.linspace(1, 0, short, dtype=np.float32)
    wave[:short] += knock * np.float32(click / (np.abs(knock).max() + 1e-9))
    return wave


def marimba(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Rosewood tuned to 1 : 4 : 10 over resonators."""
    long_s = float(np.clip(1.6 * (262.0 / pitch_hz) ** 0.7, 0.35, 2.4))
    amps = (1.0, 0.28 * (0.4 + velocity), 0.12 * velocity, 0.04)
    t60_s = (long_s, 0.22 * long_s, 0.09 * long_s, 0.05)
    return levelled(_bar("marimba", pitch_hz, variant, seconds, (1, 3.98, 9.9, 16.5), amps, t60_s, 0.02))


def kalimba(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Clamped tines (1 : 6.27 : 17.5) on a hollow box."""
    long_s = float(np.clip(2.2 * (392.0 / pitch_hz) ** 0.5, 0.7, 3.0))
    amps = (1.0, 0.05, 0.05, 0.16 * (0.4 + velocity), 0.05)
    t60_s = (long_s, 0.5 * long_s, 0.12, 0.16, 0.05)
    wave = _bar("kalimba", pitch_hz, variant, seconds, (1, 2.0, 5.6, 6.27, 17.5), amps, t60_s, 0.025)
    return levelled(shaped(wave, high_hz=120.0, peaks=((230.0, 3.0, 0.6), (480.0, 3.0, 0.4))))


def celesta(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Felt on steel plates over wooden boxes."""
    long_s = float(np.clip(2.5 * (523.0 / pitch_hz) ** 0.4, 0.9, 3.0))
    amps, t60_s = (1.0, 0.1, 0.22 * (0.5 + velocity), 0.06), (long_s, 0.3, 0.5 * long_s, 0.15)
    return levelled(_bar("celesta", pitch_hz, variant, seconds, (1, 2.76, 4.02, 5.4), amps, t60_s, 0.01))
