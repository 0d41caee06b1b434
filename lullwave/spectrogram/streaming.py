"""A sound of any length from mel amplitudes, block by block in bounded memory; knows nothing of images.

A short piece is one block. Of a longer one each block begins inside what is finished already: those samples are
held as they are while the rest is found, so that phases go on across the join and nothing is faded. Where blocks
lie depends on nothing but the column number: a piece that arrives in parts sounds the same as at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import scipy.fft

from ..audio import Samples
from .grid import Grid, Reals, grid_of
from .inversion import invert
from .params import SpectrogramParams
from .relaxation import course_of

BLOCK = 1536  # columns that are inverted at once
SHARED = 48  # finished columns that a block begins with, or twice as many as a window covers
AHEAD = 40  # columns at a block's end that only help those before, or as many as a window covers
SHARES = 8  # a block is at least so many times what it shares
EDGE, EDGE_MS = 4, 40  # columns, and at least so long, that resampling looks: sound is mirrored around a block that far


class Synthesiser:
    """Takes the columns of one channel and gives samples at ``params.rate`` as soon as they are final."""

    def __init__(self, params: SpectrogramParams, iterations: int) -> None:
        self._params = params
        self._grid: Grid = grid_of(params, course_of(iterations).pad)
        self._iterations = iterations
        covered = -(-len(self._grid.window) // self._grid.hop)
        self._shared, self._ahead = max(SHARED, 2 * covered), max(AHEAD, covered)
        self._block = max(BLOCK, SHARES * self._shared)
        self._whole = params.analysis_rate // params.rate  # blocks begin where so many columns are whole samples
        self._held_on = _edge(self._grid)  # columns after the join that are already fixed
        self._held = np.zeros((0, params.bands), np.float32)
        self._first = 0  # column at which _held begins
        self._final = 0  # column up to which samples were given
        self._head: Reals | None = None

    def push(self, mel: Reals) -> list[Samples]:
        """``mel`` is (T', F); the samples that became final."""
        self._held = np.concatenate([self._held, mel])
        made = []
        while len(self._held) > self._block:
            sound = self._inverted(self._held[: self._block])
            join = self._block - self._ahead
            made.append(self._resampled(sound, self._final - self._first, join))
            hop, begin = self._grid.hop, (join + self._held_on - self._shared) // self._whole * self._whole
            self._head = sound[begin * hop : (join + self._held_on) * hop].copy()
            self._final = self._first + join
            self._first += begin
            self._held = self._held[begin:].copy()
        return made

    def finish(self) -> list[Samples]:
        """The rest."""
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
    """Columns that resampling looks."""
    return max(EDGE, -(-EDGE_MS * grid.rate // (1000 * grid.hop)))


def resample(sound: Reals, grid: Grid, rate: int) -> Samples:
    """A block from the grid's rate to ``rate``: its transform cut or padded, the sound mirrored beyond its ends."""
    edge = min(_edge(grid), (len(sound) - 1) // grid.hop) * grid.hop
    fade = np.sin(np.linspace(0, np.pi / 2, edge, dtype=np.float32)) ** 2
    before, after = sound[1 : edge + 1][::-1] * fade, sound[len(sound) - 1 - edge : -1][::-1] * fade[::-1]
    wide = np.concatenate([before, sound, after])
    size = round(len(wide) * rate / grid.rate)
    spectrum = scipy.fft.rfft(wide)[: size // 2 + 1]
    made = scipy.fft.irfft(spectrum * np.float32(size / len(wide)), n=size)
    begin, count = round(edge * rate / grid.rate), round(len(sound) * rate / grid.rate)
    return np.ascontiguousarray(made[begin : begin + count], dtype=np.float32)


def synthesise(blocks: Iterable[Reals], params: SpectrogramParams, iterations: int) -> Iterator[Samples]:
    """(samples,) arrays of one channel from (T', F) arrays."""
    channel = Synthesiser(params, iterations)
    for block in blocks:
        yield from channel.push(block)
    yield from channel.finish()
