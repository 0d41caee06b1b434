"""The drum kits: kicks, snares, hats, brushes and toms from sines and shaped noise.

A stroke is a pure function of kit, drum, hardness and variant. Every variant is tuned, damped and lit a little
differently (15 cents, 10 % of decay, 1 dB of tilt), so that no two strokes in a row are the same. Tones
rise within a millisecond or two, noise within eight: soft, as from tape, and never a click.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .....audio import Samples
from ...catalogue.drums import DrumName, KitName
from ..synthesis import MUSIC_RATE, decay, generator, modes, phase_of, rise, shaped, sine, swell
from .percussion import OWN_STROKES
from .stroke import KIT_SOUNDS, Stroke


def stroke(kit: KitName, drum: DrumName, hardness: float, variant: int) -> Samples:
    """One stroke, mono, peak near 1 at full hardness; the score's velocity scales it further."""
    key = (kit, drum, variant)
    spread = generator("stroke", *key)
    made = Stroke(
        KIT_SOUNDS[kit],
        hardness,
        2.0 ** (spread.uniform(-15, 15) / 1200),
        spread.uniform(0.9, 1.1),
        10.0 ** (spread.uniform(-1, 1) / 20),
        key,
    )
    wave = OWN_STROKES.get(kit, {}).get(drum, _DRUMS[drum])(made)
    end = min(len(wave), round(0.012 * MUSIC_RATE))
    wave[-end:] *= rise(end, 0.012)[::-1]
    return np.asarray(wave / (np.abs(wave).max() + 1e-9), np.float32)


def _layered(s: Stroke, wave: Samples, amount: float, t60_s: float) -> Samples:
    """A stroke with noise between 2 and 9 kHz on top of it, at ``amount``: all bands begin at once."""
    frames = min(len(wave), round(1.6 * t60_s * MUSIC_RATE))
    top = shaped(s.noise(frames / MUSIC_RATE, "top")[:frames], low_hz=8500.0 * s.tilt, high_hz=2200.0)
    top *= decay(frames, t60_s * s.length) * swell(frames, 0.046)
    out = wave.copy()
    out[:frames] += top * np.float32(amount * (0.4 + 0.8 * s.hard))
    return out


def _kick(s: Stroke) -> Samples:
    seconds = s.kit.kick_s * s.length + 0.08
    frames = round(seconds * MUSIC_RATE)
    t = np.arange(frames) / MUSIC_RATE
    sweep = (s.kit.kick_hz + (s.kit.kick_from_hz - s.kit.kick_hz) * np.exp(-t / 0.022)) * s.pitch
    body = sine(phase_of(sweep, frames)) * rise(frames, 0.015)
    body = np.tanh(1.3 * body) * decay(frames, s.kit.kick_s * 1.5 * s.length)
    beater = shaped(s.noise(0.03, "beater"), low_hz=2600.0, high_hz=500.0, order=2)
    beater *= decay(len(beater), 0.022)
    beater *= swell(len(beater), 0.026, 44.0)
    knock = modes(len(beater), [230.0 * s.pitch, 410.0], [0.5, 0.3], [0.05, 0.03]) * rise(len(beater), 0.012)
    body[: len(beater)] += (0.2 * beater * s.tilt + knock) * np.float32(s.kit.kick_click * (0.4 + 0.8 * s.hard))
    return np.asarray(_layered(s, body, 0.35 * s.kit.kick_click, 0.05), np.float32)


def _snare(s: Stroke) -> Samples:
    seconds = s.kit.snare_s * s.length + 0.05
    frames = round(seconds * MUSIC_RATE)
    hz = s.kit.snare_hz * s.pitch
    shell = modes(frames, [hz, hz * 1.78, hz * 2.6], [0.9, 0.5 * s.hard + 0.1, 0.15], [0.16, 0.11, 0.07])
    wires = shaped(
        s.noise(seconds, "wires"), low_hz=s.kit.snare_bright_hz * (0.75 + 0.3 * s.hard) * s.tilt, high_hz=900.0, order=2
    )
    wires *= decay(frames, s.kit.snare_s * s.length * (0.7 + 0.3 * s.hard))
    wave = shell * rise(frames, 0.014) + wires * swell(frames, 0.046) * np.float32(
        s.kit.snare_noise * (0.55 + 0.45 * s.hard)
    )
    return np.asarray(_layered(s, wave, 0.16 * s.kit.snare_noise, 0.16), np.float32)


def _rim(s: Stroke) -> Samples:
    frames = round(0.14 * MUSIC_RATE)
    wood = modes(frames, np.array([490.0, 820.0]) * s.pitch, [0.8, 0.3], np.array([0.055, 0.05]) * s.length)
    ring = modes(
        frames, np.array([1690.0, 2450.0]) * s.pitch, [0.8 * s.tilt, 0.25 * s.hard], np.array([0.05, 0.035]) * s.length
    )
    return np.asarray(wood * rise(frames, 0.018) + ring * rise(frames, 0.024), np.float32)


def _clap(s: Stroke) -> Samples:
    frames = round(0.30 * MUSIC_RATE)
    grain = shaped(s.noise(0.30, "clap"), low_hz=1600.0 * s.tilt, high_hz=800.0, order=2)
    t = np.arange(frames) / MUSIC_RATE
    envelope = np.zeros(frames)
    for begin, length, level in ((0.0, 0.03, 0.55), (0.012, 0.03, 0.7), (0.025, 0.2 * s.length, 1.0)):
        age = t - begin
        burst = (
            level * np.exp(-6.9 * np.maximum(age, 0) / length) * np.sin(0.5 * np.pi * np.clip(age / 0.026, 0, 1)) ** 2
        )
        envelope = np.maximum(envelope, np.where(age > 0, burst, 0))
    return np.asarray(grain * envelope * swell(frames, 0.06, 24.0), np.float32)


