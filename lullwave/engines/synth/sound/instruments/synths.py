"""Synthesizers: oscillators behind moving low-pass filters."""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from ..synthesis import (
    MUSIC_RATE,
    cycle,
    decay,
    generator,
    levelled,
    phase_of,
    play_cycles,
    play_voices,
    rise,
    shaped,
    sine,
)

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
    dark, bright = play_cycles(np.stack([saw(320.0), saw(1300.0)]), cycles)
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
    saws = play_cycles(np.stack([saw(low), saw(high)]), one)
    dark, bright = saws + np.float32(0.7) * play_cycles(np.stack([square(low), square(high)]), two)
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


_CUTOFFS_HZ = (250.0, 600.0, 1300.0, 2800.0, 6000.0)  # of the cycles between which ``_swept`` fades


def _swept(
    pitch_hz: float, frames: int, cutoff_hz: Samples, voices: list[tuple[float, float]], resonance: float = 0.9
) -> Samples:
    """Saws (as in ``play_voices``) behind a resonant low-pass that moves: cycles at fixed cut-offs, cross-faded."""
    n = np.arange(1, int(np.clip(0.44 * MUSIC_RATE / pitch_hz, 2, 70)) + 1, dtype=np.float64)
    hz = n * pitch_hz
    tables = np.stack(
        [
            cycle(
                (1 + resonance * np.exp(-(((hz - c) / (0.3 * c)) ** 2))) / n / np.sqrt(1 + (hz / c) ** 6), turned=True
            )
            for c in _CUTOFFS_HZ
        ]
    )
    at = np.interp(np.log(cutoff_hz), np.log(_CUTOFFS_HZ), np.arange(len(_CUTOFFS_HZ)))
    shares = np.clip(1.0 - np.abs(at - np.arange(len(_CUTOFFS_HZ))[:, None]), 0.0, 1.0).astype(np.float32)
    return np.asarray(np.einsum("kt,kt->t", shares, play_voices(tables, voices, frames)), np.float32)


def _saws(pitch_hz: float, cents: tuple[float, ...], *key: object) -> list[tuple[float, float]]:
    spread = generator(*key)
    return [(pitch_hz * 2 ** (c / 1200), spread.uniform(0, 1)) for c in cents]


def synth_pluck(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Three saws whose filter closes within a tenth of a second."""
    frames = round(seconds * MUSIC_RATE)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    cutoff: Samples = np.float32(350.0) + np.float32(2500.0 + 3000.0 * velocity) * np.exp(-t / np.float32(0.07))
    wave = _swept(pitch_hz, frames, cutoff, _saws(pitch_hz, (-8.0, 0.0, 8.0), "pluck", round(pitch_hz, 2), variant))
    return levelled(wave * decay(frames, 1.4) * rise(frames, 0.008))


def pulse_pad(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Four saws cut into pulses of a third of a second by a soft gate, which opens their filter, too."""
    frames = round(seconds * MUSIC_RATE)
    phase = (np.arange(frames, dtype=np.float32) / np.float32(0.34 * MUSIC_RATE)) % np.float32(1.0)
    gate = np.minimum(phase / np.float32(0.06), np.exp(-phase * np.float32(2.2)))
    gate *= np.clip((1 - phase) / np.float32(0.05), 0.0, 1.0)
    cutoff: Samples = np.float32(350.0) + np.float32(2000.0 + 2500.0 * velocity) * gate
    wave = _swept(
        pitch_hz, frames, cutoff, _saws(pitch_hz, (-12.0, -4.0, 0.0, 12.0), "pulse", round(pitch_hz, 2), variant)
    )
    return levelled(wave * (np.float32(0.25) + np.float32(0.75) * gate) * rise(frames, 0.012), window_s=0.4)


def bass_808(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """The boom of a drum machine's kick, tuned: a sine that falls into its pitch, driven."""
    frames = round(seconds * MUSIC_RATE)
    t = np.arange(frames) / MUSIC_RATE
    pure = sine(phase_of(pitch_hz * (1 + 1.2 * np.exp(-t / 0.018)), frames)) * decay(frames, 2.6)
    wave = np.tanh(np.float32(1.4 + 1.2 * velocity) * pure) * rise(frames, 0.01)
    return levelled(shaped(wave.astype(np.float32), low_hz=2400.0, high_hz=24.0))
