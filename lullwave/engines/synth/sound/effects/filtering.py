"""Filters over endless sound in blocks, by one transform a block; knows no part.

A block is filtered together with the input just before it (its history), long enough for the filter's memory to have
died away by more than 100 dB. Changing a filter fades from the old one's output to the new one's.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .....audio import Samples
from ..synthesis import MUSIC_RATE, Spectrum, good_size, response

HISTORY = 512  # input kept by `lowpass`; 23 ms, enough for cutoffs above 150 Hz


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


@lru_cache(maxsize=12)
def lowpass_response(cutoff_hz: float, size: int) -> Spectrum:
    """Two poles, maximally flat; a cutoff at or above 10 kHz is no filter."""
    freqs = np.fft.rfftfreq(size, 1 / MUSIC_RATE).astype(np.float32)
    if cutoff_hz >= 10000.0:
        return np.ones(len(freqs), np.complex64)
    return response(freqs, cutoff_hz)


def lowpass(
    block: Samples, history: Samples, old_hz: float, new_hz: float, crossfade: Samples
) -> tuple[Samples, Samples]:
    """A mono block through a low-pass that glides from ``old_hz`` to ``new_hz``; returns it with the next history.

    ``crossfade`` (T,) is 0 where the old cutoff holds and 1 where the new one does.
    """
    old_hz, new_hz = _rounded(old_hz), _rounded(new_hz)
    whole = np.concatenate([history, block])
    kept = whole[-HISTORY:].copy()  # a view would keep the whole block alive
    if old_hz >= 10000.0 and new_hz >= 10000.0:
        return block, kept
    size = block_size(len(whole))
    spectrum = spectrum_of(whole, size)
    span = slice(len(history), len(whole))
    # The responses are held by names: NumPy multiplies into an operand that nobody else holds (as when another thread
    # has just driven it from the cache), and its complex product in place rounds otherwise than into a new array.
    new_response = lowpass_response(new_hz, size)
    after = np.fft.irfft(spectrum * new_response, size)[span].astype(np.float32, copy=False)
    if old_hz != new_hz:
        old_response = lowpass_response(old_hz, size)
        before = np.fft.irfft(spectrum * old_response, size)[span].astype(np.float32, copy=False)
        after = before + (after - before) * crossfade
    return after, kept


def _rounded(hz: float) -> float:
    """Rounded to 1/48 octave, so that cached responses are found again."""
    return float(min(10000.0, round(2.0 ** (round(np.log2(max(hz, 150.0)) * 48) / 48), 1)))
