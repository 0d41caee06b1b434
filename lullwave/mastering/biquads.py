"""Recursive filters, computed in blocks of fixed length as matrix products.

A filter is the state space x' = Ax + bu, y = cx + du. Over a block of L frames its output is one matrix times the
input (the impulse response as a Toeplitz matrix) plus one matrix times the state before the block, so that many blocks
take a few matrix products instead of a loop over frames. No product is so large that OpenBLAS would divide it among
threads: the samples depend on their number as little as on the sizes of the caller's blocks. (This also avoids
importing ``scipy.signal``.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..audio import Samples

F64 = npt.NDArray[np.float64]
Biquad = tuple[float, float, float, float, float]  # b0, b1, b2, a1, a2, normalised to a0 = 1

QUANTUM = 2048  # frames that a filter processes at once; the states within them are found by one product
_INNER = 64  # frames of the blocks within a quantum; divides QUANTUM
_AT_ONCE = 4 * QUANTUM  # frames of a longer sound that are filtered together
_PRODUCT = 1 << 17  # multiplications in one product of matrices; OpenBLAS starts threads above 2**18


def high_pass(cutoff_hz: float, q: float, rate: int) -> Biquad:
    """Second-order high-pass by the bilinear transform, -3 dB at ``cutoff_hz`` for q = 1/√2."""
    k = math.tan(math.pi * cutoff_hz / rate)
    norm = 1.0 + k / q + k * k
    return (1.0 / norm, -2.0 / norm, 1.0 / norm, 2.0 * (k * k - 1.0) / norm, (1.0 - k / q + k * k) / norm)


@dataclass(frozen=True)
class StateSpace:
    """A linear filter: x' = Ax + bu, y = cx + du."""

    a: F64  # (n, n)
    b: F64  # (n,)
    c: F64  # (n,)
    d: float

    @classmethod
    def of(cls, section: Biquad) -> StateSpace:
        """One biquad in transposed direct form II."""
        b0, b1, b2, a1, a2 = section
        return cls(np.array([[-a1, 1.0], [-a2, 0.0]]), np.array([b1 - a1 * b0, b2 - a2 * b0]), np.array([1.0, 0.0]), b0)

    @classmethod
    def gain(cls, gain: float) -> StateSpace:
        """A filter without memory."""
        return cls(np.zeros((0, 0)), np.zeros(0), np.zeros(0), gain)

    def then(self, after: StateSpace) -> StateSpace:
        """This filter, and ``after`` behind it."""
        corner = np.zeros((len(self.b), len(after.b)))
        a = np.block([[self.a, corner], [np.outer(after.b, self.c), after.a]])
        b, c = np.concatenate([self.b, after.b * self.d]), np.concatenate([after.d * self.c, after.c])
        return StateSpace(a, b, c, self.d * after.d)

    def beside(self, other: StateSpace, gain: float = 1.0) -> StateSpace:
        """The sum of this filter and ``gain`` times ``other``, of the same input."""
        corner = np.zeros((len(self.b), len(other.b)))
        a = np.block([[self.a, corner], [corner.T, other.a]])
        b, c = np.concatenate([self.b, other.b]), np.concatenate([self.c, gain * other.c])
        return StateSpace(a, b, c, self.d + gain * other.d)


