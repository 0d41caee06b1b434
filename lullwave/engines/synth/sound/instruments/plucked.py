"""Plucked strings, after Karplus and Strong, with a body: guitars, upright bass, harp, harpsichord, sitar and koto.

The string loop of Karplus and Strong (1983), extended by Jaffe and Smith (1983): a delay of one period whose
round trip loses a little, more at high frequencies. Its resonances are known in closed form, so that the string is
summed from its decaying harmonics instead of being run sample by sample: tuning is exact at every pitch.
"""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from ..synthesis import (
    MUSIC_RATE,
    bloom,
    cycle,
    decay,
    generator,
    levelled,
    modes,
    noise,
    phase_of,
    play_cycle,
    rise,
    shaped,
)

# How fast low and high harmonics rise, and the power of that rise (see `bloom`): early milliseconds that a predictor
# cannot know from a dark chord before them would be a click.
_SOFT = (0.016, 0.036, 1)  # plucked by a finger of flesh
_SHARP = (0.012, 0.022, 2)  # by a nail, a quill or a plectrum
_BAR_CENTS, _BAR_S = 110.0, 0.1  # how far below its pitch a slide begins, and for how long it glides


def _string(
    frames: int,
    pitch_hz: float,
    low_t60_s: float,
    high_loss: float,
    pick: float,
    dark_hz: float,
    key: tuple[object, ...],
    roll: float = 1.0,
    apart: float = 1.00025,
    most: int = 36,
    beginning: tuple[float, float, int] = _SOFT,
) -> Samples:
    """Harmonics (``most`` at most) of a string plucked at ``pick`` of its length, low-passed at ``dark_hz``.

    ``high_loss`` is how much faster the loop loses its harmonics at 4 kHz than its fundamental; harmonics fall as their
    number to the power of ``roll``.
    """
    spread = generator("string", *key)
    count = int(np.clip(0.42 * MUSIC_RATE / pitch_hz, 3, most))
    n = np.arange(1, count + 1, dtype=np.float64)
    freqs = n * pitch_hz * np.sqrt((1 + 4e-5 * n * n) / (1 + 4e-5))
    comb = np.abs(np.sin(np.pi * n * pick)) + 0.02
    amps = comb / n**roll / (1 + (n * pitch_hz / dark_hz) ** 2) * spread.uniform(0.8, 1.2, count)
    t60 = low_t60_s / (1 + high_loss * (n * pitch_hz / 4000.0) ** 1.3)
    # A string swings in two planes, ``apart`` in pitch, that decay differently: the fast first and the slow second part
    # of a note. What plucks it lets the fundamental go first and the brightness a few milliseconds later. Phases lie
    # wide apart, as after a body: in step, the harmonics would make a spike in each period.
    return bloom(
        frames,
        np.concatenate([freqs, freqs * apart]),
        np.concatenate([amps * 0.6, amps * 0.4]),
        np.concatenate([t60 * 0.45, t60]),
        np.tile(spread.uniform(-1.4, 1.4, count), 2),
        *beginning,
    )


def _with_touch(
    wave: Samples, amount: float, seconds: float, low_hz: float, high_hz: float, key: tuple[object, ...]
) -> Samples:
    """A levelled string with the short noise of what plucks it, at ``amount`` of full scale."""
    frames = min(len(wave), round(seconds * MUSIC_RATE))
    touch = shaped(noise(frames, *key), low_hz=low_hz, high_hz=high_hz) * decay(frames, 0.5 * seconds)
    touch *= rise(frames, 0.012) ** 2 * np.linspace(1, 0, frames, dtype=np.float32)
    out = levelled(wave)
    out[:frames] += touch * np.float32(amount / (np.abs(touch).max() + 1e-9))
    return out


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


