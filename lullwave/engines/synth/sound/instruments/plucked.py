"""Plucked strings: nylon guitar and upright bass after Karplus and Strong, with a body.

The string loop of Karplus and Strong (1983), extended by Jaffe and Smith (1983): a delay of one period whose
round trip loses a little, more at high frequencies. Its resonances are known in closed form, so that the string is
summed from its decaying harmonics instead of being run sample by sample: tuning is exact at every pitch.
"""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from ..synthesis import MUSIC_RATE, bloom, generator, levelled, noise, rise, shaped


def _string(
    frames: int,
    pitch_hz: float,
    low_t60_s: float,
    high_loss: float,
    pick: float,
    dark_hz: float,
    key: tuple[object, ...],
) -> Samples:
    """Harmonics of a string plucked at ``pick`` of its length by a soft finger (low-passed at ``dark_hz``).

    ``high_loss`` is how much faster the loop loses its harmonics at 4 kHz than its fundamental.
    """
    spread = generator("string", *key)
    count = int(np.clip(0.42 * MUSIC_RATE / pitch_hz, 3, 36))
    n = np.arange(1, count + 1, dtype=np.float64)
    freqs = n * pitch_hz * np.sqrt((1 + 4e-5 * n * n) / (1 + 4e-5))
    comb = np.abs(np.sin(np.pi * n * pick)) + 0.02
    amps = comb / n / (1 + (n * pitch_hz / dark_hz) ** 2) * spread.uniform(0.8, 1.2, count)
    t60 = low_t60_s / (1 + high_loss * (n * pitch_hz / 4000.0) ** 1.3)
    # A string swings in two planes that decay differently: the fast first and the slow second part of a note. The flesh
    # of the finger lets the fundamental go first and the brightness a few milliseconds later. Phases lie wide apart, as
    # after a body: in step, the harmonics would make a spike in each period.
    return bloom(
        frames,
        np.concatenate([freqs, freqs * 1.00025]),
        np.concatenate([amps * 0.6, amps * 0.4]),
        np.concatenate([t60 * 0.45, t60]),
        np.tile(spread.uniform(-1.4, 1.4, count), 2),
        0.016,
        0.036,
    )


def nylon_guitar(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Nylon strings, a finger and a wooden body."""
    frames = round(seconds * MUSIC_RATE)
    key = ("nylon", round(pitch_hz, 2), variant)
    spread = generator(*key)
    pick = spread.uniform(0.13, 0.24)
    t60 = float(np.clip(3.4 * (196.0 / pitch_hz) ** 0.35, 1.5, 4.5))
    wave = _string(frames, pitch_hz, t60, 5.0, pick, 1100.0 + 2200.0 * velocity, key)
    wave = levelled(wave)
    touch = noise(frames, *key)[: round(0.03 * MUSIC_RATE)] * rise(round(0.03 * MUSIC_RATE), 0.006)
    touch *= np.linspace(1, 0, len(touch), dtype=np.float32) ** 2
    wave[: len(touch)] += touch[: len(wave)] * np.float32(0.005 + 0.006 * velocity)
    body = ((102.0, 3.5, 0.9), (204.0, 4.0, 0.7), (410.0, 3.0, 0.35))
    return levelled(shaped(wave, low_hz=3400.0 + 2600.0 * velocity, high_hz=75.0, peaks=body))


def upright_bass(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A thick damped string with the thump of the finger."""
    frames = round(seconds * MUSIC_RATE)
    key = ("upright", round(pitch_hz, 2), variant)
    spread = generator(*key)
    pick = spread.uniform(0.16, 0.22)
    wave = _string(frames, pitch_hz, 2.4, 16.0, pick, 330.0 + 520.0 * velocity, key)
    wave = levelled(wave)
    thump_frames = min(frames, round(0.09 * MUSIC_RATE))
    thump = noise(thump_frames, *key) * rise(thump_frames, 0.004)
    thump *= np.exp(-np.arange(thump_frames, dtype=np.float32) / np.float32(0.016 * MUSIC_RATE))
    thump *= np.linspace(1, 0, thump_frames, dtype=np.float32)
    thump = shaped(thump, low_hz=420.0, high_hz=90.0)
    wave[:thump_frames] += thump * np.float32(0.05 / (np.abs(thump).max() + 1e-9))
    return levelled(shaped(wave, low_hz=1100.0 + 900.0 * velocity, high_hz=34.0, peaks=((98.0, 2.0, 0.4),)))
