"""Analysis of sound to mel amplitudes; the result does not depend on how the sound is cut.

Column t is the windowed, zero-padded transform around sample t x hop, the sound reflected at both ends (as in
``torch.stft`` with ``center=True``). Only bins up to ``high_hz`` matter, so where the rate allows it the sound is
low-passed and every second sample is transformed: what lies above then reaches the bins through the far side lobes
of the Hann window alone.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

from ..audio import Samples
from ..errors import InvalidInput
from .acceleration import kernels, parallel_map
from .mel import filters
from .params import SpectrogramParams

FULL_SCALE = 32768.0  # mel amplitudes are those of 16-bit samples
CHUNK_COLUMNS = 64  # columns that a thread transforms at a time: what a core's cache holds
STOP_DB = 125.0  # attenuation of the low-pass before decimation


class _Plan:
    """Everything of the transform that does not depend on the sound; shared by all analysers of the same parameters."""

    def __init__(self, params: SpectrogramParams) -> None:
        self.hop = params.hop_samples
        self.window = params.window_samples
        padding = (params.fft_samples - self.window) // 2  # where torch.stft puts the window
        self.half = params.fft_samples // 2 - padding  # samples of the window before its column
        rate = params.rate
        clear = rate / 4 - params.high_hz  # between the highest bin and the new Nyquist frequency
        self.every = 2 if params.fft_samples % 2 == 0 and clear > 0.04 * params.high_hz else 1
        n_fft = params.fft_samples // self.every
        self.n_fft = n_fft
        step_hz = rate / params.fft_samples
        self.bins = min(n_fft // 2 + 1, int(params.high_hz / step_hz) + 1)
        grid_hz = np.arange(self.bins, dtype=np.float64) * step_hz
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)
        self.hann = (hann[:: self.every] * self.every).astype(np.float32)
        self.filters = filters(grid_hz, params.bands, params.low_hz, params.high_hz).astype(np.float32)
        self.reach = 0  # samples that the low-pass looks to either side
        self.span = (CHUNK_COLUMNS - 1) * self.hop + self.window
        self.low_pass: npt.NDArray[np.complex64] | None = None
        if self.every == 2:
            taps = _low_pass_taps(rate, rate / 4, 0.5 * clear)
            self.reach = len(taps) // 2
            size = 2 * scipy.fft.next_fast_len(-(-(self.span + 2 * self.reach) // 2), real=True)
            # Zero phase: the middle tap sits on sample 0.
            placed = np.zeros(size)
            placed[: self.reach + 1] = taps[self.reach :]
            placed[-self.reach :] = taps[: self.reach]
            self.low_pass = scipy.fft.rfft(placed).astype(np.complex64)

    def columns(self, padded: Samples, count: int) -> npt.NDArray[np.float32]:
        """(count, bands) amplitudes of a sound that begins ``reach`` samples before the first window."""
        if self.low_pass is not None:
            size = 2 * (len(self.low_pass) - 1)
            spectrum = scipy.fft.rfft(padded, n=size)
            spectrum *= self.low_pass
            padded = scipy.fft.irfft(spectrum, n=size)[self.reach :]
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.window)[:: self.hop, :: self.every][:count]
        # Two real frames in one complex transform, the second multiplied by i: faster than two real transforms. They
        # are neighbours and about equally loud, so that neither is lost in the other's rounding.
        pairs = np.zeros((-(-count // 2), frames.shape[1]), np.complex64)
        np.multiply(frames[::2], self.hann, out=pairs.real)
        np.multiply(frames[1::2], self.hann, out=pairs.imag[: count // 2])
        spectra = scipy.fft.fft(pairs, n=self.n_fft, axis=1)
        bank = self.filters
        if (fast := kernels()) is not None:
            made = np.empty((count, bank.shape[0]), np.float32)
            fast.amplitudes(spectra, self.bins, bank.data, bank.indices, bank.indptr, made)
            return made
        mirror = np.conj(spectra[:, -np.arange(self.bins)])
        spectra = spectra[:, : self.bins]
        magnitudes = np.empty((self.bins, 2 * len(pairs)), np.float32)
        for first, part in enumerate((spectra + mirror, spectra - mirror)):
            magnitudes[:, first::2] = np.sqrt(np.square(part.real) + np.square(part.imag)).T
        return np.ascontiguousarray((bank @ magnitudes).T[:count] * np.float32(0.5))


def _plan(params: SpectrogramParams) -> _Plan:
    return _plan_of(replace(params, stereo=False, power=1.0, max_value=None))


@lru_cache(8)
def _plan_of(params: SpectrogramParams) -> _Plan:
    return _Plan(params)


def _low_pass_taps(rate: float, cutoff_hz: float, half_width_hz: float) -> npt.NDArray[np.float64]:
    """A Kaiser-windowed sinc, odd length (Kaiser 1974: 0.1102 (A - 8.7); length (A - 7.95) / (14.36 Δf))."""
    beta = 0.1102 * (STOP_DB - 8.7)
    reach = int(np.ceil((STOP_DB - 7.95) / (14.36 * 2 * half_width_hz / rate) / 2))
    t = np.arange(-reach, reach + 1)
    taps = np.sinc(2 * cutoff_hz / rate * t) * np.kaiser(2 * reach + 1, beta)
    return np.asarray(taps / taps.sum())


class Analyser:
    """Takes the samples of one channel in pieces and returns columns as soon as they are known. One thread only."""

    def __init__(self, params: SpectrogramParams) -> None:
        self._plan = _plan(params)
        self._before = self._plan.half + self._plan.reach  # samples that a column needs before itself
        self._margin = max(self._plan.half, self._plan.window - self._plan.half) + self._plan.reach  # on either side
        self._held: Samples = np.zeros(0, np.float32)  # begins at sample _first, less what is reflected
        self._first: int | None = None  # the sound's sample at which _held begins; None before the beginning is known
        self._taken = 0
        self._made = 0

    def push(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Take samples; returns the (T', bands) columns that became known, a multiple of ``CHUNK_COLUMNS``."""
        self._held = np.concatenate([self._held, samples])
        self._taken += len(samples)
        margin = self._margin
        if self._first is None:
            if self._taken <= margin:
                return self._nothing()
            self._held = np.concatenate([self._held[margin:0:-1], self._held])
            self._first = -margin
        ready = (self._taken - margin) // self._plan.hop + 1 if self._taken > margin else 0
        return self._columns((ready - self._made) // CHUNK_COLUMNS * CHUNK_COLUMNS)

    def finish(self) -> npt.NDArray[np.float32]:
        """The remaining (T', bands) columns.

        Raises:
            InvalidInput: there was no sample at all.
        """
        if not self._taken:
            raise InvalidInput("audio", 0, "at least one sample")
        margin = self._margin
        if self._first is None:
            self._held = np.pad(self._held, (margin, 0), mode="reflect" if self._taken > 1 else "edge")
            self._first = -margin
            self._held = np.concatenate([self._held, _mirrored(self._held[margin:], margin)])
        else:
            self._held = np.concatenate([self._held, _mirrored(self._held, margin)])
        return self._columns(self._taken // self._plan.hop + 1 - self._made)

    def _columns(self, count: int) -> npt.NDArray[np.float32]:
        if count <= 0:
            return self._nothing()
        plan = self._plan
        assert self._first is not None
        begin = self._made * plan.hop - self._before - self._first
        starts = range(0, count, CHUNK_COLUMNS)

        def chunk(start: int) -> npt.NDArray[np.float32]:
            many = min(CHUNK_COLUMNS, count - start)
            at = begin + start * plan.hop
            piece = self._held[at : at + plan.span + 2 * plan.reach]
            if many < CHUNK_COLUMNS:
                piece = piece[: (many - 1) * plan.hop + plan.window + 2 * plan.reach]
            if len(piece) < plan.span + 2 * plan.reach:
                piece = np.pad(piece, (0, plan.span + 2 * plan.reach - len(piece)))
            return plan.columns(piece, many)

        made = np.concatenate(parallel_map(chunk, starts))
        self._made += count
        keep = self._made * plan.hop - self._before - self._first
        if 0 < keep < len(self._held):
            self._held = self._held[keep:].copy()
            self._first += keep
        return made

    def _nothing(self) -> npt.NDArray[np.float32]:
        return np.zeros((0, self._plan.filters.shape[0]), np.float32)


def _mirrored(samples: Samples, count: int) -> Samples:
    """``count`` samples after the end, reflected without repeating the last one."""
    mode: Any = "reflect" if len(samples) > 1 else "edge"
    return np.pad(samples[-count - 1 :], (0, count), mode=mode)[-count:]


def mel_of(samples: Samples, params: SpectrogramParams) -> npt.NDArray[np.float32]:
    """(C, F, T) mel amplitudes, in 16-bit units, of (samples, C) at ``params.rate``."""
    made = []
    for channel in range(samples.shape[1]):
        analyser = Analyser(params)
        parts = [analyser.push(np.ascontiguousarray(samples[:, channel])), analyser.finish()]
        made.append(np.concatenate(parts).T * np.float32(FULL_SCALE))
    return np.stack(made)
