"""The inversion in torch: many clips at once, on any device.

First phases are integrated on the CPU, as without torch. The iterations are those of ``inversion``; a test compares
them. All clips of a call must agree in parameters and length.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..audio import Audio
from ..device import choose_device, import_torch
from ..errors import InvalidInput
from .acceleration import parallel_map
from .grid import Grid, grid_of
from .inversion import SUBSETS, TINY, first_sound
from .relaxation import schedule_for
from .streaming import BLOCK, resample

if TYPE_CHECKING:
    from . import Spectrogram


log = logging.getLogger(__name__)


def fits(columns: int, device: str) -> bool:
    """Whether a piece of ``columns`` columns can be inverted here; logs a warning if it is too long.

    Raises:
        InvalidInput: there is no such device.
        MissingExtra: torch is not installed.
    """
    import_torch("inversion on a device")
    choose_device(device)
    if columns > BLOCK:
        log.warning("%d columns are more than the %d that run on %s: NumPy does it", columns, BLOCK, device)
    return columns <= BLOCK


def invert_all(spectrograms: Sequence[Spectrogram], iterations: int, device: str = "cpu") -> list[Audio]:
    """The sounds of several spectrograms, inverted together.

    Raises:
        InvalidInput: they differ in parameters or length, are longer than one block, or there is no such device.
        MissingExtra: torch is not installed.
    """
    torch = import_torch("inversion on a device")
    where = choose_device(device)
    params, columns = spectrograms[0].params, spectrograms[0].columns
    if any(one.columns != columns or one.params != params for one in spectrograms):
        raise InvalidInput("spectrograms", len(spectrograms), "clips of the same parameters and length")
    if not 2 <= columns <= BLOCK:
        raise InvalidInput("columns", columns, f"2 to {BLOCK}")
    grid = grid_of(params, schedule_for(iterations).pad)
    mel = np.concatenate([one.mel for one in spectrograms]).transpose(0, 2, 1)  # (B, T, F)
    peaks = np.maximum(mel.max(axis=(1, 2)), np.float32(1e-20))
    mel = mel / peaks[:, None, None]
    first = np.stack(parallel_map(lambda one: first_sound(grid, one), list(mel)))
    with torch.inference_mode():
        search = _Search(torch, grid, torch.from_numpy(mel).to(where))
        sound = search.run(torch.from_numpy(first).to(where), iterations).cpu().numpy()
    sound *= np.where(peaks > 1e-20, peaks, 0.0).astype(np.float32)[:, None]
    made = parallel_map(lambda one: resample(one, grid, params.rate), list(sound))
    channels = params.channels
    return [Audio(np.stack(made[i : i + channels], axis=1), params.rate) for i in range(0, len(made), channels)]


class _Search:
    """(B, T, …) tensors throughout; see ``inversion`` for what each step means."""

    def __init__(self, torch: Any, grid: Grid, mel: Any) -> None:
        self.torch, self.grid, self.mel = torch, grid, mel
        device = mel.device

        def put(values: Any) -> Any:
            return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(device)

        self.window = put(grid.window)
        self.observe = put(grid.observe.toarray().T)
        self.spread = put((grid.spread @ grid.settle).toarray().T)
        self.taps = put(grid.taps)
        self.tiny = float(TINY * np.float32(grid.first.max()))
        self.length = grid.samples(mel.shape[1])
        half = len(grid.window) // 2
        before = np.pad(np.arange(self.length), (half, 0), mode="reflect")
        self.mirror = torch.from_numpy(np.pad(before, (0, half), mode="symmetric")).to(device)
        ones = torch.ones(1, mel.shape[1], len(grid.window), device=device) * self.window
        self.gain = 1.0 / self._overlap(ones).clamp_min(1e-6)
        self.turn = torch.from_numpy(grid.turn).to(device)

    def run(self, sound: Any, iterations: int) -> Any:
        schedule, hz = schedule_for(iterations), np.arange(self.grid.bins) * np.float32(self.grid.bin_hz)
        columns = self.mel.shape[1]
        every = min(SUBSETS, columns)
        subsets = [slice(first, None, every) for first in range(every)]
        state = self._spectrum(sound, slice(None))
        before, near = state.clone(), self._project(state, self.mel)
        frames = self._frames(2.0 * near - state if iterations else near)
        sound = self._sound(frames)
        for step in range(iterations):
            relaxation = self.torch.from_numpy(schedule.relaxation(step, iterations, hz)).to(state.device)
            for rows in subsets:
                new = relaxation * (state[:, rows] + self._spectrum(sound, rows))
                new += (1.0 - 2.0 * relaxation) * near[:, rows]
                state[:, rows] = new + schedule.momentum(step, iterations) * (new - before[:, rows])
                before[:, rows] = new
                near[:, rows] = self._project(state[:, rows], self.mel[:, rows])
                if step < iterations - 1:
                    frames[:, rows] = self._frames(2.0 * near[:, rows] - state[:, rows])
                    sound = self._sound(frames)
        return self._sound(self._frames(near))

    def _project(self, spectrum: Any, mel: Any) -> Any:
        torch, grid = self.torch, self.grid
        size = torch.sqrt(spectrum.real.square() + spectrum.imag.square())
        seen = size
        if grid.between:
            reach = len(grid.taps) // 2
            low = spectrum[..., : grid.between + reach] * self.turn
            low = torch.cat([low[..., 1:reach].flip(-1).conj(), low], dim=-1)
            found = sum(low[..., j : j + grid.between] * tap for j, tap in enumerate(self.taps))
            seen = torch.cat([size, torch.sqrt(found.real.square() + found.imag.square())], dim=-1)
        lack = mel - seen @ self.observe
        wanted = (size + lack @ self.spread).clamp_min(0.0)
        return spectrum * (wanted / (size + self.tiny))

    def _spectrum(self, sound: Any, rows: slice) -> Any:
        half = len(self.grid.window) // 2
        padded = sound[:, self.mirror]
        frames = padded.unfold(1, 2 * half, self.grid.hop)[:, rows] * self.window
        return self.torch.fft.rfft(frames, n=self.grid.n_fft)

    def _frames(self, spectrum: Any) -> Any:
        return self.torch.fft.irfft(spectrum, n=self.grid.n_fft)[..., : len(self.window)]

    def _sound(self, frames: Any) -> Any:
        return self._overlap(frames) * self.gain

    def _overlap(self, frames: Any) -> Any:
        """(B, samples) of the sum of windowed frames, frame t centred on t x hop, folded at the ends as in NumPy."""
        grid = self.grid
        half, columns = len(grid.window) // 2, frames.shape[1]
        size = (1, (columns - 1) * grid.hop + 2 * half)
        fold = self.torch.nn.functional.fold
        whole = fold((frames * self.window).transpose(1, 2), size, (1, 2 * half), stride=(1, grid.hop))
        whole = whole[:, 0, 0]
        total = whole[:, half : half + self.length].clone()
        if self.length > half:
            total[:, 1 : half + 1] += whole[:, :half].flip(1)
            total[:, -half:] += whole[:, half + self.length :].flip(1)
        return total
