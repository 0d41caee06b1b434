"""Second-order filters (biquads), computed in blocks of fixed length as matrix products.

A cascade of biquads is the state space x' = Ax + Bu, y = Cx + Du. Over a block of L frames its output is one matrix
times the input (the impulse response as a Toeplitz matrix) plus one matrix times the state before the block, so that
a quantum takes a few matrix products instead of a loop over frames. Every quantum has the same length, so the samples
do not depend on the sizes of the caller's blocks. (This also avoids importing ``scipy.signal``.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
Biquad = tuple[float, float, float, float, float]  # b0, b1, b2, a1, a2, normalised to a0 = 1

QUANTUM = 2048  # frames that a filter processes at once
_INNER = 32  # frames of the blocks within a quantum; divides QUANTUM


def high_pass(cutoff_hz: float, q: float, rate: int) -> Biquad:
    """Second-order high-pass by the bilinear transform, -3 dB at ``cutoff_hz`` for q = 1/√2."""
    k = math.tan(math.pi * cutoff_hz / rate)
    norm = 1.0 + k / q + k * k
    return (1.0 / norm, -2.0 / norm, 1.0 / norm, 2.0 * (k * k - 1.0) / norm, (1.0 - k / q + k * k) / norm)


class Biquads:
    """A cascade of biquads over C channels, fed whole quanta. One thread."""

    def __init__(self, sections: Sequence[Biquad], channels: int) -> None:
        a, b, c, d = _state_space(sections)
        n = len(a)
        blocks = QUANTUM // _INNER
        powers = [np.eye(n)]
        for _ in range(QUANTUM):
            powers.append(a @ powers[-1])
        impulse = np.array([d] + [float(c @ powers[i] @ b) for i in range(_INNER - 1)])
        lag = np.subtract.outer(np.arange(_INNER), np.arange(_INNER))
        # y = direct @ u + observe @ x, within a block of L frames
        self._direct = np.where(lag >= 0, impulse[np.abs(lag)], 0.0)  # (L, L)
        self._observe = np.stack([c @ powers[i] for i in range(_INNER)])  # (L, n)
        self._drive = np.stack([powers[_INNER - 1 - i] @ b for i in range(_INNER)], axis=1)  # (n, L)
        # The states before each of the M blocks and after the last, from the blocks' inputs and the state before all.
        self._carry = np.concatenate([powers[m * _INNER] for m in range(blocks + 1)])  # ((M+1)n, n)
        mixing = np.zeros((blocks + 1, n, blocks, n))
        for m in range(blocks + 1):
            for j in range(m):
                mixing[m, :, j, :] = powers[(m - 1 - j) * _INNER]
        self._mixing = mixing.reshape((blocks + 1) * n, blocks * n)
        self._blocks, self._n, self._channels = blocks, n, channels
        self.state = np.zeros((n, channels))

    def process(self, quantum: F64) -> F64:
        """Filter one quantum: (QUANTUM, C) in, (QUANTUM, C) out."""
        m, n, c = self._blocks, self._n, self._channels
        u = np.ascontiguousarray(quantum.reshape(m, _INNER, c).transpose(1, 0, 2)).reshape(_INNER, m * c)
        drives = (self._drive @ u).reshape(n, m, c).transpose(1, 0, 2).reshape(m * n, c)
        states = self._mixing @ drives + self._carry @ self.state  # ((M+1)n, C)
        self.state = states[m * n :].copy()
        before = states[: m * n].reshape(m, n, c).transpose(1, 0, 2).reshape(n, m * c)
        y = self._direct @ u + self._observe @ before
        return np.ascontiguousarray(y.reshape(_INNER, m, c).transpose(1, 0, 2)).reshape(QUANTUM, c)


def _state_space(sections: Sequence[Biquad]) -> tuple[F64, F64, F64, float]:
    """The cascade as one system (A, b, c, d); each section in transposed direct form II."""
    a, b, c, d = np.zeros((0, 0)), np.zeros(0), np.zeros(0), 1.0
    for b0, b1, b2, a1, a2 in sections:
        own_a = np.array([[-a1, 1.0], [-a2, 0.0]])
        own_b = np.array([b1 - a1 * b0, b2 - a2 * b0])
        n = len(a)
        a = np.block([[a, np.zeros((n, 2))], [np.outer(own_b, c), own_a]])
        b = np.concatenate([b, own_b * d])
        c = np.concatenate([b0 * c, [1.0, 0.0]])
        d = b0 * d
    return a, b, c, d