def steel_guitar(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Steel strings, a plectrum and a flat top."""
    frames = round(seconds * MUSIC_RATE)
    key = ("steel", round(pitch_hz, 2), variant)
    pick = generator(*key).uniform(0.12, 0.2)
    t60 = float(np.clip(4.2 * (196.0 / pitch_hz) ** 0.4, 1.6, 6.0))
    bright_hz = 2600.0 + 3200.0 * velocity
    wave = _string(frames, pitch_hz, t60, 3.5, pick, bright_hz, key, apart=1.0004, beginning=_SHARP)
    wave = _with_touch(wave, 0.012, 0.02, 5500.0, 1500.0, key)
    return levelled(shaped(wave, high_hz=75.0, peaks=((105.0, 3.5, 0.9), (205.0, 4.0, 0.8), (400.0, 3.0, 0.4))))


def electric_guitar(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """The neck pickup of a solid body through a warm valve amplifier and its loudspeaker."""
    frames = round(seconds * MUSIC_RATE)
    key = ("electric", round(pitch_hz, 2), variant)
    spread = generator(*key)
    count = int(np.clip(0.42 * MUSIC_RATE / pitch_hz, 3, 36))
    n = np.arange(1, count + 1, dtype=np.float64)
    freqs = n * pitch_hz * np.sqrt(1 + 5e-5 * n * n)
    pickup = np.abs(np.sin(np.pi * n * 0.24)) + 0.05
    comb = np.abs(np.sin(np.pi * n * spread.uniform(0.14, 0.2))) + 0.03
    amps = comb * pickup / n / (1 + (freqs / (2600.0 + 1500.0 * velocity)) ** 2)
    t60 = float(np.clip(6.0 * (196.0 / pitch_hz) ** 0.4, 2.5, 8.0)) / (1 + 4.0 * (freqs / 4000.0) ** 1.2)
    phases = spread.uniform(-1.4, 1.4, count)
    wave = bloom(
        frames, np.concatenate([freqs, freqs * 1.0003]), np.concatenate([0.6 * amps, 0.4 * amps]),
        np.concatenate([0.5 * t60, t60]), np.tile(phases, 2), *_SHARP,
    )  # fmt: skip
    wave = np.tanh(levelled(wave, 0.25) * np.float32(1.6 + 1.4 * velocity) + np.float32(0.12)) - np.float32(
        np.tanh(0.12)
    )
    wave = shaped(wave, low_hz=4200.0, high_hz=90.0, peaks=((2300.0, 1.2, 0.7),), order=2)
    return levelled(wave * rise(frames, 0.012))


def slide_guitar(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Lap steel: a plucked steel string; the bar glides up to the pitch and wavers around it once the note is long."""
    frames = round(seconds * MUSIC_RATE)
    key = ("slide", round(pitch_hz, 2), variant)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    t60 = float(np.clip(5.5 * (196.0 / pitch_hz) ** 0.4, 2.5, 8.0))
    string = _string(
        frames, pitch_hz, t60, 3.0, 0.13, 2800.0 + 3200.0 * velocity, key, apart=1.0004, beginning=_SHARP
    )  # fmt: skip
    cents = -_BAR_CENTS * (0.5 + 0.5 * np.cos(np.pi * np.minimum(1.0, t / np.float32(_BAR_S))))
    cents += 13.0 * np.sin(np.float32(2 * np.pi * 5.3) * t) * np.clip((t - 0.55) / 0.5, 0.0, 1.0)
    places = np.cumsum(np.exp2(cents / 1200.0))
    wave = np.interp(places - places[0], np.arange(frames), string).astype(np.float32)
    wave = _with_touch(wave, 0.014, 0.02, 5500.0, 1500.0, key)
    return levelled(shaped(wave, high_hz=80.0, peaks=((110.0, 3.0, 0.7), (210.0, 3.5, 0.7), (420.0, 2.5, 0.4))))


def harp(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Gut plucked by the flesh of a finger, a long soundboard, and no damper."""
    frames = round(seconds * MUSIC_RATE)
    key = ("harp", round(pitch_hz, 2), variant)
    t60 = float(np.clip(3.2 * (261.0 / pitch_hz) ** 0.4, 1.0, 6.0))
    bright_hz = 3600.0 + 2400.0 * velocity
    wave = _string(frames, pitch_hz, t60, 3.5, 0.13, bright_hz, key, roll=0.95, most=30, beginning=(0.013, 0.020, 2))
    wave = _with_touch(wave, 0.008, 0.02, 4500.0, 900.0, key)
    return levelled(shaped(wave, high_hz=100.0, peaks=((190.0, 2.0, 0.4), (420.0, 2.0, 0.5), (1000.0, 1.5, 0.4))))


def koto(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Silk over a movable bridge, plucked by a nail near it."""
    frames = round(seconds * MUSIC_RATE)
    key = ("koto", round(pitch_hz, 2), variant)
    t60 = float(np.clip(2.6 * (261.0 / pitch_hz) ** 0.4, 1.0, 3.5))
    bright_hz = 3500.0 + 2500.0 * velocity
    wave = _string(frames, pitch_hz, t60, 4.0, 0.09, bright_hz, key, roll=0.9, most=30, beginning=(0.018, 0.036, 2))
    wave = _with_touch(wave, 0.010, 0.02, 4500.0, 900.0, key)
    return levelled(shaped(wave, high_hz=120.0, peaks=((260.0, 2.0, 0.5), (520.0, 2.5, 0.6), (1100.0, 2.0, 0.5))))


def harpsichord(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """Brass plucked by a quill: an eight-foot and a four-foot choir, hardly damped highs, and the jack's click."""
    frames = round(seconds * MUSIC_RATE)
    key = ("harpsichord", round(pitch_hz, 2), variant)
    t60 = float(np.clip(4.0 * (261.0 / pitch_hz) ** 0.5, 0.8, 8.0))
    sharp = (0.014, 0.024, 2)
    low = _string(frames, pitch_hz, t60, 0.5, 0.17, 12600.0, key, roll=0.48, most=40, beginning=sharp)
    high = _string(frames, 2.0012 * pitch_hz, 0.7 * t60, 0.5, 0.22, 12600.0, key, roll=0.48, most=18, beginning=sharp)
    wave = _with_touch(levelled(low) + np.float32(0.6) * levelled(high), 0.006, 0.03, 6500.0, 2500.0, key)
    return levelled(shaped(wave, high_hz=90.0, peaks=((300.0, 2.0, 1.0),)))


_BLOOMS = (3.0, 5.0, 8.0, 12.0, 17.0)  # numbers of the harmonics at which a sitar's cycles peak


def sitar(pitch_hz: float, velocity: float, variant: int, seconds: float) -> Samples:
    """The flat bridge (jawari) lets harmonics bloom one after another; sympathetic strings ring behind.

    Cycles with a peak at one harmonic each are faded from the highest to the lowest.
    """
    frames = round(seconds * MUSIC_RATE)
    key = ("sitar", round(pitch_hz, 2), variant)
    spread = generator(*key)
    count = int(np.clip(0.42 * MUSIC_RATE / pitch_hz, 4, 44))
    n = np.arange(1, count + 1, dtype=np.float64)
    t = np.arange(frames, dtype=np.float32) / MUSIC_RATE
    cycles = phase_of(pitch_hz, frames)
    plucked = (np.abs(np.sin(np.pi * n * 0.11)) + 0.05) / n**0.8
    peak = 3.4 + 9.0 * np.exp(-t / np.float32(0.5)) + 5.0 * velocity * np.exp(-t / np.float32(1.1))
    peak += 0.7 * np.sin(np.float32(2 * np.pi * 1.3) * t + np.float32(spread.uniform(0, 6)))  # it goes on buzzing
    at = np.interp(peak, _BLOOMS, np.arange(len(_BLOOMS)))
    wave = np.zeros(frames, np.float32)
    for k, bloomed in enumerate(_BLOOMS):
        share = np.clip(1.0 - np.abs(at - k), 0.0, 1.0).astype(np.float32)
        heard = np.flatnonzero(share)
        if not len(heard):
            continue
        span = slice(heard[0], heard[-1] + 1)
        amps = plucked * (0.4 + 3.2 * np.exp(-(((n - bloomed) / (0.35 * bloomed + 1)) ** 2)))
        wave[span] += share[span] * play_cycle(cycle(amps, turned=True), cycles[span])
    wave *= decay(frames, float(np.clip(4.2 * (220.0 / pitch_hz) ** 0.4, 2.0, 6.0))) * rise(frames, 0.014) ** 2
    buzz = wave - shaped(wave, low_hz=1200.0)
    wave -= buzz * (1 - rise(frames, 0.036))  # of 36 ms, as the bridge takes time to throw the string back
    wave = _with_touch(wave, 0.010, 0.02, 5500.0, 1200.0, key)
    strings = pitch_hz * 2.0 ** (np.array([0, 7, 12, 19, 24]) / 12) * spread.uniform(0.999, 1.001, 5)
    halo = modes(
        frames, np.concatenate([strings, 2 * strings, 3 * strings]), np.repeat([0.5, 0.4, 0.3], 5), 6.0,
        spread.uniform(0, 6, 15),
    )  # fmt: skip
    wave += levelled(halo) * (np.float32(0.2) * rise(frames, 0.2))
    return levelled(shaped(wave, high_hz=90.0, peaks=((240.0, 2.0, 0.4), (650.0, 1.5, 0.4), (2600.0, 1.0, 0.9))))
