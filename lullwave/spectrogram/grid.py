"""The grid of the inversion: rate, transform size, and the matrices between its bins and the mel bands.

Sound below ``high_hz`` needs no more than twice that rate: 20 kHz instead of 44.1 by default, where a step is still a
whole number of samples. The transform is as long as the window, or padded to twice that, so that its bins lie 10 or 5
Hz apart; mel amplitudes are sums over bins 2.5 Hz apart. Magnitudes between bins are interpolated linearly where bands
are wide; where bands are about as narrow as bins, a short filter across the complex bins finds them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

from .analysis import FULL_SCALE
from .mel import cubic_interpolation, edges_hz, filters, linear_interpolation
from .params import SpectrogramParams

Reals = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]

PADS = (1, 2)  # allowed ratios of transform size to window size
TAPS = 6  # length of the filter that finds magnitudes half-way between bins
NARROW = 2.0  # bands less than this many bins apart are measured between bins, too
REGULAR = 1e-2  # regularisation as a share of the mean diagonal: bands narrower than bins are dependent
INVERSE_REACH = 20  # bands: entries of the inverse further from the diagonal are dropped
NEGLIGIBLE = 1e-3  # entries below this share of their diagonal are dropped, in ``first`` too
MAX_RADIUS = 1.3  # allowed spectral radius of a correction: above 1 corrections oscillate, from 2 on they grow
FAR = 2.5  # times high_hz: a rate above this is far above what the bands need
POWER_STEPS = 60  # steps of the power iteration that measures the radius


@dataclass(frozen=True, eq=False)
class Grid:
    """All constants of the inversion for one set of parameters. B bands, K bins, M points between bins."""

    rate: int
    hop: int
    window: Reals  # Hann, periodic
    n_fft: int
    bins: int
    observe: Any  # (B, K + M) csr: magnitudes on and between bins → mel amplitudes
    settle: Any  # (B, B) csr: approximate inverse of observe x spread
    spread: Any  # (K, B) csr: change of the bands → smallest change of the bins
    first: Any  # (window // 2 + 1, B) csr: mel amplitudes → smallest magnitudes, at the bins of unpadded frames
    taps: Reals  # (TAPS,) the filter between bins
    turn: Complex  # (M + TAPS // 2,) factors that move the time of phases from the window's start to its middle
    between: int  # M
    high_hz: int  # no band ends above
    nearest: Any  # (B,) the bin of ``first`` that is nearest to a band's middle

    @property
    def bin_hz(self) -> float:
        return self.rate / self.n_fft

    def samples(self, columns: int) -> int:
        return (columns - 1) * self.hop


def grid_of(params: SpectrogramParams, pad: int) -> Grid:
    """The grid for ``params`` with a transform of ``pad`` windows (one of ``PADS``); computed once.

    Where bands are so narrow that corrections of unpadded frames would not converge, the largest padding is used.
    """
    return _grid_of(replace(params, stereo=False, power=1.0, max_value=None), pad)


@lru_cache(8)
def _grid_of(params: SpectrogramParams, pad: int) -> Grid:
    from scipy import sparse

    rate, hop, window = _sizes(params)
    n_fft = pad * window
    bins = n_fft // 2 + 1
    bin_hz = rate / n_fft
    hz = np.arange(bins, dtype=np.float64) * bin_hz
    count = max(2, params.high_hz * params.fft_samples // params.rate + 1)
    fine_hz = np.arange(count, dtype=np.float64) * params.rate / params.fft_samples
    # A Hann window sums to half its length; FULL_SCALE is the unit of mel amplitudes.
    scale = FULL_SCALE * params.window_samples / window
    bank = filters(fine_hz, params.bands, params.low_hz, params.high_hz) * scale

    edges = edges_hz(params.bands, params.low_hz, params.high_hz)
    close = edges[:-1][np.diff(edges) < NARROW * bin_hz]
    between = max(0, min(bins - TAPS, math.ceil(close[-1] / bin_hz) + 1)) if len(close) else 0
    points = np.concatenate([hz, (np.arange(between) + 0.5) * bin_hz])
    order = np.argsort(points, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    # Fine points that lie half an unpadded bin apart or closer get the cubic.
    fine = len(fine_hz) if pad > 1 else np.count_nonzero(fine_hz < between * bin_hz)
    seen = sparse.vstack(
        [cubic_interpolation(points[order], fine_hz[:fine]), linear_interpolation(points[order], fine_hz[fine:])]
    )
    observe = (bank @ seen)[:, place]

    coarse = bank @ linear_interpolation(hz, fine_hz)
    normal = (coarse @ coarse.T).toarray()
    whole = np.linalg.inv(normal + REGULAR * _mean_diagonal(normal) * np.eye(params.bands))
    far = np.abs(np.subtract.outer(np.arange(params.bands), np.arange(params.bands))) > INVERSE_REACH
    height = np.sqrt(np.diag(whole))
    inverse = np.where(far | (np.abs(whole) < NEGLIGIBLE * np.outer(height, height)), 0.0, whole)
    if _spectral_radius(sparse.csr_matrix(inverse), normal) > MAX_RADIUS:
        if pad < PADS[-1]:
            return _grid_of(params, PADS[-1])
        inverse = whole

    gram = (bank @ bank.T).toarray()
    gram += 1e-9 * _mean_diagonal(gram) * np.eye(params.bands)
    every = linear_interpolation(fine_hz, np.arange(window // 2 + 1) * rate / window)
    first = np.asarray((every @ bank.T) @ np.linalg.inv(gram))
    # Dropped if negligible beside the largest of its bin and of its band, so that no band loses all entries.
    highest = np.minimum(np.abs(first).max(axis=1, keepdims=True), np.abs(first).max(axis=0))
    first[np.abs(first) < NEGLIGIBLE * highest] = 0.0

    places = np.arange(window) - window // 2
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    offsets = np.arange(TAPS) - TAPS // 2 + 0.5
    waves = np.cos(2 * np.pi * np.outer(places, offsets) / n_fft)
    weight = hann + 0.01
    taps = np.linalg.lstsq(waves * weight[:, None], weight, rcond=None)[0]
    return Grid(
        rate=rate,
        hop=hop,
        window=hann.astype(np.float32),
        n_fft=n_fft,
        bins=bins,
        observe=_tidy(sparse.csr_matrix(observe)),
        settle=_tidy(sparse.csr_matrix(inverse)),
        spread=_tidy(sparse.csr_matrix(coarse.T)),
        first=_tidy(sparse.csr_matrix(first)),
        taps=taps.astype(np.float32),
        turn=np.exp(1j * np.pi * np.arange(between + TAPS // 2) / pad).astype(np.complex64),
        between=between,
        high_hz=params.high_hz,
        nearest=np.rint(edges[1:-1] * window / rate).astype(np.intp),
    )


def _mean_diagonal(matrix: npt.NDArray[np.float64]) -> float:
    """The mean of the diagonal; 1 if it is zero, as when no bin lies in any band."""
    return float(np.mean(np.diag(matrix))) or 1.0


def _spectral_radius(inverse: Any, normal: npt.NDArray[np.float64]) -> float:
    """Spectral radius of ``normal @ inverse``; 1 for an exact inverse."""
    lack = np.random.default_rng(0).standard_normal(len(normal))
    grown = 0.0
    for _ in range(POWER_STEPS):
        lack = normal @ (inverse @ lack)
        grown = float(np.linalg.norm(lack))
        if not grown:
            break
        lack /= grown
    return grown


def _sizes(params: SpectrogramParams) -> tuple[int, int, int]:
    """Rate, hop and window: the lowest rate from 2 x high_hz at which both are whole and the transform is fast.

    The window is an even number of samples; if that asked for a rate far above 2 x high_hz, it is the nearest one.
    """
    step, window = Fraction(params.hop_samples, params.rate), Fraction(params.window_samples, params.rate)  # seconds
    unit = math.lcm(step.denominator, (window / 2).denominator)
    if -(-2 * params.high_hz // unit) * unit > FAR * params.high_hz:
        unit = step.denominator
    lowest = -(-2 * params.high_hz // unit) * unit
    for rate in range(lowest, min(lowest + 40 * unit, 2 * lowest + 1), unit):
        size = 2 * round(rate * window / 2)
        if all(scipy.fft.next_fast_len(pad * size, real=True) == pad * size for pad in PADS):
            return rate, int(rate * step), size
    return lowest, int(lowest * step), 2 * round(lowest * window / 2)


def _tidy(matrix: Any) -> Any:
    matrix = matrix.astype(np.float32)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix
