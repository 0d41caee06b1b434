"""Inversion of mel amplitudes to a waveform, one block of columns.

First phases by integration (``phase``), then relaxed averaged alternating reflections (Luke, "Relaxed averaged
alternating reflections for diffraction imaging", 2005, eq. 14) between two sets: the spectrograms of real sounds, and
the spectrograms with the wanted mel amplitudes. The nearest member of the second set keeps the phases and changes the
magnitudes by the smallest amount that corrects every band at once: ``spread @ settle @ lack``. The factors of that
change are the *gains* of a state. ``relaxation`` controls the steps.

An iteration takes the frames in ordered subsets (Hudson & Larkin, "Accelerated image reconstruction using ordered
subsets of projection data", 1994): every fourth frame first; each later subset starts from what those before it
changed. That is worth more than twice the iterations.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy.fft

from .acceleration import kernels, parallel_map, slices
from .grid import Complex, Grid, Reals
from .overlap_add import frames_of, overlap_add, window_gain
from .phase import first_phases
from .relaxation import schedule_for

SUBSETS = 4  # groups of frames in one iteration
CHUNK_FRAMES = 64  # frames that a thread works on at a time: what a core's cache holds
TINY = np.float32(1e-9)  # share of the loudest magnitude that is added to divisors, so that silence divides


def invert(grid: Grid, mel: Reals, iterations: int, head: Reals | None = None) -> Reals:
    """Samples ((T - 1) x hop,) at the grid's rate whose mel amplitudes are near ``mel`` (T, B).

    The sound begins with the samples ``head``, unchanged.
    """
    peak = float(mel.max(initial=0.0))
    if not peak > 0.0 or len(mel) < 2:
        return np.zeros(grid.samples(max(1, len(mel))), np.float32)
    scale = np.float32(1.0 / peak)
    known = None if head is None else head * scale
    found = _Search(grid, np.ascontiguousarray(mel * scale), known).run(iterations)
    return found * np.float32(peak)


def first_sound(grid: Grid, mel: Reals) -> Reals:
    """The sound that iterations start from, by integrated phases, for amplitudes (T, B) of at most 1."""
    if not mel.max(initial=0.0) > 0.0:
        return np.zeros(grid.samples(len(mel)), np.float32)
    return _Search(grid, np.ascontiguousarray(mel), None).first_sound()


class _Subset:
    """Every n-th frame of a piece: their state in the search, and their part of the sound."""

    def __init__(self, grid: Grid, mel: Reals, first: int, every: int, length: int) -> None:
        self.mel = np.ascontiguousarray(mel[first::every].T)  # (B, rows)
        self.origin, self.hop = first * grid.hop, every * grid.hop
        rows = self.mel.shape[1]
        self.state = np.empty((rows, grid.bins), np.complex64)
        self.gains = np.empty((rows, grid.bins), np.float32)  # state x gains has the wanted amplitudes
        self.before = np.empty_like(self.state)  # the last state, before momentum was added
        self.frames = np.empty((rows, len(grid.window)), np.float32)
        self.sum = np.zeros(length, np.float32)
        self.chunks = slices(rows, CHUNK_FRAMES)


class _Search:
    """One inversion. Chunks of frames and spans of samples run on threads."""

    def __init__(self, grid: Grid, mel: Reals, head: Reals | None) -> None:
        self.grid, self.mel, self.head = grid, mel, head
        self.length = grid.samples(len(mel))
        self.gain = window_gain(grid, len(mel))
        self.tiny = TINY * np.float32(grid.first.max())
        self.kernels = kernels()

    def run(self, iterations: int) -> Reals:
        sound = self.first_sound()
        every = min(SUBSETS, len(self.mel))
        subsets = [_Subset(self.grid, self.mel, first, every, self.length) for first in range(every)]
        for subset in subsets:
            self._iterate(subset, sound, None, last=iterations == 0)
        sound = self._summed(subsets)
        schedule, hz = schedule_for(iterations), np.arange(self.grid.bins) * np.float32(self.grid.bin_hz)
        for step in range(iterations):
            control = schedule.relaxation(step, iterations, hz), schedule.momentum(step, iterations)
            last = step == iterations - 1
            for subset in subsets:
                self._iterate(subset, sound, control, last)
                if not last:
                    sound = self._summed(subsets)
        return self._summed(subsets)

    def first_sound(self) -> Reals:
        """A sound from integrated phases."""
        grid = self.grid
        chunks = slices(len(self.mel), CHUNK_FRAMES)
        magnitudes = np.empty((len(self.mel), grid.first.shape[0]), np.float32)

        def magnitude(rows: slice) -> None:
            wanted = self.mel[rows]
            made = np.maximum((grid.first @ wanted.T).T, 0.0, out=magnitudes[rows])
            for t in np.flatnonzero(~made.any(axis=1) & wanted.any(axis=1)):
                np.maximum.at(
                    made[t], grid.nearest, wanted[t]
                )  # a band without a bin of its own: start from the nearest

        parallel_map(magnitude, chunks)
        known = None
        if self.head is not None:
            half = len(grid.window) // 2
            inside = slice(-(-half // grid.hop), (len(self.head) - half) // grid.hop)
            whole = np.pad(self.head, (0, self.length - len(self.head)))
            known = np.full(magnitudes.shape, np.nan, np.float32)
            spectrum = scipy.fft.rfft(frames_of(whole, grid.window, 0, grid.hop, inside), axis=1)
            known[inside] = np.angle(_centred(spectrum))
        phases = first_phases(magnitudes, grid.hop, len(grid.window), known, self.kernels is not None)
        frames = np.empty((len(self.mel), len(grid.window)), np.float32)

        def chunk(rows: slice) -> None:
            spectrum = np.empty(phases[rows].shape, np.complex64)
            spectrum.real = magnitudes[rows] * np.cos(phases[rows])
            spectrum.imag = magnitudes[rows] * np.sin(phases[rows])
            frames[rows] = scipy.fft.irfft(_centred(spectrum), n=len(grid.window), axis=1)

        parallel_map(chunk, chunks)
        total = np.empty(self.length, np.float32)
        overlap_add(frames, grid.window, 0, grid.hop, total)
        return self._with_head(total * self.gain)

    def _iterate(self, subset: _Subset, sound: Reals, control: tuple[Reals, float] | None, last: bool) -> None:
        """One iteration of a subset: leaves its reflected spectrogram's part of the sound in ``subset.sum``.

        ``control`` is (relaxation, momentum) of the step, None for the first sound. In the ``last`` iteration the
        spectrogram with the wanted mel amplitudes is used instead of the reflection.
        """
        grid = self.grid

        def chunk(rows: slice) -> None:
            frames = frames_of(sound, grid.window, subset.origin, subset.hop, rows, out=subset.frames[rows])
            consistent: Complex = scipy.fft.rfft(frames, n=grid.n_fft, axis=1)
            if control is None:
                subset.state[rows] = subset.before[rows] = consistent
            else:
                self._move(subset, rows, consistent, *control)
            self._project(subset, rows)
            made = self._reflected(subset, rows, 0.0 if last else 1.0, out=consistent)  # its memory is free
            frames[:] = scipy.fft.irfft(made, n=grid.n_fft, axis=1, overwrite_x=True)[:, : len(grid.window)]

        parallel_map(chunk, subset.chunks)
        overlap_add(subset.frames, grid.window, subset.origin, subset.hop, subset.sum)

    def _move(self, subset: _Subset, rows: slice, consistent: Complex, relaxation: Reals, momentum: float) -> None:
        """Update the state by the spectrogram of the current sound."""
        state, gains, before = subset.state[rows], subset.gains[rows], subset.before[rows]
        if self.kernels is not None:
            self.kernels.move(state, gains, before, consistent, relaxation, momentum)
            return
        new = (relaxation + (np.float32(1.0) - np.float32(2.0) * relaxation) * gains) * state + relaxation * consistent
        np.add(new, np.float32(momentum) * (new - before), out=state)
        before[:] = new

    def _project(self, subset: _Subset, rows: slice) -> None:
        """Compute the gains of the state."""
        # Chosen here: a bound method kept in self would leave all arrays to the garbage collector.
        work = _project if self.kernels is None else partial(_project_compiled, self.kernels)
        work(self.grid, subset.state[rows], subset.mel[:, rows], self.tiny, subset.gains[rows])

    def _reflected(self, subset: _Subset, rows: slice, beyond: float, out: Complex) -> Complex:
        """The nearest spectrogram with the wanted amplitudes, moved on by ``beyond`` times its distance."""
        if self.kernels is not None:
            self.kernels.reflect(subset.state[rows], subset.gains[rows], beyond, out)
            return out
        np.multiply(subset.state[rows], np.float32(1.0 + beyond) * subset.gains[rows] - np.float32(beyond), out=out)
        return out

    def _summed(self, subsets: list[_Subset]) -> Reals:
        """The sound whose spectrogram is nearest to all frames."""
        total = subsets[0].sum.copy()
        for subset in subsets[1:]:
            total += subset.sum
        total *= self.gain
        return self._with_head(total)

    def _with_head(self, sound: Reals) -> Reals:
        """``sound`` with the given head written over its beginning."""
        if self.head is not None:
            sound[: len(self.head)] = self.head
        return sound


def _project(grid: Grid, spectrum: Complex, mel: Reals, tiny: np.float32, gains: Reals) -> None:
    """Gains (T, K) of each frame: the factors that give its magnitudes the wanted mel amplitudes (B, T)."""
    size = np.sqrt(np.square(spectrum.real) + np.square(spectrum.imag))
    seen = np.concatenate([size, _between(spectrum, grid)], axis=1) if grid.between else size
    lack = mel - grid.observe @ seen.T
    np.add(size, (grid.spread @ (grid.settle @ lack)).T, out=gains)
    np.maximum(gains, 0.0, out=gains)
    gains /= size + tiny


def _project_compiled(kernels: Any, grid: Grid, spectrum: Complex, mel: Reals, tiny: np.float32, gains: Reals) -> None:
    """``_project`` by the compiled kernel."""
    maps = [part for m in (grid.observe, grid.settle, grid.spread) for part in (m.data, m.indices, m.indptr)]
    kernels.project(spectrum, mel, tiny, grid.taps, grid.turn, grid.between, *maps, gains)


def _between(spectrum: Complex, grid: Grid) -> Reals:
    """(T, M) magnitudes half-way between bins: a short filter over bins whose phases are about the window's middle."""
    reach = len(grid.taps) // 2
    low = spectrum[:, : grid.between + reach] * grid.turn
    low = np.concatenate([np.conj(low[:, reach - 1 : 0 : -1]), low], axis=1)
    found = sum(low[:, j : j + grid.between] * tap for j, tap in enumerate(grid.taps))
    return np.asarray(np.sqrt(np.square(found.real) + np.square(found.imag)), np.float32)


def _centred(spectrum: Complex) -> Complex:
    """Move the time of phases from a frame's start to its middle, or back: negate every second bin."""
    turned = np.array(spectrum, np.complex64)
    turned[:, 1::2] *= -1
    return turned
