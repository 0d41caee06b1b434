"""Ambience: rain, fire, café, night, waves and train as endless stereo sound, addressed by position.

Each layer is a bed of shaped noise that drifts and a scatter of small events. Any stretch of it is a pure function of
(name, seed, first frame), so it can be cut, stored and joined anywhere, and no two minutes are alike. Every layer comes
at the loudness ``LUFS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ....audio import Samples
from ..score import RATE, Ambience
from .effects.surface_noise import looped, noise_loop
from .synthesis import between, generator

LUFS = -30.0
_LONGEST_S = 1.2  # of one event

Corners = tuple[tuple[float, float], ...]
Event = tuple[float, Samples, float]  # seconds into its stretch, mono sound, place -1…1


@dataclass(frozen=True)
class _Bed:
    """A stretch of noise with corners (Hz, dB), its level, and how far (0…1) and how fast it drifts."""

    name: str
    corners: Corners
    level: float
    drift: float
    period_s: float
    width: float = 0.6


def layer(name: Ambience, start: int, frames: int, seed: int) -> Samples:
    """(2, T) of a place from absolute frame ``start``."""
    beds, scatter, level = _PLACES[name]
    out = np.zeros((2, frames), np.float32)
    for n, bed in enumerate(beds):
        out += _bed(bed, start, frames, seed + 7919 * n)
    if scatter is not None:
        _scatter(out, name, scatter, start, seed)
    out *= np.float32(10 ** (level / 20))
    return out


def _bed(bed: _Bed, start: int, frames: int, seed: int) -> Samples:
    loop = noise_loop(bed.name, bed.corners)
    shift = (seed * 40503) % len(loop)
    common = looped(loop, start + shift, frames)
    same, own = np.float32(np.sqrt(1 - bed.width**2)), np.float32(bed.width)
    out = np.empty((2, frames), np.float32)
    for ear, apart in enumerate((88007, 174763)):
        swell = _drift(start, frames, bed.period_s * (1.0 + 0.13 * ear), seed + ear)
        out[ear] = same * common + own * looped(loop, start + shift + apart, frames)
        out[ear] *= np.float32(bed.level) * (1 - np.float32(bed.drift) * swell)
    return out


def _drift(start: int, frames: int, period_s: float, seed: int) -> Samples:
    """0…1, wandering: three sines whose periods have no common multiple."""
    first = start // 1024
    grid = np.arange(first, (start + frames) // 1024 + 2)
    t = grid * (1024.0 / RATE)
    phase = (seed % 997) / 997.0
    wave = (
        np.sin(2 * np.pi * (t / period_s + phase))
        + 0.6 * np.sin(2 * np.pi * (t / (period_s * 0.618) + 2.3 * phase))
        + 0.5 * np.sin(2 * np.pi * (t / (period_s * 2.718) + 3.1 * phase))
    )
    return between(0.5 + wave / 4.2, 1024, start - 1024 * first, frames)


def _scatter(
    out: Samples, name: str, scatter: Callable[[np.random.Generator, int], Iterator[Event]], start: int, seed: int
) -> None:
    frames = out.shape[1]
    first = int((start - _LONGEST_S * RATE) // RATE)
    for second in range(first, (start + frames) // RATE + 1):
        for at_s, wave, place in scatter(generator("scatter", name, seed, second), second):
            begin = second * RATE + round(at_s * RATE) - start
            low, high = max(0, begin), min(frames, begin + len(wave))
            if low < high:
                cut = wave[low - begin : high - begin]
                out[0, low:high] += cut * np.float32(min(1.0, 1 - place))
                out[1, low:high] += cut * np.float32(min(1.0, 1 + place))


def _ping(hz: float, decay_s: float, level: float, rise_s: float = 0.0007) -> Samples:
    """A small resonant drop that rises softly and dies away."""
    frames = round(min(_LONGEST_S, 5 * decay_s + 2 * rise_s) * RATE)
    t = np.arange(frames, dtype=np.float32) / np.float32(RATE)
    envelope = (1 - np.exp(-t / np.float32(rise_s))) * np.exp(-t / np.float32(decay_s)) * (1 - t * (RATE / frames))
    return np.asarray(np.float32(level) * envelope * np.sin(np.float32(2 * np.pi * hz) * t), np.float32)


def _hill(seconds: float) -> Samples:
    return np.asarray(np.sin(np.linspace(0, np.pi, round(seconds * RATE))) ** 2, np.float32)


@lru_cache(maxsize=1)
def _drop_bank() -> tuple[Samples, ...]:
    draw = generator("drops")
    return tuple(
        _ping(np.exp(draw.uniform(np.log(900), np.log(4800))), draw.uniform(0.002, 0.009), 1.0) for _ in range(64)
    )


def _drops(draw: np.random.Generator, _second: int) -> Iterator[Event]:
    bank, count = _drop_bank(), int(draw.poisson(26))
    which, at, place = draw.integers(0, len(bank), count), draw.uniform(0, 1, count), draw.uniform(-0.7, 0.7, count)
    level = np.minimum(0.16 * np.exp(0.7 * draw.standard_normal(count)), 0.8)
    for n in range(count):
        yield at[n], bank[which[n]] * np.float32(level[n]), place[n]


@lru_cache(maxsize=1)
def _spark_bank() -> tuple[Samples, ...]:
    """Crackles of wood: short, dull and soft-edged, some of them double."""
    draw = generator("sparks")
    bank = []
    for _ in range(48):
        hz = np.exp(draw.uniform(np.log(220), np.log(1100)))
        wave = _ping(hz, draw.uniform(0.006, 0.016), 2.0, 0.007)
        if draw.uniform() < 0.3:
            second = _ping(hz * 1.4, 0.005, 0.8, 0.004)
            wave = np.concatenate([wave, np.zeros(len(second), np.float32)])
            wave[-2 * len(second) : -len(second)] += second
        edge = min(len(wave), round(0.006 * RATE))
        wave[:edge] *= _hill(0.012)[:edge]
        bank.append(wave)
    return tuple(bank)


def _sparks(draw: np.random.Generator, second: int) -> Iterator[Event]:
    bank = _spark_bank()
    count = int(draw.poisson(draw.uniform(2, 14) * (1 + (second % 7 == 3))))
    which, at, place = draw.integers(0, len(bank), count), draw.uniform(0, 1, count), draw.uniform(-0.5, 0.5, count)
    level = np.minimum(0.11 * np.exp(0.55 * draw.standard_normal(count)), 0.26)
    for n in range(count):
        yield at[n], bank[which[n]] * np.float32(level[n]), place[n]


@lru_cache(maxsize=1)
def _syllable_bank() -> tuple[Samples, ...]:
    """Vowels of people too far away to be understood: harmonics through two formants."""
    draw = generator("syllables")
    bank = []
    for _ in range(36):
        length, voice = draw.uniform(0.09, 0.26), draw.uniform(95, 230)
        first, second = draw.uniform(320, 750), draw.uniform(900, 1900)
        t = np.arange(round(length * RATE), dtype=np.float32) / np.float32(RATE)
        bend = t * (1 + np.float32(0.03) * t)
        wave = np.zeros(len(t), np.float32)
        for n in range(1, int(2200 / voice)):
            hz = n * voice
            gain = np.exp(-(((hz - first) / 160) ** 2)) + 0.4 * np.exp(-(((hz - second) / 260) ** 2))
            if gain > 0.02:
                wave += np.float32(gain) * np.sin(np.float32(2 * np.pi * hz) * bend + n)
        bank.append(wave * _hill(length)[: len(t)])
    return tuple(bank)


def _talk(draw: np.random.Generator, _second: int) -> Iterator[Event]:
    """Syllables, and now and then a cup."""
    bank, count = _syllable_bank(), int(draw.poisson(9))
    which, at, place = draw.integers(0, len(bank), count), draw.uniform(0, 1, count), draw.uniform(-0.7, 0.7, count)
    level = draw.uniform(0.05, 0.22, count)
    for n in range(count):
        yield at[n], bank[which[n]] * np.float32(level[n]), place[n]
    if draw.uniform() < 0.16:
        when, where = draw.uniform(0, 1), draw.uniform(-0.6, 0.6)
        for hz, loud in ((2630.0, 0.16), (4110.0, 0.12), (5870.0, 0.05)):
            yield when, _ping(hz * draw.uniform(0.96, 1.04), 0.09, loud, 0.002), where


@lru_cache(maxsize=1)
def _chirp_bank() -> tuple[Samples, ...]:
    """One pulse of each of three crickets."""
    hill = _hill(0.036)
    t = np.arange(len(hill), dtype=np.float32) / np.float32(RATE)
    return tuple(
        np.asarray(np.float32(level) * hill * np.sin(np.float32(2 * np.pi * hz) * t), np.float32)
        for hz, level in ((4310.0, 0.26), (4570.0, 0.175), (3980.0, 0.11))
    )


def _crickets(draw: np.random.Generator, second: int) -> Iterator[Event]:
    for cricket, (pulse, place) in enumerate(zip(_chirp_bank(), (-0.5, 0.6, 0.15), strict=True)):
        at, count = draw.uniform(0.0, 0.45), int(draw.integers(2, 5))
        if (second * (3 + cricket)) % 11 > 6:
            continue  # each rests now and then
        for n in range(count):
            yield at + n * 0.042, pulse, place


@lru_cache(maxsize=1)
def _knock_bank() -> tuple[Samples, ...]:
    draw = generator("knocks")
    bank = []
    for _ in range(8):
        hill = _hill(0.11)
        raw = np.convolve(draw.standard_normal(len(hill), dtype=np.float32), np.hanning(92)[1:-1], "same")
        wave = 0.34 * raw / np.std(raw) * hill
        tone = _ping(draw.uniform(150, 175), 0.05, 0.4, 0.004)
        wave[: len(tone)] += tone[: len(wave)]
        bank.append(wave.astype(np.float32))
    return tuple(bank)


def _joints(draw: np.random.Generator, second: int) -> Iterator[Event]:
    """Rail joints: two double knocks every two seconds."""
    if second % 2 == 0:
        return
    bank = _knock_bank()
    for at, level in ((0.10, 1.0), (0.24, 0.8), (0.78, 0.55), (0.92, 0.45)):
        which = int(draw.integers(0, len(bank)))
        yield at + draw.uniform(-0.012, 0.012), bank[which] * np.float32(level), 0.12


_PLACES: dict[
    Ambience, tuple[tuple[_Bed, ...], Callable[[np.random.Generator, int], Iterator[Event]] | None, float]
] = {
    "rain": (
        (
            _Bed("rain", ((100, -26), (400, -6), (1500, -3), (5000, -9), (8000, -15), (14000, -40)), 0.10, 0.35, 23.0),
            _Bed("far rain", ((80, -10), (300, 0), (900, -6), (3000, -20), (9000, -32)), 0.04, 0.5, 41.0),
        ),
        _drops,
        -14.2,
    ),
    "fire": (
        (
            _Bed(
                "fire",
                ((40, -26), (110, -7), (220, 0), (450, -7), (1100, -18), (4000, -26), (12000, -32)),
                0.085,
                0.6,
                5.3,
                0.5,
            ),
        ),
        _sparks,
        -8.4,
    ),
    "cafe": (
        (_Bed("room", ((60, -10), (200, 0), (700, -6), (2000, -16), (6000, -27), (12000, -34)), 0.07, 0.3, 13.0),),
        _talk,
        -13.0,
    ),
    "night": (
        (_Bed("wind", ((60, -8), (250, 0), (700, -9), (2500, -22), (9000, -30)), 0.07, 0.7, 17.0),),
        _crickets,
        -8.7,
    ),
    "waves": (
        (
            _Bed("surf", ((60, -14), (250, 0), (1200, -5), (4000, -13), (9000, -26), (14000, -50)), 0.13, 0.93, 9.7),
            _Bed("sea", ((40, -10), (120, 0), (500, -12), (2500, -24), (9000, -32)), 0.06, 0.5, 14.1),
        ),
        None,
        -12.0,
    ),
    "train": (
        (
            _Bed("rumble", ((35, -10), (80, 0), (250, -9), (900, -20), (9000, -32)), 0.11, 0.35, 7.7, 0.5),
            _Bed("air", ((150, -20), (700, 0), (2500, -9), (7000, -20), (12000, -28)), 0.02, 0.5, 19.0),
        ),
        _joints,
        -12.9,
    ),
}
