"""Levels of sixteen frequency bands, about ten times a second, for spectrum displays."""

from __future__ import annotations

import numpy as np

from ...audio import Samples
from ...station.adapter import RATE

BANDS = 16
WINDOW = 4096  # frames of one Fourier transform
LOW_HZ, HIGH_HZ = 40.0, 16000.0
FLOOR_DB = -72.0  # dB of full scale that map to 0
CEILING_DB = -12.0  # dB of full scale that map to 1

_hann = np.hanning(WINDOW).astype(np.float32)
_edges = np.geomspace(LOW_HZ, HIGH_HZ, BANDS + 1) * WINDOW / RATE
# Low bands are narrower than a bin of the transform: each gets at least one bin of its own.
_starts = np.maximum.accumulate(np.maximum(np.round(_edges[:-1]).astype(int), 4 + np.arange(BANDS)))
_stops = np.append(_starts[1:], round(float(_edges[-1])))


def levels(windows: Samples) -> list[list[float]]:
    """The level of each band from 0 to 1 in each of ``windows``, (N, ``WINDOW``, C)."""
    middle = (windows[:, :, 0] + windows[:, :, -1]) / 2  # of left and right; a mean over the axis takes longer
    power = np.square(np.abs(np.fft.rfft(middle * _hann))) * (8.0 / 3.0 / WINDOW**2 * 2.0)
    total = np.cumsum(power, axis=1)
    band = total[:, _stops - 1] - total[:, _starts - 1]
    level_db = 10.0 * np.log10(np.maximum(band, 1e-12))
    shown: list[list[float]] = np.clip((level_db - FLOOR_DB) / (CEILING_DB - FLOOR_DB), 0.0, 1.0).round(3).tolist()
    return shown


def measured(samples: Samples, frame: int, every_s: float = 0.1) -> list[tuple[int, list[float]]]:
    """(middle frame, levels) of each stretch of about ``every_s`` seconds; ``samples`` (T, C) begin at ``frame``.

    Measured are the middle ``WINDOW`` frames of each stretch.
    """
    count = max(1, round(len(samples) / RATE / every_s))
    step = len(samples) // count
    if step < WINDOW:
        return []
    first = (step - WINDOW) // 2
    windows = samples[: count * step].reshape(count, step, -1)[:, first : first + WINDOW]
    return [(frame + i * step + step // 2, found) for i, found in enumerate(levels(windows))]
