"""Winds: breath, reeds and lips, with a vibrato that comes late."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .....audio import Samples
from ..synthesis import (
    MUSIC_RATE,
    cycle,
    formants,
    generator,
    levelled,
    noise,
    play_cycles,
    rise,
    shaped,
    wavering,
)


def flute(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A jet of breath over an edge: it hisses before the tone speaks, and the vibrato is more in colour than in pitch.

    In the lowest octave the second harmonic is as strong as the first.
    """
    frames = round(seconds * MUSIC_RATE)
    key = ("flute", round(pitch_hz, 2), variant)
    spread = generator(*key)
    cycles, waver = wavering(
        frames, pitch_hz, spread.uniform(4.9, 5.6), 13.0, 0.2, spread.uniform(0, 1), 22.0, 2.0, key
    )
    low = float(np.clip((720.0 - pitch_hz) / 400.0, 0.0, 1.0))
    count = int(np.clip(0.44 * MUSIC_RATE / pitch_hz, 2, 8))
    soft = [1.0, 0.10 + 0.35 * low, 0.05 + 0.10 * low, 0.02, 0.01, 0.0, 0.0, 0.0]
    hard = [1.0, 0.45 + 0.55 * low, 0.28 + 0.2 * low, 0.13, 0.08, 0.04, 0.02, 0.01]
    dark, bright = play_cycles(np.stack([cycle(soft[:count]), cycle(hard[:count])]), cycles)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    press = np.float32(0.15 + 0.7 * velocity) + 0.24 * waver - 0.25 * np.exp(-t / np.float32(0.07))
    tone = (dark + (bright - dark) * np.clip(press, 0.0, 1.2)) * (1 + 0.16 * waver) * rise(frames, 0.055)
    air = shaped(noise(frames, *key), low_hz=4600.0, high_hz=900.0)
    air += 1.6 * shaped(air, peaks=((pitch_hz, 9.0, 2.0), (2 * pitch_hz, 9.0, 1.5)), low_hz=3600.0)
    puff = (0.05 + 0.02 * waver + 0.12 * np.exp(-t / np.float32(0.055))) * rise(frames, 0.025)
    return levelled(shaped((tone + air * puff).astype(np.float32), low_hz=7500.0, high_hz=150.0))


