"""Choirs: singers apart in pitch, time, size and vibrato, with glottal pulses through the formants of a vowel."""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from ..synthesis import (
    MUSIC_RATE,
    cycle,
    formants,
    generator,
    levelled,
    noise,
    play_cycle,
    rise,
    shaped,
    wavering,
)

_Vowel = tuple[tuple[float, float, float], ...]  # formants: Hz, width in Hz, gain
_AH: _Vowel = ((800.0, 110.0, 1.0), (1150.0, 120.0, 0.55), (2900.0, 220.0, 0.16), (3900.0, 300.0, 0.06))
_OO: _Vowel = ((350.0, 70.0, 1.0), (650.0, 90.0, 0.25), (2600.0, 200.0, 0.03), (3400.0, 250.0, 0.02))
_SINGERS_CENTS = (-6.0, -3.0, 0.0, 3.0, 6.0)
_LARGE_BELOW_HZ = 230.0  # men's heads are larger, their formants lower


def _sung(what: str, vowel: _Vowel, pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    frames = round(seconds * MUSIC_RATE)
    key = (what, round(pitch_hz, 2), variant)
    spread = generator(*key)
    n = np.arange(1, int(np.clip(5000.0 / pitch_hz, 4, 44)) + 1, dtype=np.float64)
    head = 1.0 if pitch_hz > _LARGE_BELOW_HZ else 0.86
    wave = np.zeros(frames, np.float32)
    for cents in _SINGERS_CENTS:
        size = head * spread.uniform(0.93, 1.07)
        gain = formants(n * pitch_hz, tuple((hz * size, width, amount) for hz, width, amount in vowel), 0.004)
        amps = gain / n ** (1.0 - 0.2 * velocity)
        hz = pitch_hz * 2 ** (cents * spread.uniform(0.8, 1.2) / 1200)
        cycles, waver = wavering(
            frames, hz, spread.uniform(4.6, 6.0), spread.uniform(14, 28), 0.15, spread.uniform(0, 1), 35.0, 5.0,
            (cents, *key),
        )  # fmt: skip
        wave += play_cycle(cycle(amps, turned=True), cycles + spread.uniform(0, 1)) * (
            (1 + np.float32(0.12) * waver) * rise(frames, spread.uniform(0.1, 0.28))
        )
    breath = shaped(noise(frames, *key), low_hz=4500.0, high_hz=900.0) * rise(frames, 0.12)
    return levelled(shaped(levelled(wave) + breath * np.float32(0.0016), high_hz=0.7 * pitch_hz))


def choir(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Five singers on "ah"."""
    return _sung("choir", _AH, pitch_hz, velocity, variant, seconds)


def humming_choir(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Five singers on "oo", which is nearly a hum."""
    return _sung("humming", _OO, pitch_hz, velocity, variant, seconds)
