"""Synthesizers: oscillators behind moving low-pass filters."""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from ..synthesis import (
    MUSIC_RATE,
    STRETCH,
    cycle,
    cycles_a_sample,
    decay,
    generator,
    levelled,
    phase_of,
    play_voices,
    rise,
    shaped,
    sine,
)

_PAD_CENTS = (-16.0, -5.0, 5.0, 16.0, 1200.0)  # how far the saws of the pad lie from its pitch
_PAD_SWEEP_S = 6.0  # of its filter, there and back


def sub_bass(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """A sine with a tenth of tanh, so that small speakers hear it too."""
    frames = round(seconds * MUSIC_RATE)
    pure = sine(phase_of(pitch_hz, frames))
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    body = 0.72 + 0.28 * np.exp(-t / np.float32(0.35))
    warm = np.tanh(pure * np.float32(1.6 + velocity) + np.float32(0.18)) - np.float32(np.tanh(0.18))
    wave = (0.82 * pure + 0.22 * warm) * body * rise(frames, 0.015)
    return levelled(shaped(wave.astype(np.float32), low_hz=900.0, high_hz=24.0))


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
    out = np.zeros(frames, np.float32)
    for begin in range(0, frames, STRETCH):
        heard = shares[:, begin : begin + STRETCH]
        rows = heard.any(axis=1)
        late = [(hz, start + begin * cycles_a_sample(hz)) for hz, start in voices]
        out[begin : begin + STRETCH] = np.einsum(
            "kt,kt->t", heard[rows], play_voices(tables[rows], late, heard.shape[1])
        )
    return out


def _saws(pitch_hz: float, cents: tuple[float, ...], *key: object) -> list[tuple[float, float]]:
    spread = generator(*key)
    return [(pitch_hz * 2 ** (c / 1200), spread.uniform(0, 1)) for c in cents]


def synth_bass(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Two saws, a little apart, behind a resonant filter that closes within a tenth of a second, over a sine."""
    frames = round(seconds * MUSIC_RATE)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    cutoff: Samples = np.float32(220.0) + np.float32(900.0 + 1700.0 * velocity) * np.exp(-t / np.float32(0.11))
    wave = _swept(pitch_hz, frames, cutoff, _saws(pitch_hz, (-3.0, 3.0), "synth bass", variant), 1.3)
    wave = levelled(wave) + np.float32(0.05) * sine(phase_of(pitch_hz, frames))
    wave *= (0.75 + 0.25 * np.exp(-t / np.float32(0.2))) * rise(frames, 0.008)
    return levelled(shaped(wave.astype(np.float32), high_hz=28.0))


def synth_lead(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Two saws and one an octave higher behind a resonant filter, which opens with velocity and closes quickly."""
    frames = round(seconds * MUSIC_RATE)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    cutoff: Samples = np.float32(650.0) + np.float32(1100.0 + 3400.0 * velocity) * np.exp(-t / np.float32(0.13))
    voices = _saws(pitch_hz, (-3.5, 3.5, 1202.0), "lead", round(pitch_hz, 2), variant)
    wave = _swept(pitch_hz, frames, cutoff, voices, 1.6)
    wave *= (0.6 + 0.4 * np.exp(-t / np.float32(0.25))) * rise(frames, 0.012)
    return levelled(shaped(wave, high_hz=110.0))


def pad(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Saws, one of them an octave higher, behind a dark filter that opens and closes every six seconds."""
    frames = round(seconds * MUSIC_RATE)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    open_ = 0.5 - 0.5 * np.cos(np.float32(2 * np.pi / _PAD_SWEEP_S) * t)
    cutoff: Samples = np.float32(260.0) * np.exp2(np.float32(1.0 + velocity) * open_)
    wave = _swept(pitch_hz, frames, cutoff, _saws(pitch_hz, _PAD_CENTS, "pad", round(pitch_hz, 2), variant), 0.5)
    return levelled(wave, window_s=0.4) * rise(frames, min(0.9, 0.35 + 0.5 * (1 - velocity)))


def synth_pluck(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Three saws whose filter closes within a tenth of a second."""
    frames = round(seconds * MUSIC_RATE)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    cutoff: Samples = np.float32(350.0) + np.float32(2500.0 + 3000.0 * velocity) * np.exp(-t / np.float32(0.07))
    wave = _swept(pitch_hz, frames, cutoff, _saws(pitch_hz, (-8.0, 0.0, 8.0), "pluck", round(pitch_hz, 2), variant))
    return levelled(wave * decay(frames, 1.4) * rise(frames, 0.014))


def pulse_pad(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Four saws cut into pulses of half a second by a soft gate, which opens their filter, too."""
    frames = round(seconds * MUSIC_RATE)
    phase = (np.arange(frames, dtype=np.float32) / np.float32(0.5 * MUSIC_RATE)) % np.float32(1.0)
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
