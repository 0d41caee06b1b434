"""Filters over endless sound in blocks.

A block is filtered together with the input just before it (its history), long enough for the filter's memory to have
died away by more than 100 dB. Changing a filter fades from the old one's output to the new one's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .....audio import Samples
from .....mastering.biquads import BlockFilter, StateSpace
from ..synthesis import MUSIC_RATE, Spectrum, good_size, response, section

HISTORY = 512  # input kept by `colour`; 23 ms, in which every filter above 100 Hz has died away
_SCOOP_HZ, _SCOOP_Q = 500.0, 0.8  # the middle that piles up where chords, tune and pad meet
_AIR_HZ = 4000.0  # where the shelf of the drums has half its gain
_HIGHS_HZ = 2000.0  # the same of what is melodic
_MATCHED_HZ = (4000.0, 9500.0)  # where the shelf is as the analogue one; elsewhere within 0.13 dB up to 10.5 kHz


def spectrum_of(samples: Samples, size: int) -> Spectrum:
    """rfft padded to ``size``. In float64, which NumPy transforms faster than float32, then rounded."""
    return np.fft.rfft(samples.astype(np.float64), size).astype(np.complex64)


def block_size(least: int) -> int:
    """A transform length from a coarse grid, so that bars of different tempi share cached responses."""
    step = 1 << max(8, (least - 1).bit_length() - 3)
    return good_size(-(-least // step) * step)


@dataclass(frozen=True)
class Tone:
    """The filters of a part or bus, each of them causal and of minimum phase."""

    cutoff_hz: float = 20000.0  # low-pass of two poles; 10 kHz and above is none
    thin_hz: float = 0.0  # high-pass of two poles; 0 is none, else at least 100
    scoop_db: float = 0.0  # bell at 500 Hz, about two octaves wide
    air_db: float = 0.0  # shelf above 4 kHz
    highs_db: float = 0.0  # shelf above 2 kHz

    @property
    def rounded(self) -> Tone:
        """Cutoff to 1/48 octave and gains to half a dB, so that cached responses are found again."""
        hz = 2.0 ** (round(np.log2(max(self.cutoff_hz, 150.0)) * 48) / 48)
        return Tone(
            float(min(10000.0, round(hz, 1))),
            float(round(self.thin_hz, -1)),
            round(2 * self.scoop_db) / 2,
            round(2 * self.air_db) / 2,
            round(2 * self.highs_db) / 2,
        )

    @property
    def flat(self) -> bool:
        """Whether nothing is filtered."""
        return self.cutoff_hz >= 10000.0 and not (self.thin_hz or self.scoop_db or self.air_db or self.highs_db)


@lru_cache(maxsize=12)
def lowpass_response(cutoff_hz: float, size: int) -> Spectrum:
    """Two poles, maximally flat; a cutoff at or above 10 kHz is no filter."""
    freqs = np.fft.rfftfreq(size, 1 / MUSIC_RATE).astype(np.float32)
    if cutoff_hz >= 10000.0:
        return np.ones(len(freqs), np.complex64)
    return response(freqs, cutoff_hz)


@lru_cache(maxsize=24)
def tone_filter(tone: Tone) -> BlockFilter:
    """The matrices of a tone."""
    system = StateSpace.gain(1.0)
    if tone.cutoff_hz < 10000.0:
        system = system.then(section(tone.cutoff_hz))
    if tone.thin_hz:
        system = system.then(section(tone.thin_hz, kind="high"))
    if tone.scoop_db:
        system = system.then(_bell(_SCOOP_HZ, _SCOOP_Q, tone.scoop_db))
    if tone.air_db:
        system = system.then(_shelf(_AIR_HZ, tone.air_db))
    if tone.highs_db:
        system = system.then(_shelf(_HIGHS_HZ, tone.highs_db))
    return BlockFilter(system, single=True)


def _bell(hz: float, q: float, gain_db: float) -> StateSpace:
    """The bell of R. Bristow-Johnson's "Audio EQ Cookbook"."""
    k, depth = math.tan(math.pi * hz / MUSIC_RATE), 10 ** (gain_db / 40)
    norm = 1 + k / (q * depth) + k * k
    middle = 2 * (k * k - 1) / norm
    up, down = k * depth / q, k / (q * depth)
    return StateSpace.of(((1 + up + k * k) / norm, middle, (1 - up + k * k) / norm, middle, (1 - down + k * k) / norm))


def _shelf(hz: float, gain_db: float) -> StateSpace:
    """One pole and one zero with the power gain of the analogue shelf (1 + g s) / (1 + s) at 0 and at ``_MATCHED_HZ``.

    After M. Vicanek, "Matched One-Pole Digital Shelving Filters" (2019), with t = tan²(ω/2): the power gain of such a
    filter is (1 + top t) / (1 + pole t). The bilinear transform would lift the highest octave.
    """
    analogue = (np.array(_MATCHED_HZ) / hz) ** 2
    power = (1 + 10 ** (gain_db / 10) * analogue) / (1 + analogue)
    excess = (power - 1) / np.tan(np.pi * np.array(_MATCHED_HZ) / MUSIC_RATE) ** 2
    pole = (excess[0] - excess[1]) / (power[1] - power[0])
    top = excess[0] + power[0] * pole
    one, two = 1 + math.sqrt(top), 1 - math.sqrt(top)
    a1, b0, b1 = ((1 - math.sqrt(pole)) / (1 + math.sqrt(pole)), *(x / (1 + math.sqrt(pole)) for x in (one, two)))
    return StateSpace(np.array([[-a1]]), np.array([b1 - a1 * b0]), np.ones(1), b0)


def colour(block: Samples, history: Samples, old: Tone, new: Tone, crossfade: Samples) -> tuple[Samples, Samples]:
    """A mono block through a tone that glides from ``old`` to ``new``; returns it with the next history.

    ``crossfade`` (T,) is 0 where the old tone holds and 1 where the new one does.
    """
    old, new = old.rounded, new.rounded
    whole = np.concatenate([history, block])
    kept = whole[-HISTORY:].copy()  # a view would keep the whole block alive
    if old.flat and new.flat:
        return block, kept
    after = tone_filter(new).whole(whole)[HISTORY:]
    if old != new:
        before = tone_filter(old).whole(whole)[HISTORY:]
        after = before + (after - before) * crossfade
    return after, kept
