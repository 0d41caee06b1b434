"""Mel amplitudes back to a waveform, one block of columns; knows nothing of images or of whole pieces.

First phases by integration (``phase``), then relaxed averaged alternating reflections (Luke, "Relaxed averaged
alternating reflections for diffraction imaging", 2005, eq. 14) between two sets: spectrograms that a sound has, and
spectrograms with the wanted mel amplitudes. The nearest of the second set has the same phases, and magnitudes changed
by the smallest amount that mends every band at once: ``spread @ settle @ lack``. ``course`` says how far steps go.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

from .course import course_of
from .grid import Grid, Reals
from .loops import compiled
from .phase import first_phases
from .workers import each, spans

Complex = npt.NDArray[np.complex64]

CHUNK_FRAMES = 32  # worked on at once: what a core's cache holds
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


class _Search:
    """The state of one inversion. Frames are worked on in chunks, samples in spans, each on any core."""

    def __init__(self, grid: Grid, mel: Reals, head: Reals | None) -> None:
        self.grid, self.mel, self.head = grid, mel, head
        self.columns = len(mel)
        self.length = grid.samples(self.columns)
        self.level = 1.0 / _overlap_of_squares(grid, self.columns)
        self.tiny = TINY * np.float32(grid.first.max())
        self.state = np.empty((self.columns, grid.bins), np.complex64)
        self.near = np.empty_like(self.state)
        self.before = np.empty_like(self.state)  # the state without inertia
        self.frames = np.empty((self.columns, len(grid.window)), np.float32)
        self.chunks = spans(self.columns, CHUNK_FRAMES)
        self.loops = compiled()

    def project(self, rows: slice, mirrored: Complex) -> None:
        """``near``: the state's nearest with the wanted amplitudes; ``mirrored``: as far again beyond it."""
        # Chosen here and not kept: a bound method inside would leave all arrays to the garbage collector.
        work = _project if self.loops is None else partial(_fast_project, self.loops)
        work(self.grid, self.state[rows], self.mel[rows], self.tiny, self.near[rows], mirrored)

    def run(self, iterations: int) -> Reals:
        course, hz = course_of(iterations), np.arange(self.grid.bins) * np.float32(self.grid.bin_hz)
        sound = self.first_sound()
        for step in range(iterations + 1):
            last = step == iterations
            moved = None
            if step:
                moved = course.relaxation(step - 1, iterations, hz), course.inertia(step - 1, iterations)
            each(self._reflected(sound, moved, last), self.chunks)
            sound = self._sum()
        return sound

    def first_sound(self) -> Reals:
        """A sound from integrated phases."""
        grid = self.grid
        magnitudes = np.empty((self.columns, grid.first.shape[0]), np.float32)

        def magnitude(rows: slice) -> None:
            np.maximum((grid.first @ self.mel[rows].T).T, 0.0, out=magnitudes[rows])

        each(magnitude, self.chunks)
        known = None
        if self.head is not None:
            half = len(grid.window) // 2
            inside = slice(-(-half // grid.hop), (len(self.head) - half) // grid.hop)
            frames = self._framed(np.pad(self.head, (0, self.length - len(self.head))), inside)
            known = np.full(magnitudes.shape, np.nan, np.float32)
            known[inside] = np.angle(_centred(scipy.fft.rfft(frames, axis=1)))
        phases = first_phases(magnitudes, grid.hop, len(grid.window), known, compiled() is not None)

        def chunk(rows: slice) -> None:
            spectrum = np.empty(phases[rows].shape, np.complex64)
            spectrum.real = magnitudes[rows] * np.cos(phases[rows])
            spectrum.imag = magnitudes[rows] * np.sin(phases[rows])
            self.frames[rows] = scipy.fft.irfft(_centred(spectrum), n=len(grid.window), axis=1)

        each(chunk, self.chunks)
        return self._sum()

    def _reflected(self, sound: Reals, moved: tuple[Reals, float] | None, last: bool) -> Callable[[slice], None]:
        """One chunk's part of an iteration: frames of the reflected spectrogram into ``frames``.

        ``moved`` has relaxation and inertia of the step that made ``sound``, None for the first sound. After the
        ``last`` step the frames are those of the spectrogram with the wanted mel amplitudes.
        """

        def chunk(rows: slice) -> None:
            consistent: Complex = scipy.fft.rfft(self._framed(sound, rows), n=self.grid.n_fft, axis=1)
            if moved is None:
                self.state[rows] = self.before[rows] = consistent
            else:
                self._move(consistent, rows, *moved)
            mirrored = consistent  # whose place is free
            self.project(rows, mirrored)
            self._to_frames(self.near[rows] if last else mirrored, rows)

        return chunk

    def _move(self, consistent: Complex, rows: slice, relaxation: Reals, inertia: float) -> None:
        """The state after the sound that was made of the last reflection."""
        state, near, before = self.state[rows], self.near[rows], self.before[rows]
        if self.loops is not None:
            self.loops.move(state, near, before, consistent, relaxation, inertia)
            return
        new = relaxation * (state + consistent) + (np.float32(1.0) - np.float32(2.0) * relaxation) * near
        state[:] = new + np.float32(inertia) * (new - before)
        before[:] = new

    def _framed(self, sound: Reals, rows: slice) -> Reals:
        """(rows, window) windowed frames of a sound that is reflected at its ends."""
        half = len(self.grid.window) // 2
        begin, end = rows.start * self.grid.hop - half, (rows.stop - 1) * self.grid.hop + half
        piece = sound[max(0, begin) : end]
        if begin < 0:
            piece = np.pad(piece, (-begin, 0), mode="reflect")
        if end > len(sound):  # analysis mirrors about its last sample, at its own, higher rate: nearer to the edge
            piece = np.pad(piece, (0, end - len(sound)), mode="symmetric")
        frames = np.lib.stride_tricks.sliding_window_view(piece, 2 * half)[:: self.grid.hop]
        return np.asarray(frames * self.grid.window)

    def _to_frames(self, spectrum: Complex, rows: slice) -> None:
        made = scipy.fft.irfft(spectrum, n=self.grid.n_fft, axis=1, overwrite_x=True)
        self.frames[rows] = made[:, : len(self.grid.window)]

    def _sum(self) -> Reals:
        """The sound whose spectrogram is nearest to that of ``frames`` (Griffin & Lim 1984, eq. 6)."""
        grid = self.grid
        sound = np.empty(self.length, np.float32)

        def span(part: slice) -> None:
            if self.loops is None:
                sound[part] = _overlap_add(self.frames, grid.window, grid.hop, part) * self.level[part]
            else:
                self.loops.overlap_add(self.frames, grid.window, self.level, grid.hop, part.start, part.stop, sound)

        each(span, spans(self.length, CHUNK_FRAMES * grid.hop))
        _fold(self.frames, grid, sound, self.level)
        if self.head is not None:
            sound[: len(self.head)] = self.head
        return sound


def _project(grid: Grid, spectrum: Complex, mel: Reals, tiny: np.float32, near: Complex, mirrored: Complex) -> None:
    """Frame by frame: the nearest magnitudes with the mel amplitudes that are wanted, phases kept; and beyond them."""
    size = np.sqrt(np.square(spectrum.real) + np.square(spectrum.imag))
    seen = np.concatenate([size, _between(spectrum, grid)], axis=1) if grid.between else size
    lack = mel.T - grid.observe @ seen.T
    wanted = size + (grid.spread @ (grid.settle @ lack)).T
    np.maximum(wanted, 0.0, out=wanted)
    wanted /= size + tiny
    np.multiply(spectrum, wanted, out=near)
    wanted *= np.float32(2.0)
    wanted -= np.float32(1.0)
    np.multiply(spectrum, wanted, out=mirrored)


def _fast_project(
    loops: Any, grid: Grid, spectrum: Complex, mel: Reals, tiny: np.float32, near: Complex, mirrored: Complex
) -> None:
    """The same, compiled."""
    maps = [part for m in (grid.observe, grid.settle, grid.spread) for part in (m.data, m.indices, m.indptr)]
    loops.project(spectrum, mel, tiny, grid.taps, grid.between, *maps, near, mirrored)


def _between(spectrum: Complex, grid: Grid) -> Reals:
    """(T, M) magnitudes half-way between bins, by a short filter over bins turned to the middle of the window."""
    reach = len(grid.taps) // 2
    low = spectrum[:, : grid.between + reach] * (1j ** (np.arange(grid.between + reach) % 4)).astype(np.complex64)
    low = np.concatenate([np.conj(low[:, reach - 1 : 0 : -1]), low], axis=1)
    found = sum(low[:, j : j + grid.between] * tap for j, tap in enumerate(grid.taps))
    return np.asarray(np.sqrt(np.square(found.real) + np.square(found.imag)), np.float32)


def _centred(spectrum: Complex) -> Complex:
    """Phases about the middle of the frame from those about its start, and back: every second bin turned over."""
    turned = np.array(spectrum, np.complex64)
    turned[:, 1::2] *= -1
    return turned


def _overlap_add(frames: Reals, window: Reals, hop: int, part: slice) -> Reals:
    """One span of the sum of windowed frames, frame t centred on t x hop."""
    half = len(window) // 2
    first = max(0, (part.start - half) // hop)
    last = min(len(frames), (part.stop + half) // hop + 1)
    windowed = frames[first:last] * window
    rows = -(-len(window) // hop)
    windowed = np.pad(windowed, ((0, 0), (0, rows * hop - len(window)))).reshape(last - first, rows, hop)
    total = np.zeros((last - first + rows, hop), np.float32)
    for row in range(rows):
        total[row : row + last - first] += windowed[:, row]
    begin = part.start - (first * hop - half)
    return total.reshape(-1)[begin : begin + part.stop - part.start]


def _fold(frames: Reals, grid: Grid, sound: Reals, level: Reals) -> None:
    """Add, times ``level``, what the frames' sum has beyond the ends of ``sound``, mirrored as in ``_framed``."""
    half, length = len(grid.window) // 2, len(sound)
    if length <= half:
        return
    before = _overlap_add(frames, grid.window, grid.hop, slice(-half, 0))[::-1]
    sound[1 : half + 1] += before * level[1 : half + 1]
    after = _overlap_add(frames, grid.window, grid.hop, slice(length, length + half))[::-1]
    sound[length - half :] += after * level[length - half :]


@lru_cache(8)
def _overlap_of_squares(grid: Grid, columns: int) -> Reals:
    frames = np.broadcast_to(grid.window, (columns, len(grid.window)))
    total = _overlap_add(frames, grid.window, grid.hop, slice(0, grid.samples(columns)))
    _fold(frames, grid, total, np.ones_like(total))
    return np.maximum(total, np.float32(1e-6))
