"""Windowed frames of a sound, and the sum of frames; the sound is mirrored at its ends. Knows nothing of spectra.

Frames are given as ``(N, window)`` arrays. Frame i is centred on sample ``origin + i x hop``: all frames of a piece, or
every n-th of them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .acceleration import compiled
from .grid import Grid, Reals
from .threads import each, spans

SPAN = 51200  # samples that are summed at once


def framed(sound: Reals, window: Reals, origin: int, hop: int, rows: slice, out: Reals | None = None) -> Reals:
    """(rows, window) windowed frames, in ``out`` if it is given."""
    half = len(window) // 2
    begin, end = origin + rows.start * hop - half, origin + (rows.stop - 1) * hop + half
    piece = sound[max(0, begin) : end]
    if begin < 0:
        piece = np.pad(piece, (-begin, 0), mode="reflect")
    if end > len(sound):  # analysis mirrors about its last sample, at its own, higher rate: nearer to the edge
        piece = np.pad(piece, (0, end - len(sound)), mode="symmetric")
    frames = np.lib.stride_tricks.sliding_window_view(piece, 2 * half)[::hop]
    return np.asarray(np.multiply(frames, window, out=out))


def added(frames: Reals, window: Reals, origin: int, hop: int, total: Reals) -> None:
    """Into ``total``: the sum of frames times ``window``, what lies beyond the ends mirrored as in ``framed``."""
    loops, half, length = compiled(), len(window) // 2, len(total)
    wide = np.empty(half + length + half, np.float32)

    def span(part: slice) -> None:
        if loops is None:
            wide[part] = _sum(frames, window, origin, hop, part)
        else:
            loops.overlap_add(frames, window, origin, hop, part.start, part.stop, wide)

    each(span, spans(len(wide), SPAN))
    total[:] = wide[half : half + length]
    if length > half:
        total[1 : half + 1] += wide[:half][::-1]
        total[length - half :] += wide[half + length :][::-1]


@lru_cache(8)
def level(grid: Grid, columns: int) -> Reals:
    """What the sum of all windowed frames of a piece has to be multiplied by (Griffin & Lim 1984, eq. 6)."""
    frames = np.broadcast_to(grid.window, (columns, len(grid.window)))
    total = np.empty(grid.samples(columns), np.float32)
    added(np.ascontiguousarray(frames), grid.window, 0, grid.hop, total)
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
