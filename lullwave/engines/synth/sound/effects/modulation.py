"""Tremolo and chorus of one part, mono in, stereo out; phases follow the position in the stream."""

from __future__ import annotations

import numpy as np

from .....audio import Samples
from ..synthesis import MUSIC_RATE, STRETCH, between

CHORUS_HISTORY = 512  # samples of the past that the chorus reads, more than its longest delay


def slow_sine(start: int, frames: int, rate_hz: float, phase: float) -> Samples:
    """A low-frequency sine at absolute samples ``start …``; computed every 32 samples, lines between."""
    first = start // 32
    grid = np.arange(first, (start + frames) // 32 + 2)
    values = np.sin(2 * np.pi * ((grid * (32.0 * rate_hz / MUSIC_RATE) + phase) % 1.0))
    return between(values, 32, start - 32 * first, frames)


def tremolo(stereo: Samples, start: int, depth: Samples, rate_hz: float) -> Samples:
    """The stereo tremolo of an electric piano: the sides take turns; ``depth`` (T,) is 0…1."""
    wave = slow_sine(start, stereo.shape[1], rate_hz, 0.0)
    sides = np.stack([1 - depth * (0.5 + 0.5 * wave), 1 - depth * (0.5 - 0.5 * wave)])
    return np.asarray(stereo * sides, np.float32)


def chorus(mono: Samples, history: Samples, start: int, depth: Samples) -> Samples:
    """(2, T): the part with a copy of itself on either side, wandering 10 to 18 ms behind."""
    frames = len(mono)
    whole = np.concatenate([history, mono])
    place = np.arange(len(history), len(history) + frames, dtype=np.float32)
    out = np.empty((2, frames), np.float32)
    middle, side = 1 - np.float32(0.3) * depth, np.float32(0.7) * depth
    for ear, (rate_hz, phase) in enumerate(((0.53, 0.0), (0.61, 0.37))):
        delay = slow_sine(start, frames, rate_hz, phase)
        for begin in range(0, frames, STRETCH):
            span = slice(begin, begin + STRETCH)
            read = place[span] - (14.0 + 3.6 * delay[span]) * np.float32(MUSIC_RATE / 1000)
            low = read.astype(np.intp)
            wet = whole.take(low, mode="clip")
            wet += (whole.take(low + 1, mode="clip") - wet) * (read - low).astype(np.float32)
            out[ear, span] = mono[span] * middle[span] + wet * side[span]
    return out
