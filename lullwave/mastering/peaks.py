"""Measures true peaks, the largest magnitudes including those between the samples (ITU-R BS.1770-4, Annex 2).

The sound is oversampled four times by a windowed sinc of 24 taps per phase, twice the length of the standard's example.
Tones up to 20 kHz are under-read by at most a few hundredths of a dB.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..audio import SILENCE_DBFS, Audio, Samples

FACTOR = 4  # oversampling
TAPS = 24  # of each phase
BEHIND = TAPS // 2  # frames after a frame that its true peak depends on; before it, one less

_ROW = 16  # frames of one row of the matrix product
_CHUNK = 65536  # frames measured at a time; bounds the memory


def _interpolators() -> npt.NDArray[np.float64]:
    """(TAPS, FACTOR - 1): filters for the values at 1/4, 1/2 and 3/4 between two samples (Kaiser window, beta 7)."""
    out = np.zeros((TAPS, FACTOR - 1))
    for phase in range(1, FACTOR):
        at = np.arange(TAPS) - (BEHIND - 1) - phase / FACTOR
        window = np.i0(7.0 * np.sqrt(np.maximum(0.0, 1.0 - (at / BEHIND) ** 2))) / np.i0(7.0)
        taps = np.sinc(at) * window
        out[:, phase - 1] = taps / taps.sum()
    return out


def _row_matrix() -> Samples:
    """(ROW + TAPS - 1, (FACTOR - 1) * ROW): the interpolators for ROW frames in a row, as one Toeplitz matrix."""
    taps = _interpolators()
    out = np.zeros((_ROW + TAPS - 1, FACTOR - 1, _ROW))
    for frame in range(_ROW):
        out[frame : frame + TAPS, :, frame] = taps
    return out.reshape(_ROW + TAPS - 1, -1).astype(np.float32)


def _bend() -> tuple[float, float]:
    """How far a value between two samples may lie outside of them: at most the first number times the largest second
    difference nearby, and the second number times the largest sample.

    An interpolator less a straight line is a filter that takes no notice of constants and hardly any of slopes, so that
    it is a short filter of second differences and a little of one first difference.
    """
    filters = _interpolators()
    curved = straight = 0.0
    for phase in range(1, FACTOR):
        rest = filters[:, phase - 1].copy()
        rest[BEHIND - 1] -= 1 - phase / FACTOR
        rest[BEHIND] -= phase / FACTOR
        twice = np.cumsum(np.cumsum(rest))
        curved = max(curved, float(np.sum(np.abs(twice[:-2]))))
        straight = max(straight, 2 * abs(float(twice[-2])) + abs(float(np.sum(rest))))
    return curved, straight


_ROWS = _row_matrix()
_SPAN = np.arange(_ROW + TAPS - 1)  # the frames that a row depends on
_CURVED, _STRAIGHT = _bend()


def peaks_of(samples: Samples, matter_above: float = 0.0) -> Samples:
    """(T + TAPS - 1, C) → (T,): the largest magnitude of each frame and of the values between it and the next frame.

    Frame i of the result is frame ``i + BEHIND - 1`` of ``samples``. T must be a multiple of 16. Where no value can
    exceed ``matter_above``, only the samples themselves are measured, which is faster.
    """
    frames, channels = len(samples) - TAPS + 1, samples.shape[1]
    rows = frames // _ROW
    assert rows * _ROW == frames, "whole rows"
    lines = np.ascontiguousarray(samples.T)
    heights = np.abs(lines).max(axis=0)
    top: Samples = heights[BEHIND - 1 : BEHIND - 1 + frames].copy()
    bends = lines[:, 2:] - lines[:, 1:-1]
    bends -= lines[:, 1:-1] - lines[:, :-2]
    reach = _nearby(heights, rows) * (1 + _STRAIGHT) + _nearby(np.abs(bends).max(axis=0), rows) * _CURVED
    busy = np.flatnonzero(reach >= matter_above)
    if len(busy):
        spans = lines.take(busy[:, None] * _ROW + _SPAN, axis=1).reshape(channels * len(busy), len(_SPAN))
        between = np.abs(spans @ _ROWS).reshape(channels, len(busy), FACTOR - 1, _ROW).max(axis=(0, 2))
        table = top.reshape(rows, _ROW)
        table[busy] = np.maximum(table[busy], between)
    return top


def _nearby(values: Samples, rows: int) -> Samples:
    """(rows,): the largest of the values that a row depends on, and of a few more."""
    found = np.maximum.reduceat(values, np.arange(0, len(values), _ROW))
    blocks = np.zeros(rows + 2, np.float32)
    blocks[: len(found)] = found[: rows + 2]
    return np.asarray(np.maximum(np.maximum(blocks[:-2], blocks[1:-1]), blocks[2:]))


def true_peak_dbtp(audio: Audio) -> float:
    """The largest true peak of a clip in dB of full scale."""
    top = 0.0
    padded = np.pad(audio.samples, ((TAPS, TAPS + _ROW), (0, 0)))
    frames = (len(padded) - TAPS + 1) // _ROW * _ROW
    for start in range(0, frames, _CHUNK):
        stop = min(start + _CHUNK, frames)
        top = max(top, float(np.max(peaks_of(padded[start : stop + TAPS - 1]))))
    return 20.0 * math.log10(top) if top > 1e-6 else SILENCE_DBFS
