"""Measures loudness by ITU-R BS.1770-4 and EBU Tech 3341, of a whole clip or block by block.

K-weighting at any rate is derived from the analogue prototypes of the coefficients that the standard prints for
48 kHz (bilinear transform; Brecht De Man, "Evaluation of implementations of the EBU R128 loudness measurement",
AES 145, 2018).
"""

from __future__ import annotations

import math

import numpy as np

from ..audio import Audio
from ..errors import InvalidInput
from .biquads import F64, QUANTUM, Biquad, Biquads

SILENCE_LUFS = -120.0  # reported for silence, and for less than one gating block
_ABSOLUTE_GATE_LUFS = -70.0  # BS.1770-4, Annex 1: quieter gating blocks are ignored
_RELATIVE_GATE_LU = -10.0  # so are those this far below the mean of the others
_HOPS = 10  # hops per second; a gating block has 4 (400 ms, overlap 75 %), a short-term window 30 (3 s)
_LOWEST_RATE = 8000  # Hz; at lower rates the shelf's corner nears half the rate and the filter breaks down
_WEIGHTS = (1.0, 1.0, 1.0, 1.41, 1.41)  # left, right, centre, surrounds


def k_weighting(rate: int) -> tuple[Biquad, Biquad]:
    """The two filters of BS.1770-4, Annex 1: the high shelf (effect of the head), then the high-pass (RLB).

    Raises:
        InvalidInput: the rate is below 8 kHz.
    """
    if rate < _LOWEST_RATE:
        raise InvalidInput("rate", rate, f"at least {_LOWEST_RATE} Hz")
    k = math.tan(math.pi * 1681.974450955533 / rate)
    q, high = 0.7071752369554196, 10.0 ** (3.999843853973347 / 20.0)
    middle = high**0.4996667741545416
    norm = 1.0 + k / q + k * k
    shelf = (
        (high + middle * k / q + k * k) / norm,
        2.0 * (k * k - high) / norm,
        (high - middle * k / q + k * k) / norm,
        2.0 * (k * k - 1.0) / norm,
        (1.0 - k / q + k * k) / norm,
    )
    k = math.tan(math.pi * 38.13547087602444 / rate)
    q = 0.5003270373238773
    norm = 1.0 + k / q + k * k
    # The standard's numerator is 1, -2, 1, not divided by the norm.
    return shelf, (1.0, -2.0, 1.0, 2.0 * (k * k - 1.0) / norm, (1.0 - k / q + k * k) / norm)


def channel_weights(channels: int) -> F64:
    """(C,): the weight of each channel's power."""
    if not 1 <= channels <= len(_WEIGHTS):
        raise InvalidInput("channels", channels, f"1 to {len(_WEIGHTS)}")
    return np.array(_WEIGHTS[:channels])


def lufs(power: float) -> float:
    """Loudness, in LUFS, of a K-weighted power."""
    return -0.691 + 10.0 * math.log10(power) if power > 1e-12 else SILENCE_LUFS


class LoudnessMeter:
    """Measures blocks of any size; can be read at any time. Memory grows by one number every 100 ms. One thread."""

    def __init__(self, rate: int, channels: int) -> None:
        self.rate, self.channels = rate, channels
        self._filter = Biquads(k_weighting(rate), channels)
        self._weights = channel_weights(channels)
        self._waiting = np.zeros((0, channels))
        self._frames = 0  # frames filtered so far
        self._energy: list[float] = []  # energy of each complete hop
        self._open = 0.0  # energy of the incomplete hop

    def feed(self, audio: Audio) -> None:
        audio.check_shape(self.rate, self.channels)
        samples = np.concatenate([self._waiting, audio.samples])
        whole = len(samples) // QUANTUM * QUANTUM
        for start in range(0, whole, QUANTUM):
            self._count(self._filter.process(samples[start : start + QUANTUM]))
        self._waiting = samples[whole:]

    def integrated_lufs(self) -> float:
        """Gated loudness of everything so far."""
        hops = self._hops()
        blocks = _windows(hops, 4) / (0.4 * self.rate)
        loud = blocks[blocks > _power(_ABSOLUTE_GATE_LUFS)]
        if not len(loud):
            return SILENCE_LUFS
        gate = float(np.mean(loud)) * 10.0 ** (_RELATIVE_GATE_LU / 10.0)
        return lufs(float(np.mean(loud[loud > gate])))

    def short_term_lufs(self) -> F64:
        """Loudness of each window of 3 s, one every 100 ms, in order."""
        power = _windows(self._hops(), 3 * _HOPS) / (3.0 * self.rate)
        return np.array([lufs(float(p)) for p in power])

    def _hops(self) -> F64:
        """Energies of the complete hops, including those of the frames that wait for a whole quantum."""
        if not len(self._waiting):
            return np.array(self._energy)
        kept = self._filter.state, self._frames, list(self._energy), self._open
        padded = np.zeros((QUANTUM, self.channels))
        padded[: len(self._waiting)] = self._waiting
        self._count(self._filter.process(padded)[: len(self._waiting)])
        hops = np.array(self._energy)
        self._filter.state, self._frames, self._energy, self._open = kept
        return hops

    def _count(self, filtered: F64) -> None:
        power = np.square(filtered) @ self._weights
        at = 0
        while True:
            end = round((len(self._energy) + 1) * self.rate / _HOPS) - self._frames
            if end > len(power):
                break
            self._energy.append(self._open + float(np.sum(power[at:end])))
            self._open, at = 0.0, end
        self._open += float(np.sum(power[at:]))
        self._frames += len(power)


def loudness_lufs(audio: Audio) -> float:
    """Integrated loudness of a whole clip."""
    meter = LoudnessMeter(audio.rate, audio.channels)
    meter.feed(audio)
    return meter.integrated_lufs()


def short_term_lufs(audio: Audio) -> F64:
    """Loudness of each window of 3 s, one every 100 ms."""
    meter = LoudnessMeter(audio.rate, audio.channels)
    meter.feed(audio)
    return meter.short_term_lufs()


def _windows(hops: F64, count: int) -> F64:
    """Sums of ``count`` neighbours."""
    if len(hops) < count:
        return np.zeros(0)
    sums: F64 = np.lib.stride_tricks.sliding_window_view(hops, count).sum(axis=1)
    return sums


def _power(loudness: float) -> float:
    return float(10.0 ** ((loudness + 0.691) / 10.0))
