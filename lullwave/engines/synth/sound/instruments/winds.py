"""Flute and muted trumpet: breath, and lips behind a mute, with a vibrato that comes late."""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from ..synthesis import MUSIC_RATE, cycle, generator, levelled, noise, play_cycle, rise, shaped, wavering


def flute(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A sine with a second and third harmonic and breath around them."""
    frames = round(seconds * MUSIC_RATE)
    spread = generator("flute", round(pitch_hz, 2), variant)
    cycles, waver = wavering(frames, pitch_hz, spread.uniform(4.7, 5.3), 11.0, 0.25, spread.uniform(0, 1), 18.0)
    tone = play_cycle(cycle([1.0, 0.10 + 0.25 * velocity, 0.05 + 0.08 * velocity, 0.015]), cycles)
    breath = shaped(noise(frames, "flute", round(pitch_hz, 2), variant), low_hz=4200.0, high_hz=700.0)
    breath += 1.4 * shaped(breath, peaks=((pitch_hz, 9.0, 2.0), (2 * pitch_hz, 9.0, 1.0)), low_hz=3000.0)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    puff = 0.04 + 0.09 * np.exp(-t / np.float32(0.05))
    wave = tone * (1 + 0.09 * waver) * rise(frames, 0.055) + breath * puff * rise(frames, 0.02)
    return levelled(shaped(wave.astype(np.float32), low_hz=6500.0, high_hz=150.0))


def muted_trumpet(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A saw through the formants of a Harmon mute."""
    frames = round(seconds * MUSIC_RATE)
    spread = generator("trumpet", round(pitch_hz, 2), variant)
    cycles, waver = wavering(frames, pitch_hz, spread.uniform(4.8, 5.4), 9.0, 0.3, spread.uniform(0, 1), 30.0)
    count = int(np.clip(6500.0 / pitch_hz, 3, 40))
    n = np.arange(1, count + 1, dtype=np.float64)
    freq = n * pitch_hz
    formants = 0.25 + np.exp(-(((freq - 1200) / 420) ** 2)) + 0.8 * np.exp(-(((freq - 2500) / 650) ** 2))
    soft = play_cycle(cycle(n**-1.5 * formants, turned=True), cycles)
    hard = play_cycle(cycle(n**-0.8 * formants, turned=True), cycles)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    press = np.float32(0.25 + 0.5 * velocity) * (1 - 0.6 * np.exp(-t / np.float32(0.05))) + 0.06 * waver
    wave = (soft + (hard - soft) * press) * rise(frames, 0.035) * (1 + 0.06 * waver)
    air = shaped(noise(frames, "trumpet", round(pitch_hz, 2), variant), low_hz=3500.0, high_hz=900.0)
    wave += air * np.float32(0.012) * rise(frames, 0.03)
    return levelled(shaped(wave.astype(np.float32), low_hz=6000.0, high_hz=160.0))