def _metal(s: Stroke, seconds: float, t60_s: float, bright: float = 1.0) -> Samples:
    """Six inharmonic square-ish tones and noise, high-passed: the cymbals of drum machines."""
    frames = round(seconds * MUSIC_RATE)
    tones = np.zeros(frames, np.float32)
    for n, hz in enumerate((2150.0, 3040.0, 3690.0, 4220.0, 5350.0, 6310.0)):
        tones += sine(phase_of(hz * s.pitch, frames, 0.13 * n)) + 0.33 * sine(phase_of(hz * 1.47 * s.pitch, frames))
    wave = 0.7 * tones + 0.6 * s.noise(seconds, "metal")
    wave = shaped(wave, low_hz=0.8 * s.kit.hat_bright_hz * bright, high_hz=3900.0, order=4)
    wave = shaped(wave, high_hz=3400.0)
    return np.asarray(wave * decay(frames, t60_s * s.length) * swell(frames, 0.03, 46.0), np.float32)


def _hat(s: Stroke) -> Samples:
    return _metal(s, 0.22, 1.4 * s.kit.hat_s * (0.8 + 0.4 * s.hard))


def _pedal_hat(s: Stroke) -> Samples:
    return _metal(s, 0.16, s.kit.hat_s, 0.8)


def _open_hat(s: Stroke) -> Samples:
    return _metal(s, 0.62, 0.55)


def _ride(s: Stroke) -> Samples:
    frames = round(1.4 * MUSIC_RATE)
    ping = modes(
        frames,
        np.array([3370.0, 4140.0, 5230.0, 2560.0, 6020.0]) * s.pitch,
        [0.30, 0.25, 0.22, 0.12, 0.2],
        np.array([0.5, 0.6, 0.45, 0.7, 0.3]) * s.length,
        [0.1, 0.7, 1.9, 2.7, 4.0],
    )
    wash = shaped(s.noise(1.4, "wash"), low_hz=7000.0, high_hz=3800.0) * decay(frames, 1.3 * s.length)
    return np.asarray((ping + 0.09 * s.tilt * wash) * swell(frames, 0.045, 44.0), np.float32)


def _shaker(s: Stroke) -> Samples:
    frames = round(0.2 * MUSIC_RATE)
    t = np.arange(frames) / MUSIC_RATE
    envelope = np.exp(-(((t - 0.045) / (0.03 * s.length)) ** 2)) + 0.3 * np.exp(-(((t - 0.1) / 0.045) ** 2))
    beads = shaped(s.noise(0.2, "beads"), low_hz=6000.0 * s.tilt, high_hz=3800.0, order=3)
    return np.asarray(beads * envelope * rise(frames, 0.006), np.float32)


def _brush_tap(s: Stroke) -> Samples:
    seconds = 0.24
    frames = round(seconds * MUSIC_RATE)
    skin = modes(frames, [205.0 * s.pitch, 345.0 * s.pitch], [0.5, 0.25], [0.12, 0.08])
    wires = shaped(s.noise(seconds, "bristles"), low_hz=3000.0 * s.tilt, high_hz=700.0, order=2)
    return np.asarray(
        0.6 * skin * rise(frames, 0.006) + 0.68 * wires * decay(frames, 0.17 * s.length) * swell(frames, 0.046),
        np.float32,
    )


def _brush_sweep(s: Stroke) -> Samples:
    seconds = 0.62
    frames = round(seconds * MUSIC_RATE)
    t = np.linspace(0, 1, frames)
    hill = np.sin(np.pi * t**0.75) ** 2
    wires = shaped(s.noise(seconds, "sweep"), low_hz=2700.0 * s.tilt, high_hz=600.0, order=2)
    return np.asarray(wires * hill, np.float32)


def _tom(hz: float) -> Callable[[Stroke], Samples]:
    def made(s: Stroke) -> Samples:
        frames = round(0.55 * MUSIC_RATE)
        t = np.arange(frames) / MUSIC_RATE
        sweep = hz * s.pitch * (1 + 0.35 * np.exp(-t / 0.03))
        body = sine(phase_of(sweep, frames)) * decay(frames, 0.42 * s.length)
        body += 0.3 * modes(frames, [hz * 1.6 * s.pitch], [1.0], [0.14])
        skin = shaped(s.noise(0.55, "skin"), low_hz=1800.0, high_hz=300.0) * decay(frames, 0.05)
        return np.asarray((body + 0.12 * s.hard * skin) * rise(frames, 0.009), np.float32)

    return made


_DRUMS: dict[DrumName, Callable[[Stroke], Samples]] = {
    "kick": _kick,
    "snare": _snare,
    "rim": _rim,
    "clap": _clap,
    "hat": _hat,
    "pedal_hat": _pedal_hat,
    "open_hat": _open_hat,
    "ride": _ride,
    "shaker": _shaker,
    "brush_tap": _brush_tap,
    "brush_sweep": _brush_sweep,
    "tom_low": _tom(92.0),
    "tom_high": _tom(138.0),
}
