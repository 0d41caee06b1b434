"""Violin, cello, bowed bass and string section: bowed strings behind the resonances of their bodies.

A body is jagged: no two harmonics of a note are alike, and a vibrato moves each up or down the flank of a resonance.
Two cycles that differ by these slopes are read by one phase, and the vibrato fades between them.
"""

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
    play_cycles,
    play_voices,
    rise,
    shaped,
    wavering,
)

# Resonances (Hz, width in Hz, gain): air, wood and bridge of a violin; a cello's lie lower.
_VIOLIN = ((275.0, 50.0, 1.0), (460.0, 70.0, 1.3), (560.0, 80.0, 1.2), (1000.0, 300.0, 0.7), (2600.0, 1300.0, 1.6))
_CELLO = (
    (98.0, 25.0, 1.0), (176.0, 35.0, 1.3), (210.0, 45.0, 1.0), (420.0, 120.0, 0.9), (700.0, 250.0, 0.7),
    (1600.0, 900.0, 0.9),
)  # fmt: skip
_BASS = ((62.0, 20.0, 1.0), (105.0, 30.0, 1.2), (190.0, 60.0, 0.9), (420.0, 200.0, 0.7), (900.0, 600.0, 0.6))
_SECTION_CENTS = (-5.0, -2.5, 0.0, 0.0, 2.5, 5.0)  # how far the players of a section are out of tune


def _bowed(
    what: str,
    pitch_hz: float,
    velocity: float,
    variant: int,
    seconds: float,
    body: tuple[tuple[float, float, float], ...],
    bright_hz: float,
    vibrato: tuple[float, float, float],
    attack_s: float,
    rosin: float,
) -> Samples:
    """One player. ``vibrato``: rate in Hz, cents, delay in seconds; ``rosin``: the share of bow noise."""
    frames = round(seconds * MUSIC_RATE)
    key = (what, round(pitch_hz, 2), variant)
    spread = generator(*key)
    rate_hz, cents, delay_s = vibrato
    cycles, waver = wavering(
        frames, pitch_hz, rate_hz * spread.uniform(0.94, 1.06), cents * spread.uniform(0.85, 1.15), delay_s,
        spread.uniform(0, 1), 14.0, 2.0, key,
    )  # fmt: skip
    count = int(np.clip(0.44 * MUSIC_RATE / pitch_hz, 4, 60))
    n = np.arange(1, count + 1, dtype=np.float64)
    freqs = n * pitch_hz
    gain = formants(freqs, body, 0.35) * spread.uniform(0.6, 1.4, count) / n
    slope = np.where(spread.uniform(0, 1, count) < 0.5, 0.35, -0.35)
    dark = cycle(gain * (1 + slope) / (1 + (freqs / bright_hz) ** 2), turned=True)
    bright = cycle(gain * (1 - slope) / (1 + (freqs / (1.5 * bright_hz)) ** 2), turned=True)
    low, high = play_cycles(np.stack([dark, bright]), cycles)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    start = np.exp(-t / np.float32(0.07))
    press = 0.35 + 0.3 * velocity + 0.32 * waver + 0.1 * start
    wave: Samples = np.asarray(low + (high - low) * press, np.float32)
    wave *= (1 + np.float32(0.08) * waver) * rise(frames, attack_s * (1.3 - 0.5 * velocity))
    hair = shaped(noise(frames, *key), low_hz=5200.0, high_hz=1100.0) * (0.7 + start) * rise(frames, 0.03)
    wave = levelled(wave)
    wave += hair * np.float32(0.1 * rosin)
    return levelled(shaped(wave, high_hz=0.7 * pitch_hz))


def violin(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A violin: a wide vibrato soon after the bow has caught the string."""
    bright_hz = 3200.0 + 2200.0 * velocity
    return _bowed(
        "violin", pitch_hz, velocity, variant, seconds, _VIOLIN, bright_hz, (5.6, 22.0, 0.18), 0.07, 0.015
    )  # fmt: skip


def cello(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A cello: darker, its vibrato slower, its bow heard."""
    bright_hz = 1050.0 + 1000.0 * velocity
    return _bowed(
        "cello", pitch_hz, velocity, variant, seconds, _CELLO, bright_hz, (5.2, 20.0, 0.28), 0.13, 0.05
    )  # fmt: skip


def bowed_bass(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A double bass under the bow: slow to speak, hardly a vibrato."""
    bright_hz = 700.0 + 700.0 * velocity
    return _bowed("bass", pitch_hz, velocity, variant, seconds, _BASS, bright_hz, (4.6, 7.0, 0.3), 0.1, 0.015)


def string_section(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Six players apart in pitch and phase, in two groups with sounds of their own; quick bows with rosin.

    Slow bows and wide vibratos would turn held chords into a choir.
    """
    frames = round(seconds * MUSIC_RATE)
    key = ("section", round(pitch_hz, 2), variant)
    spread = generator(*key)
    body, bright_hz = (_VIOLIN, 3200.0) if pitch_hz > 190.0 else (_CELLO, 1900.0)
    count = int(np.clip(0.42 * MUSIC_RATE / pitch_hz, 4, 44))
    n = np.arange(1, count + 1, dtype=np.float64)
    freqs = n * pitch_hz
    gain = formants(freqs, body, 0.5) / n**0.9 / (1 + (freqs / (bright_hz * (0.7 + 0.6 * velocity))) ** 2)
    wave = np.zeros(frames, np.float32)
    for desk in (0, 1):
        table = cycle(gain * spread.uniform(0.6, 1.4, count), turned=True)
        players = [
            (pitch_hz * 2 ** (cents * spread.uniform(0.8, 1.2) / 1200), spread.uniform(0, 1))
            for cents in _SECTION_CENTS[desk::2]
        ]
        wave += play_voices(table[None], players, frames)[0] * rise(frames, spread.uniform(0.06, 0.14))
    hair = shaped(noise(frames, *key), low_hz=6000.0, high_hz=1800.0) * rise(frames, 0.1)
    return levelled(shaped(levelled(wave) + hair * np.float32(0.004), high_hz=0.7 * pitch_hz))