class BlockFilter:
    """The matrices of a filter, for whole quanta. Immutable; safe to share among threads.

    States are always of double precision; ``single`` makes the sound of them and of the input in single precision,
    twice as fast, with errors 130 dB below the sound.
    """

    def __init__(self, system: StateSpace, single: bool = False) -> None:
        real = np.float32 if single else np.float64
        n, blocks = len(system.b), QUANTUM // _INNER
        powers = _powers(system.a, _INNER)
        seen = system.c @ powers[:_INNER]  # (L, n): what a state gives at each frame of its block
        impulse = np.concatenate([[system.d], seen[: _INNER - 1] @ system.b])
        lag = np.subtract.outer(np.arange(_INNER), np.arange(_INNER)).T
        # The signal lies in rows: y = u @ direct + x @ observe, within a block of L frames
        self._direct = np.where(lag >= 0, impulse[np.abs(lag)], 0.0).astype(real)  # (L, L)
        self._observe = np.ascontiguousarray(seen.T, real)  # (n, L)
        self._drive = powers[_INNER - 1 :: -1] @ system.b  # (L, n)
        # The states before each of the M blocks and after the last, from the blocks' drives and the state before all
        leaps = _powers(powers[_INNER], blocks)
        self._carry = leaps.transpose(2, 0, 1).reshape(n, (blocks + 1) * n)
        lag = np.subtract.outer(np.arange(blocks + 1), np.arange(blocks)).T - 1
        mixing = np.where((lag >= 0)[..., None, None], leaps[np.maximum(lag, 0)], 0.0)  # (M, M + 1, to, from)
        self._mixing = mixing.transpose(0, 3, 1, 2).reshape(blocks * n, (blocks + 1) * n)
        self.order = n

    def run(self, lines: npt.NDArray[np.floating], state: F64) -> tuple[npt.NDArray[np.floating], F64]:
        """(C, T), T whole quanta, after the states (C, n): the filtered lines and the states after them."""
        channels, frames = lines.shape
        n, blocks, quanta = self.order, QUANTUM // _INNER, frames // QUANTUM
        rows = lines.reshape(channels * quanta, blocks, _INNER)
        out = rows.astype(self._direct.dtype, copy=False) @ self._direct
        if n:
            drives = (rows @ self._drive).reshape(channels * quanta, blocks * n)
            states = np.empty((channels * quanta, (blocks + 1) * n))
            some = max(1, _PRODUCT // self._mixing.size)
            for first in range(0, len(states), some):
                np.matmul(drives[first : first + some], self._mixing, out=states[first : first + some])
            spread = states.reshape(channels, quanta, (blocks + 1) * n)
            for k in range(quanta):
                spread[:, k] += state @ self._carry
                state = spread[:, k, blocks * n :]
            before = states.reshape(channels * quanta, blocks + 1, n)[:, :blocks]
            out += before.astype(self._observe.dtype) @ self._observe
        return out.reshape(channels, frames), state.copy()

    def whole(self, samples: npt.NDArray[np.floating]) -> Samples:
        """Samples (T,) or (C, T), any length, after silence: the same shape."""
        lines = np.atleast_2d(samples)
        channels, frames = lines.shape
        out = np.empty(lines.shape, np.float32)
        state, held = np.zeros((channels, self.order)), np.empty((channels, _AT_ONCE))
        for first in range(0, frames, _AT_ONCE):  # what is at work stays in the processor's cache
            some = lines[:, first : first + _AT_ONCE]
            count = some.shape[1]
            padded = held[:, : -(-count // QUANTUM) * QUANTUM]
            padded[:, :count], padded[:, count:] = some, 0.0
            made, state = self.run(np.ascontiguousarray(padded), state)
            out[:, first : first + count] = made[:, :count]
        return out.reshape(samples.shape)


class Biquads:
    """A cascade of biquads over C channels, fed whole quanta. One thread."""

    def __init__(self, sections: Sequence[Biquad], channels: int, single: bool = False) -> None:
        system = StateSpace.gain(1.0)
        for section in sections:
            system = system.then(StateSpace.of(section))
        self._filter = BlockFilter(system, single)
        self.state = np.zeros((self._filter.order, channels))

    def process(self, quantum: F64) -> F64:
        """Filter one quantum: (QUANTUM, C) in, (QUANTUM, C) out."""
        return np.ascontiguousarray(self.process_lines(np.ascontiguousarray(quantum.T)).T, np.float64)

    def process_lines(self, quantum: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """The same with each channel in a line of its own: (C, QUANTUM) in, (C, QUANTUM) out."""
        out, state = self._filter.run(quantum, self.state.T)
        self.state = np.ascontiguousarray(state.T)
        return out


def _powers(matrix: F64, most: int) -> F64:
    """(most + 1, n, n): the powers of a matrix from 0 on."""
    out = np.empty((most + 1, *matrix.shape))
    out[0] = np.eye(len(matrix))
    have = 1
    while have <= most:  # as many more as there are, by one product of a stack
        more = min(have, most + 1 - have)
        np.matmul(out[:more], matrix @ out[have - 1], out=out[have : have + more])
        have += more
    return out
