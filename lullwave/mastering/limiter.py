"""A look-ahead true-peak limiter: smooth gain, never above the ceiling.

The reduction that each group of frames needs (in nepers) decays over ``RELEASE_S``, is held by a running maximum over
the look-ahead and smoothed by a triangular window of the same length. The window's weights add up to 1 and every value
under it is at least what the group needs, so the smoothed reduction is enough at every frame (Giannoulis, Massberg,
Reiss, "Digital dynamic range compressor design", JAES 60(6), 2012, on feed-forward design with look-ahead).
"""

from __future__ import annotations

import numpy as np

from ..audio import Samples
from .biquads import F64, QUANTUM
from .peaks import BEHIND, TAPS, peaks_of

LOOKAHEAD_S = 0.005  # the gain begins to fall this long before a peak: long enough not to click
RELEASE_S = 0.12  # time constant of the gain's return
MARGIN_DB = 0.1  # kept below the ceiling for the gain's own movement and peaks between the oversampled points
_GROUP = 8  # frames that share a reduction; the gain runs in straight lines between groups
_LINE = np.arange(1, _GROUP + 1) / _GROUP


class Limiter:
    """Limits whole quanta; its output is ``delay_frames`` late. One thread."""

    def __init__(self, rate: int, channels: int, ceiling_dbtp: float) -> None:
        self._box = max(2, round(LOOKAHEAD_S / 2 * rate / _GROUP))
        self._window = 2 * self._box - 1  # groups
        self.delay_frames = (self._window + 1) * _GROUP + BEHIND
        self._ceiling = 10.0 ** ((ceiling_dbtp - MARGIN_DB) / 20.0)
        decay = _GROUP / (RELEASE_S * rate)
        self._fall = np.exp(-decay * np.arange(1, QUANTUM // _GROUP + 1))
        self._tail = np.zeros((self.delay_frames, channels), np.float32)  # frames that were not returned yet
        self._fallen = np.zeros(self._window + 2)  # the last reductions, with their release
        self._held = np.zeros(self._window)  # the last reductions after the running maximum
        self._idle = True
        self.gains: F64 | None = None  # of each group of the last quantum returned; None: nothing was reduced

    def process(self, quantum: Samples) -> Samples:
        """Limit one quantum: (QUANTUM, C) in, (QUANTUM, C) out."""
        lines = np.concatenate([self._tail.T, quantum.T], axis=1)
        self._tail = lines[:, QUANTUM:].T.copy()
        top = peaks_of(lines[:, self.delay_frames - TAPS + 1 :].T, self._ceiling)
        out = np.ascontiguousarray(lines[:, :QUANTUM].T)
        if self._idle and float(np.max(top)) <= self._ceiling:
            self.gains = None
            return out
        needed = np.log(np.maximum(top.reshape(-1, _GROUP).max(axis=1) / self._ceiling, 1.0), dtype=np.float64)
        # The largest of all earlier reductions, each decayed since: a running maximum of needed / decay.
        needed[0] = max(needed[0], self._fallen[-1] * self._fall[0])
        fallen = np.concatenate([self._fallen, np.maximum.accumulate(needed / self._fall) * self._fall])
        held = np.concatenate([self._held, _running_maximum(fallen, self._window + 3)])
        groups = len(needed)
        self._fallen = fallen[groups:].copy()
        self._held = held[groups:].copy()
        # One gain more than there are groups: each ends the line before it and starts the one after. Both
        # are enough for the whole group, which the running maximum sees with a neighbour on either side.
        gains = np.exp(-_moving_mean(_moving_mean(held, self._box), self._box))
        self._idle = bool(max(self._fallen.max(), self._held.max()) < 1e-6)
        if self._idle:
            self._fallen[:] = 0.0
            self._held[:] = 0.0
        out *= (gains[:-1, None] + np.diff(gains)[:, None] * _LINE).reshape(-1, 1).astype(np.float32)
        self.gains = (gains[:-1] + gains[1:]) / 2.0
        return out

    def arrays(self) -> dict[str, F64 | Samples]:
        """The state, for ``restore``."""
        return {"tail": self._tail, "fallen": self._fallen, "held": self._held}

    def restore(self, arrays: dict[str, F64 | Samples]) -> None:
        """Continue from a state that ``arrays`` returned."""
        self._tail = arrays["tail"].astype(np.float32)
        self._fallen = arrays["fallen"].astype(np.float64)
        self._held = arrays["held"].astype(np.float64)
        self._idle = not (self._fallen.any() or self._held.any())


def _running_maximum(values: F64, length: int) -> F64:
    """Maxima of ``length`` neighbours, in windows that double."""
    have = 1
    while have < length:
        step = min(have, length - have)
        values = np.maximum(values[:-step], values[step:])
        have += step
    return values


def _moving_mean(values: F64, length: int) -> F64:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means: F64 = (sums[length:] - sums[:-length]) / length
    return means
