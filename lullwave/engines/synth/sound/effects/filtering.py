"""Filters over endless sound in blocks, by one transform a block.

A block is filtered together with the input just before it (its history), long enough for the filter's memory to have
died away by more than 100 dB. Changing a filter fades from the old one's output to the new one's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .....audio import Samples
from ..synthesis import MUSIC_RATE, Spectrum, good_size, response

HISTORY = 512  # input kept by `colour`; 23 ms, in which every filter above 100 Hz has died away
_SCOOP_HZ, _SCOOP_Q = 500.0, 0.8  # the middle that piles up where chords, tune and pad meet
_AIR_HZ = 6500.0  # where the shelf of the drums has half its gain


def spectrum_of(samples: Samples, size: int) -> Spectrum:
    """rfft padded to ``size``. In float64, which NumPy transforms faster than float32, then rounded."""
    return np.fft.rfft(samples.astype(np.float64), size).astype(np.complex64)


def between(values: npt.NDArray[np.float64], step: int, skip: int, frames: int) -> Samples:
    """Straight lines between ``values``, which lie ``step`` samples apart: samples ``skip`` up to ``skip + frames``."""
    rises = np.diff(values).astype(np.float32)
    lines = rises[:, None] * (np.arange(step, dtype=np.float32) / np.float32(step))
    lines += values[:-1, None].astype(np.float32)
    return lines.reshape(-1)[skip : skip + frames]


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
    air_db: float = 0.0  # shelf above 6.5 kHz

    @property
    def rounded(self) -> Tone:
        """Cutoff to 1/48 octave and gains to half a dB, so that cached responses are found again."""
        hz = 2.0 ** (round(np.log2(max(self.cutoff_hz, 150.0)) * 48) / 48)
        return Tone(
            float(min(10000.0, round(hz, 1))),
            float(round(self.thin_hz, -1)),
            round(2 * self.scoop_db) / 2,
            round(2 * self.air_db) / 2,
        )

    @property
    def flat(self) -> bool:
        """Whether nothing is filtered."""
        return self.cutoff_hz >= 10000.0 and not (self.thin_hz or self.scoop_db or self.air_db)


@lru_cache(maxsize=12)
def lowpass_response(cutoff_hz: float, size: int) -> Spectrum:
    """Two poles, maximally flat; a cutoff at or above 10 kHz is no filter."""
    freqs = np.fft.rfftfreq(size, 1 / MUSIC_RATE).astype(np.float32)
    if cutoff_hz >= 10000.0:
        return np.ones(len(freqs), np.complex64)
    return response(freqs, cutoff_hz)


@lru_cache(maxsize=24)
def tone_response(tone: Tone, size: int) -> Spectrum:
    """Complex gain of a tone at the frequencies of a transform of ``size``."""
    freqs = np.fft.rfftfreq(size, 1 / MUSIC_RATE).astype(np.float32)
    out = lowpass_response(tone.cutoff_hz, size)
    if tone.thin_hz:
        out = out * response(freqs, tone.thin_hz, kind="high")
    if tone.scoop_db:  # the bell of R. Bristow-Johnson's "Audio EQ Cookbook", before it is made discrete
        s, depth = 1j * freqs / _SCOOP_HZ, 10 ** (tone.scoop_db / 40)
        out = out * ((s * s + s * (depth / _SCOOP_Q) + 1) / (s * s + s / (depth * _SCOOP_Q) + 1))
    if tone.air_db:
        s = 1j * freqs / _AIR_HZ
        out = out * ((1 + s * 10 ** (tone.air_db / 20)) / (1 + s))
    return np.asarray(out, np.complex64)


def colour(block: Samples, history: Samples, old: Tone, new: Tone, crossfade: Samples) -> tuple[Samples, Samples]:
    """A mono block through a tone that glides from ``old`` to ``new``; returns it with the next history.

    ``crossfade`` (T,) is 0 where the old tone holds and 1 where the new one does.
    """
    old, new = old.rounded, new.rounded
    whole = np.concatenate([history, block])
    kept = whole[-HISTORY:].copy()  # a view would keep the whole block alive
    if old.flat and new.flat:
        return block, kept
    size = block_size(len(whole))
    spectrum = spectrum_of(whole, size)
    span = slice(len(history), len(whole))
    # The responses are held by names: NumPy multiplies into an operand that nobody else holds (as when another thread
    # has just driven it from the cache), and its complex product in place rounds otherwise than into a new array.
    new_response = tone_response(new, size)
    after = np.fft.irfft(spectrum * new_response, size)[span].astype(np.float32, copy=False)
    if old != new:
        old_response = tone_response(old, size)
        before = np.fft.irfft(spectrum * old_response, size)[span].astype(np.float32, copy=False)
        after = before + (after - before) * crossfade
    return after, kept
