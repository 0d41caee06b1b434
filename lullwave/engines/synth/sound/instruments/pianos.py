"""Rhodes, Wurlitzer and felt piano: struck tines, reeds and strings.

The tine's path past a magnet and the reed's distance to a plate bend the wave, which is the source of the bark; see
F. Pfeifle and M. Muenster, "Tone Production of the Wurlitzer and Rhodes E-Pianos" (2017).
"""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from ..synthesis import MUSIC_RATE, bloom, generator, levelled, modes, noise, rise, shaped


def rhodes(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A tine with its tone bar through an asymmetric magnetic pickup."""
    frames = round(seconds * MUSIC_RATE)
    spread = generator("rhodes", round(pitch_hz, 2), variant)
    long_s = float(np.clip(9.0 * (110.0 / pitch_hz) ** 0.45, 3.0, 12.0))
    tine = modes(
        frames,
        [pitch_hz, pitch_hz, pitch_hz * 2.0],
        [0.62, 0.38, 0.02],
        [long_s, 0.5 * long_s * 0.35, 0.6],
    )
    tine *= rise(frames, 0.0045)
    bell_a, bell_b = spread.uniform(6.3, 7.1), spread.uniform(17.6, 19.6)
    bell = modes(
        frames,
        [pitch_hz * bell_a, pitch_hz * bell_b],
        [0.10 * velocity, 0.035 * velocity**1.5],
        [0.45, 0.16],
    )
    bell *= rise(frames, 0.010)
    offset = spread.uniform(0.26, 0.34)
    # How far the tine swings past the pickup; short tines swing less.
    reach = (0.75 + 1.35 * velocity) * min(1.0, (220.0 / pitch_hz) ** 0.7)
    flux = 1.0 / (1.0 + np.square(reach * (tine + np.float32(0.12) * bell) + np.float32(offset)))
    voltage = np.diff(flux, prepend=flux[:1]) * np.float32(MUSIC_RATE / (2 * np.pi * pitch_hz))
    wave = voltage.astype(np.float32) + bell * np.float32(0.30)
    wave = shaped(
        wave * rise(frames, 0.022),
        low_hz=3800.0 + 3000.0 * velocity,
        high_hz=45.0,
        peaks=((180.0, 0.6, 0.25), (2000.0, 0.5, 1.0)),
    )
    return levelled(wave)


def wurli(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A steel reed as one plate of a capacitor: C = C0 / (1 - y)."""
    frames = round(seconds * MUSIC_RATE)
    spread = generator("wurli", round(pitch_hz, 2), variant)
    long_s = float(np.clip(4.5 * (220.0 / pitch_hz) ** 0.4, 1.6, 6.0))
    reed = modes(frames, [pitch_hz, pitch_hz], [0.7, 0.3], [long_s, 0.3 * long_s]) * rise(frames, 0.015)
    ring = modes(frames, [pitch_hz * spread.uniform(6.1, 6.4)], [0.05 * velocity], [0.18])
    swing = np.float32(0.10 + 0.62 * velocity)
    wave = reed / (1.0 - swing * reed) + ring * rise(frames, 0.014)
    return levelled(
        shaped(wave.astype(np.float32), low_hz=3800.0 + 3000.0 * velocity, high_hz=70.0, peaks=((1500.0, 0.6, 0.6),))
    )


def felt_piano(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Partials n·f0·sqrt(1 + B·n²) of two strings a cent apart, hammer at an eighth of the string."""
    frames = round(seconds * MUSIC_RATE)
    spread = generator("felt", round(pitch_hz, 2), variant)
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
