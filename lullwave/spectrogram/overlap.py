"""Windowed frames of a sound, and the sum of frames; the sound is mirrored at its ends. Knows nothing of spectra.

Frames are given as ``(N, window)`` arrays. Frame i is centred on sample ``origin + i x hop``: all frames of a piece, or
every n-th of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from .grid import Grid, Reals
from .loops import compiled
from .workers import each, spans

SPAN = 51200  # samples that are summed at once


def framed(sound: Reals, window: Reals, origin: int, hop: int, rows: slice) -> Reals:
    """(rows, window) windowed frames."""
    half = len(window) // 2
    begin, end = origin + rows.start * hop - half, origin + (rows.stop - 1) * hop + half
    piece = sound[max(0, begin) : end]
    if begin < 0:
        piece = np.pad(piece, (-begin, 0), mode="reflect")
    if end > len(sound):  # analysis mirrors about its last sample, at its own, higher rate: nearer to the edge
        piece = np.pad(piece, (0, end - len(sound)), mode="symmetric")
    frames = np.lib.stride_tricks.sliding_window_view(piece, 2 * half)[::hop]
    return np.asarray(frames * window)


def added(frames: Reals, window: Reals, origin: int, hop: int, total: Reals) -> None:
    """Into ``total``: the sum of frames times ``window``, what lies beyond the ends mirrored as in ``framed``."""
    loops = compiled()

    def span(part: slice) -> None:
        if loops is None:
            total[part] = _sum(frames, window, origin, hop, part)
        else:
            loops.overlap_add(frames, window, origin, hop, part.start, part.stop, total)

    each(span, spans(len(total), SPAN))
    _fold(lambda part: _sum(frames, window, origin, hop, part), len(window) // 2, total)


@lru_cache(8)
def level(grid: Grid, columns: int) -> Reals:
    """What the sum of all windowed frames of a piece has to be multiplied by (Griffin & Lim 1984, eq. 6)."""
    frames = np.broadcast_to(grid.window, (columns, len(grid.window)))
    total = np.empty(grid.samples(columns), np.float32)
    added(np.ascontiguousarray(frames), grid.window, 0, grid.hop, total)
    return np.asarray(1.0 / np.maximum(total, np.float32(1e-6)))


def _sum(frames: Reals, window: Reals, origin: int, hop: int, part: slice) -> Reals:
    """Samples of one span, which may lie beyond the ends."""
    half = len(window) // 2
    first = max(0, (part.start - half - origin) // hop)
    last = min(len(frames), (part.stop + half - origin) // hop + 1)
    count = part.stop - part.start
    if first >= last:
        return np.zeros(count, np.float32)
    rows = -(-len(window) // hop)
    windowed = np.pad(frames[first:last] * window, ((0, 0), (0, rows * hop - len(window))))
    total = np.zeros((last - first + rows, hop), np.float32)
    for row, piece in enumerate(windowed.reshape(last - first, rows, hop).transpose(1, 0, 2)):
        total[row : row + last - first] += piece
    flat = total.reshape(-1)
    begin = part.start - (origin + first * hop - half)
    found = np.zeros(count, np.float32)
    there = flat[max(0, begin) : max(0, begin + count)]
    found[max(0, -begin) : max(0, -begin) + len(there)] = there
    return found


def _fold(beyond: Callable[[slice], Reals], half: int, total: Reals) -> None:
    """Add what lies beyond the ends."""
    length = len(total)
    if length <= half:
        return
    total[1 : half + 1] += beyond(slice(-half, 0))[::-1]
    total[length - half :] += beyond(slice(length, length + half))[::-1]
