"""Mel amplitudes back to a waveform, one block of columns; knows nothing of images or of whole pieces.

First phases by integration (``phase``), then relaxed averaged alternating reflections (Luke, "Relaxed averaged
alternating reflections for diffraction imaging", 2005, eq. 14) between two sets: spectrograms that a sound has, and
spectrograms with the wanted mel amplitudes. The nearest of the second set has the same phases, and magnitudes changed
by the smallest amount that mends every band at once: ``spread @ settle @ lack``. What they are multiplied by are the
*gains* of a state. ``course`` says how far steps go.

An iteration takes the frames in ordered subsets (Hudson & Larkin, "Accelerated image reconstruction using ordered
subsets of projection data", 1994): every fourth frame first, and each further subset hears of what those before it
changed. That is worth more than twice the iterations.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy.fft

from .acceleration import compiled
from .grid import Complex, Grid, Reals
from .overlap_add import added, framed, level
from .phase import first_phases
from .relaxation import course_of
from .threads import each, spans

SUBSETS = 4
CHUNK_FRAMES = 64  # worked on at once: what a core's cache holds
TINY = np.float32(1e-9)  # of the loudest magnitude, so that silence divides by something


def invert(grid: Grid, mel: Reals, iterations: int, head: Reals | None = None) -> Reals:
    """((T - 1) x hop,) samples at the grid's rate whose mel amplitudes are near ``mel`` (T, B).

    ``head`` are samples that the sound must begin with.
    """
    peak = float(mel.max(initial=0.0))
    if not peak > 0.0 or len(mel) < 2:
        return np.zeros(grid.samples(max(1, len(mel))), np.float32)
    scale = np.float32(1.0 / peak)
    known = None if head is None else head * scale
    found = _Search(grid, np.ascontiguousarray(mel * scale), known).run(iterations)
    return found * np.float32(peak)


def first_sound(grid: Grid, mel: Reals) -> Reals:
    """Where the iterations begin: a sound from integrated phases, for amplitudes (T, B) of at most 1."""
    if not mel.max(initial=0.0) > 0.0:
        return np.zeros(grid.samples(len(mel)), np.float32)
    return _Search(grid, np.ascontiguousarray(mel), None).first_sound()


class _Subset:
    """Every n-th frame of a piece: what the search knows of them, and their part of the sound."""

    def __init__(self, grid: Grid, mel: Reals, first: int, every: int, length: int) -> None:
        self.mel = np.ascontiguousarray(mel[first::every].T)  # (B, rows)
        self.origin, self.hop = first * grid.hop, every * grid.hop
        rows = self.mel.shape[1]
        self.state = np.empty((rows, grid.bins), np.complex64)
        self.gains = np.empty((rows, grid.bins), np.float32)  # times these it has the wanted amplitudes
        self.before = np.empty_like(self.state)  # the state without inertia
        self.frames = np.empty((rows, len(grid.window)), np.float32)
        self.sum = np.zeros(length, np.float32)
        self.chunks = spans(rows, CHUNK_FRAMES)


class _Search:
    """The state of one inversion. Frames are worked on in chunks, samples in spans, each on any core."""

    def __init__(self, grid: Grid, mel: Reals, head: Reals | None) -> None:
        self.grid, self.mel, self.head = grid, mel, head
        self.length = grid.samples(len(mel))
        self.level = level(grid, len(mel))
        self.tiny = TINY * np.float32(grid.first.max())
        self.loops = compiled()

    def run(self, iterations: int) -> Reals:
        sound = self.first_sound()
        every = min(SUBSETS, len(self.mel))
        subsets = [_Subset(self.grid, self.mel, first, every, self.length) for first in range(every)]
        for subset in subsets:
            self._turn(subset, sound, None, last=iterations == 0)
        sound = self._sound(subsets)
        course, hz = course_of(iterations), np.arange(self.grid.bins) * np.float32(self.grid.bin_hz)
        for step in range(iterations):
            moved = course.relaxation(step, iterations, hz), course.inertia(step, iterations)
            last = step == iterations - 1
            for subset in subsets:
                self._turn(subset, sound, moved, last)
                if not last:
                    sound = self._sound(subsets)
        return self._sound(subsets)

    def first_sound(self) -> Reals:
        """A sound from integrated phases."""
        grid = self.grid
        chunks = spans(len(self.mel), CHUNK_FRAMES)
        magnitudes = np.empty((len(self.mel), grid.first.shape[0]), np.float32)

        def magnitude(rows: slice) -> None:
            wanted = self.mel[rows]
            made = np.maximum((grid.first @ wanted.T).T, 0.0, out=magnitudes[rows])
            for t in np.flatnonzero(~made.any(axis=1) & wanted.any(axis=1)):
                np.maximum.at(made[t], grid.nearest, wanted[t])  # bands between bins: a sound that they can grow from

        each(magnitude, chunks)
        known = None
        if self.head is not None:
            half = len(grid.window) // 2
            inside = slice(-(-half // grid.hop), (len(self.head) - half) // grid.hop)
            whole = np.pad(self.head, (0, self.length - len(self.head)))
            known = np.full(magnitudes.shape, np.nan, np.float32)
            spectrum = scipy.fft.rfft(framed(whole, grid.window, 0, grid.hop, inside), axis=1)
            known[inside] = np.angle(_centred(spectrum))
        phases = first_phases(magnitudes, grid.hop, len(grid.window), known, self.loops is not None)
        frames = np.empty((len(self.mel), len(grid.window)), np.float32)

        def chunk(rows: slice) -> None:
            spectrum = np.empty(phases[rows].shape, np.complex64)
            spectrum.real = magnitudes[rows] * np.cos(phases[rows])
            spectrum.imag = magnitudes[rows] * np.sin(phases[rows])
            frames[rows] = scipy.fft.irfft(_centred(spectrum), n=len(grid.window), axis=1)

        each(chunk, chunks)
        total = np.empty(self.length, np.float32)
        added(frames, grid.window, 0, grid.hop, total)
        return self._begun(total * self.level)

    def _turn(self, subset: _Subset, sound: Reals, moved: tuple[Reals, float] | None, last: bool) -> None:
        """One iteration of a subset's frames: what their reflected spectrogram adds to the sound.

        ``moved`` has relaxation and inertia of the step that made ``sound``, None for the first sound. In the
        ``last`` turn it is their spectrogram with the wanted mel amplitudes.
        """
        grid = self.grid

        def chunk(rows: slice) -> None:
            frames = framed(sound, grid.window, subset.origin, subset.hop, rows, out=subset.frames[rows])
            consistent: Complex = scipy.fft.rfft(frames, n=grid.n_fft, axis=1)
            if moved is None:
                subset.state[rows] = subset.before[rows] = consistent
            else:
                self._move(subset, rows, consistent, *moved)
            self._project(subset, rows)
            made = self._reflected(subset, rows, 0.0 if last else 1.0, out=consistent)  # whose place is free
            frames[:] = scipy.fft.irfft(made, n=grid.n_fft, axis=1, overwrite_x=True)[:, : len(grid.window)]

        each(chunk, subset.chunks)
        added(subset.frames, grid.window, subset.origin, subset.hop, subset.sum)

    def _move(self, subset: _Subset, rows: slice, consistent: Complex, relaxation: Reals, inertia: float) -> None:
        """The state after the sound that was made of the last reflection."""
        state, gains, before = subset.state[rows], subset.gains[rows], subset.before[rows]
        if self.loops is not None:
            self.loops.move(state, gains, before, consistent, relaxation, inertia)
            return
        new = (relaxation + (np.float32(1.0) - np.float32(2.0) * relaxation) * gains) * state + relaxation * consistent
        np.add(new, np.float32(inertia) * (new - before), out=state)
        before[:] = new

    def _project(self, subset: _Subset, rows: slice) -> None:
        """The gains of the state."""
        # Chosen here and not kept: a bound method inside would leave all arrays to the garbage collector.
        work = _project if self.loops is None else partial(_fast_project, self.loops)
        work(self.grid, subset.state[rows], subset.mel[:, rows], self.tiny, subset.gains[rows])

    def _reflected(self, subset: _Subset, rows: slice, beyond: float, out: Complex) -> Complex:
        """The nearest to the state with the wanted amplitudes, and ``beyond`` times as far again."""
        if self.loops is not None:
            self.loops.reflect(subset.state[rows], subset.gains[rows], beyond, out)
            return out
        np.multiply(subset.state[rows], np.float32(1.0 + beyond) * subset.gains[rows] - np.float32(beyond), out=out)
        return out

    def _sound(self, subsets: list[_Subset]) -> Reals:
        """The sound whose spectrogram is nearest to that of all frames."""
        total = subsets[0].sum.copy()
        for subset in subsets[1:]:
            total += subset.sum
        total *= self.level
        return self._begun(total)

    def _begun(self, sound: Reals) -> Reals:
        """It begins as it must."""
        if self.head is not None:
            sound[: len(self.head)] = self.head
        return sound


def _project(grid: Grid, spectrum: Complex, mel: Reals, tiny: np.float32, gains: Reals) -> None:
    """Frame by frame: what magnitudes are multiplied by to have the wanted mel amplitudes (B, T)."""
    size = np.sqrt(np.square(spectrum.real) + np.square(spectrum.imag))
    seen = np.concatenate([size, _between(spectrum, grid)], axis=1) if grid.between else size
    lack = mel - grid.observe @ seen.T
    np.add(size, (grid.spread @ (grid.settle @ lack)).T, out=gains)
    np.maximum(gains, 0.0, out=gains)
    gains /= size + tiny


def _fast_project(loops: Any, grid: Grid, spectrum: Complex, mel: Reals, tiny: np.float32, gains: Reals) -> None:
    """The same, compiled."""
    maps = [part for m in (grid.observe, grid.settle, grid.spread) for part in (m.data, m.indices, m.indptr)]
    loops.project(spectrum, mel, tiny, grid.taps, grid.turn, grid.between, *maps, gains)


def _between(spectrum: Complex, grid: Grid) -> Reals:
    """(T, M) magnitudes half-way between bins, by a short filter over bins turned to the middle of the window."""
    reach = len(grid.taps) // 2
    low = spectrum[:, : grid.between + reach] * grid.turn
    low = np.concatenate([np.conj(low[:, reach - 1 : 0 : -1]), low], axis=1)
    found = sum(low[:, j : j + grid.between] * tap for j, tap in enumerate(grid.taps))
    return np.asarray(np.sqrt(np.square(found.real) + np.square(found.imag)), np.float32)


def _centred(spectrum: Complex) -> Complex:
    """Phases about the middle of the frame from those about its start, and back: every second bin turned over."""
    turned = np.array(spectrum, np.complex64)
    turned[:, 1::2] *= -1
    return turned
