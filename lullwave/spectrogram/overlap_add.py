"""Framing and overlap-add of a sound that is mirrored at its ends.

Frames are ``(N, window)`` arrays. Frame i is centred on sample ``origin + i x hop``, so that an array may hold all
frames of a piece or every n-th.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .acceleration import kernels, parallel_map, slices
from .grid import Grid, Reals

SPAN = 51200  # samples that one thread sums at a time


def frames_of(sound: Reals, window: Reals, origin: int, hop: int, rows: slice, out: Reals | None = None) -> Reals:
    """The windowed frames ``rows`` of ``sound``, (rows, window); written to ``out`` if given."""
    half = len(window) // 2
    begin, end = origin + rows.start * hop - half, origin + (rows.stop - 1) * hop + half
    piece = sound[max(0, begin) : end]
    if begin < 0:
        piece = np.pad(piece, (-begin, 0), mode="reflect")
    if end > len(sound):  # analysis mirrors about its last sample, at its own, higher rate: nearer to the edge
        piece = np.pad(piece, (0, end - len(sound)), mode="symmetric")
    frames = np.lib.stride_tricks.sliding_window_view(piece, 2 * half)[::hop]
    return np.asarray(np.multiply(frames, window, out=out))


def overlap_add(frames: Reals, window: Reals, origin: int, hop: int, total: Reals) -> None:
    """Write the sum of ``frames`` x ``window`` to ``total``, mirrored at its ends as in ``frames_of``."""
    fast, half, length = kernels(), len(window) // 2, len(total)
    wide = np.empty(half + length + half, np.float32)

    def span(part: slice) -> None:
        if fast is None:
            wide[part] = _sum(frames, window, origin, hop, part)
        else:
            fast.overlap_add(frames, window, origin, hop, part.start, part.stop, wide)

    parallel_map(span, slices(len(wide), SPAN))
    total[:] = wide[half : half + length]
    if length > half:
        total[1 : half + 1] += wide[:half][::-1]
        total[length - half :] += wide[half + length :][::-1]


@lru_cache(8)
def window_gain(grid: Grid, columns: int) -> Reals:
    """(samples,) factors that turn the overlap-add of all frames into the sound (Griffin & Lim 1984, eq. 6)."""
    frames = np.broadcast_to(grid.window, (columns, len(grid.window)))
    total = np.empty(grid.samples(columns), np.float32)
    overlap_add(np.ascontiguousarray(frames), grid.window, 0, grid.hop, total)
    return np.asarray(1.0 / np.maximum(total, np.float32(1e-6)))


def _sum(frames: Reals, window: Reals, first: int, hop: int, part: slice) -> Reals:
    """Samples of one span of the sum; frame i begins at ``first`` + i x hop."""
    begin = max(0, (part.start - len(window) - first) // hop)
    end = min(len(frames), (part.stop - first) // hop + 1)
    count = part.stop - part.start
    if begin >= end:
        return np.zeros(count, np.float32)
    rows = -(-len(window) // hop)
    windowed = np.pad(frames[begin:end] * window, ((0, 0), (0, rows * hop - len(window))))
    total = np.zeros((end - begin + rows, hop), np.float32)
    for row, piece in enumerate(windowed.reshape(end - begin, rows, hop).transpose(1, 0, 2)):
        total[row : row + end - begin] += piece
    flat = total.reshape(-1)
    low = part.start - (first + begin * hop)
    found = np.zeros(count, np.float32)
    there = flat[max(0, low) : max(0, low + count)]
    found[max(0, -low) : max(0, -low) + len(there)] = there
    return found
