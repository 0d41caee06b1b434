"""Synthesis of a sound of any length from mel amplitudes, block by block in bounded memory.

A short piece is one block. In a longer piece each block begins inside the finished part: those samples are held fixed
while the rest is found, so that phases continue across the join and nothing is faded. The blocks depend on column
numbers alone, so that a piece gives the same samples however its columns arrive.
"""

from __future__ import annotations

import numpy as np
import scipy.fft

from ..audio import Samples
from .grid import FAR, Grid, Reals, grid_of
from .inversion import invert
from .params import SpectrogramParams
from .relaxation import schedule_for

BLOCK = 1536  # columns of a block
SHARED = 48  # finished columns at the start of a block; at least twice a window
AHEAD = 40  # columns at the end of a block that are inverted again in the next; at least a window
SHARES = 8  # a block is at least this many times as long as its shared part
EDGE, EDGE_MS = 4, 40  # context for resampling: at least 4 columns and 40 ms, mirrored at block edges


class Synthesiser:
    """Takes the columns of one channel and returns samples at ``params.rate`` once they are final. One thread only."""

    def __init__(self, params: SpectrogramParams, iterations: int) -> None:
        self._params = params
        self._grid: Grid = grid_of(params, schedule_for(iterations).pad)
        self._iterations = iterations
        covered = -(-len(self._grid.window) // self._grid.hop)
        self._shared, self._ahead = max(SHARED, 2 * covered), max(AHEAD, covered)
        self._block = max(BLOCK, SHARES * self._shared)
        self._held_on = _edge(self._grid)  # columns after the join that are already fixed
        self._held = np.zeros((0, params.bands), np.float32)
        self._first = 0  # column at which _held begins
        self._final = 0  # column up to which samples were returned
        self._head: Reals | None = None

    def push(self, mel: Reals) -> list[Samples]:
        """Take columns (T', F); returns the samples that became final."""
        self._held = np.concatenate([self._held, mel])
        made = []
        while len(self._held) > self._block:
            sound = self._inverted(self._held[: self._block])
            join = self._block - self._ahead
            made.append(self._resampled(sound, self._final - self._first, join))
            hop, begin = self._grid.hop, join + self._held_on - self._shared
            self._head = sound[begin * hop : (join + self._held_on) * hop].copy()
            self._final = self._first + join
            self._first += begin
            self._held = self._held[begin:].copy()
        return made

    def finish(self) -> list[Samples]:
        """The remaining samples."""
        if len(self._held) < 2:
            return []
        sound = self._inverted(self._held)
        return [self._resampled(sound, self._final - self._first, len(self._held) - 1)]

    def _inverted(self, mel: Reals) -> Reals:
        return invert(self._grid, mel, self._iterations, self._head)

    def _resampled(self, sound: Reals, begin: int, end: int) -> Samples:
        """Columns ``begin`` to ``end`` of a block at the output rate."""
        samples_of = self._params.samples_of
        count = samples_of(self._first + end + 1) - samples_of(self._first + begin + 1)
        low = samples_of(begin + 1)
        return resample(sound, self._grid, self._params.rate)[low : low + count]


def _edge(grid: Grid) -> int:
    """Columns of context for resampling."""
    return max(EDGE, -(-EDGE_MS * grid.rate // (1000 * grid.hop)))


def resample(sound: Reals, grid: Grid, rate: int) -> Samples:
    """Resample a block from the grid's rate to ``rate`` by its Fourier transform; the sound is mirrored at its ends."""
    edge = min(_edge(grid), (len(sound) - 1) // grid.hop) * grid.hop
    fade = np.sin(np.linspace(0, np.pi / 2, edge, dtype=np.float32)) ** 2
    before, after = sound[1 : edge + 1][::-1] * fade, sound[len(sound) - 1 - edge : -1][::-1] * fade[::-1]
    wide = np.concatenate([before, sound, after])
    size = round(len(wide) * rate / grid.rate)
    top = min(size // 2, int(FAR * grid.high_hz / 2 * len(wide) / grid.rate))  # above the bands there is no sound
    spectrum = scipy.fft.rfft(wide)[: top + 1]
    made = scipy.fft.irfft(spectrum * np.float32(size / len(wide)), n=size)
    begin, count = round(edge * rate / grid.rate), round(len(sound) * rate / grid.rate)
    return np.ascontiguousarray(made[begin : begin + count], dtype=np.float32)
