"""Frames and their sum: against a sum written out sample by sample, mirrored ends included; subsets equal the whole."""

import numpy as np
import pytest

from lullwave.spectrogram import overlap_add as overlap
from lullwave.spectrogram.grid import grid_of
from lullwave.spectrogram.params import SpectrogramParams

LENGTH, WINDOW = 90, 20


@pytest.fixture(params=["compiled", "plain"])
def loops(request, monkeypatch):
    if request.param == "compiled":
        pytest.importorskip("numba")
    else:
        monkeypatch.setattr(overlap, "kernels", lambda: None)


def written_out(frames, window, origin, hop):
    """Each frame's samples at their place; before the first sample and from the last on, at the mirrored one."""
    total = np.zeros(LENGTH)
    for i, frame in enumerate(frames):
        for k, value in enumerate(frame * window):
            n = origin + i * hop - WINDOW // 2 + k
            n = -n if n < 0 else n
            n = 2 * LENGTH - 1 - n if n >= LENGTH else n
            total[n] += value
    return total


@pytest.mark.parametrize(("origin", "hop"), [(0, 10), (0, 30), (10, 30), (20, 30), (80, 30), (5, 7)])
def test_the_sum_of_frames(loops, origin, hop):
    rng = np.random.default_rng(5)
    count = (LENGTH - origin) // hop + 1
    frames, window = rng.standard_normal((count, WINDOW)).astype(np.float32), np.hanning(WINDOW).astype(np.float32)
    total = np.empty(LENGTH, np.float32)
    overlap.overlap_add(frames, window, origin, hop, total)
    assert total == pytest.approx(written_out(frames, window, origin, hop), abs=1e-5)


def test_subsets_add_up_to_the_whole(loops):
    rng = np.random.default_rng(6)
    frames, window = rng.standard_normal((10, WINDOW)).astype(np.float32), np.hanning(WINDOW).astype(np.float32)
    whole, part, parts = np.empty(LENGTH, np.float32), np.empty(LENGTH, np.float32), np.zeros(LENGTH)
    overlap.overlap_add(frames, window, 0, 10, whole)
    for first in range(4):
        overlap.overlap_add(np.ascontiguousarray(frames[first::4]), window, 10 * first, 40, part)
        parts += part
    assert parts == pytest.approx(whole, abs=1e-5)


def test_framed_and_added_again_it_is_the_same_sound():
    grid, columns = grid_of(SpectrogramParams(), 1), 30
    sound = np.random.default_rng(7).standard_normal(grid.samples(columns)).astype(np.float32)
    frames = overlap.frames_of(sound, grid.window, 0, grid.hop, slice(0, columns))
    total = np.empty_like(sound)
    overlap.overlap_add(frames, grid.window, 0, grid.hop, total)
    assert total * overlap.window_gain(grid, columns) == pytest.approx(sound, abs=1e-4)