def muted_trumpet(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A saw through the formants of a Harmon mute."""
    frames = round(seconds * MUSIC_RATE)
    spread = generator("trumpet", round(pitch_hz, 2), variant)
    cycles, waver = wavering(frames, pitch_hz, spread.uniform(4.8, 5.4), 9.0, 0.3, spread.uniform(0, 1), 30.0)
    count = int(np.clip(6500.0 / pitch_hz, 3, 40))
    n = np.arange(1, count + 1, dtype=np.float64)
    freq = n * pitch_hz
    formants = 0.25 + np.exp(-(((freq - 1200) / 420) ** 2)) + 0.8 * np.exp(-(((freq - 2500) / 650) ** 2))
    tables = np.stack([cycle(n**slope * formants, turned=True) for slope in (-1.5, -0.8)])
    soft, hard = play_cycles(tables, cycles)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    press = np.float32(0.25 + 0.5 * velocity) * (1 - 0.6 * np.exp(-t / np.float32(0.05))) + 0.06 * waver
    wave = (soft + (hard - soft) * press) * rise(frames, 0.035) * (1 + 0.06 * waver)
    air = shaped(noise(frames, "trumpet", round(pitch_hz, 2), variant), low_hz=3500.0, high_hz=900.0)
    wave += air * np.float32(0.012) * rise(frames, 0.03)
    return levelled(shaped(wave.astype(np.float32), low_hz=6000.0, high_hz=160.0))


_Amps = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]  # harmonics' numbers to amplitudes


def _blown(
    what: str,
    pitch_hz: float,
    velocity: float,
    variant: int,
    seconds: float,
    soft: _Amps,
    hard: _Amps,
    peaks: tuple[tuple[float, float, float], ...],
    vibrato: tuple[float, float, float],
    attack_s: float,
    breath: float,
    scoop_cents: float,
    bloom: float = 0.0,
) -> Samples:
    """A tone between a soft and a hard spectrum behind the resonances ``peaks``.

    ``vibrato`` is its rate in Hz, its cents and its delay in seconds; ``bloom``: how much brightness comes after the
    attack.
    """
    frames = round(seconds * MUSIC_RATE)
    key = (what, round(pitch_hz, 2), variant)
    spread = generator(*key)
    rate_hz, cents, delay_s = vibrato
    cycles, waver = wavering(
        frames,
        pitch_hz,
        rate_hz * spread.uniform(0.95, 1.05),
        cents,
        delay_s,
        spread.uniform(0, 1),
        scoop_cents,
        2.5,
        key,
    )
    n = np.arange(1, int(np.clip(0.44 * MUSIC_RATE / pitch_hz, 4, 40)) + 1, dtype=np.float64)
    gain = formants(n * pitch_hz, peaks, 0.25)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    press = (0.2 + 0.75 * velocity) * (1 - (0.4 + bloom) * np.exp(-t / np.float32(0.06 + 0.05 * bloom))) + 0.1 * waver
    tables = np.stack([cycle(amps(n) * gain, turned=True) for amps in (soft, hard)])
    low, high = play_cycles(tables, cycles)
    wave: Samples = np.asarray(low + (high - low) * np.clip(press, 0.0, 1.2), np.float32)
    wave *= rise(frames, attack_s * (1.4 - 0.6 * velocity)) * (1 + np.float32(0.10) * waver)
    wave = levelled(wave)
    air = shaped(noise(frames, *key), low_hz=5500.0, high_hz=1200.0)
    wave += air * (np.float32(0.1 * breath) * (0.5 + np.exp(-t / np.float32(0.07))) * rise(frames, 0.03))
    return levelled(shaped(wave, low_hz=7000.0, high_hz=0.6 * pitch_hz))


def saxophone(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A tenor: a conical bore, all harmonics, a breathy reed that scoops up to its notes."""
    peaks = ((520.0, 260.0, 1.0), (1250.0, 380.0, 0.8), (2450.0, 700.0, 0.5))
    return _blown(
        "sax", pitch_hz, velocity, variant, seconds, lambda n: n**-1.7, lambda n: n**-0.85, peaks, (5.0, 16.0, 0.35),
        0.045, 0.06, 45.0,
    )  # fmt: skip


def clarinet(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A cylindrical bore: odd harmonics, the even ones only from the top of the second octave."""
    even = float(np.clip((pitch_hz - 350.0) / 700.0, 0.03, 0.35))

    def bore(n: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(n % 2 == 1, 1.0, even)

    return _blown(
        "clarinet", pitch_hz, velocity, variant, seconds, lambda n: bore(n) * n**-1.5, lambda n: bore(n) * n**-0.9,
        ((1500.0, 900.0, 0.8),), (5.0, 4.0, 0.4), 0.04, 0.02, 12.0,
    )  # fmt: skip


def trumpet(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Open: the louder the brighter, and the brightness comes a moment after the lips."""
    peaks = ((1200.0, 700.0, 1.0), (2300.0, 900.0, 0.7))
    return _blown(
        "open trumpet", pitch_hz, velocity, variant, seconds, lambda n: n**-1.6,
        lambda n: n**-0.45 / (1 + (n / 12) ** 2), peaks, (5.3, 11.0, 0.4), 0.035, 0.015, 25.0, 0.25,
    )  # fmt: skip


def brass_section(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A trumpet and a trombone on one note, a few cents and some milliseconds apart."""
    peaks = ((600.0, 500.0, 1.0), (1200.0, 700.0, 0.8), (2100.0, 900.0, 0.4))
    one, two = (
        _blown(
            "brass" + str(k), pitch_hz * 2 ** (cents / 1200), velocity, variant, seconds, lambda n: n**-1.6,
            lambda n: n**-0.6 / (1 + (n / 10) ** 2), peaks, (4.8, 5.0, 0.5), attack_s, 0.015, 20.0, 0.35,
        )
        for k, (cents, attack_s) in enumerate(((3.0, 0.04), (-3.0, 0.055)))
    )  # fmt: skip
    return levelled(one + np.float32(0.85) * two)
