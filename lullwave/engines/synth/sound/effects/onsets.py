"""Onsets: what is bright after darkness rises no faster than an attack does, so that no stroke clicks.

Out of a dark chord the first milliseconds of a hat stand alone in the highs, and so does what tape saturation makes of
a loud snare. Two bands are held back one after the other, the top and then what is above the middle. Where a band is
heard already nothing is held back, so that dense music keeps its attacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from .....audio import Samples
from ...score import RATE

STEP = 64  # frames between two values of a gain, 1.5 ms; steps begin at multiples of it
_LATE = 2 * STEP  # frames by which a band makes the sound late: a gain needs the whole step after it
_REACH = 24  # frames before and after a frame that a high-pass takes in
_KEPT = _LATE + STEP + _REACH  # frames of input that the next block needs
_APART = 8 * STEP  # stretches that are held back are taken together if they are nearer than this
_OPEN = 10 ** (0.9 * 1000 * STEP / RATE / 20)  # most growth of a gain in a step: 0.9 dB a millisecond

_T = np.arange(STEP) / STEP
_RAMP = (_T**3 * (_T * (6 * _T - 15) + 10)).astype(np.float32)  # a corner in a gain would be a click itself


@dataclass(frozen=True)
class _Band:
    """What is above ``high_hz`` (there its high-pass is 6 dB down), and how fast it may rise.

    Its level is the peak of a difference of the sound, which grows by 6 dB an octave for each ``order``.
    """

    high_hz: float
    order: int
    unheard: float  # least level that counts as heard before
    at_once: float  # how far above what was heard before it may stand: noise has peaks
    slow: float  # most growth and decay of what was heard, in dB a millisecond


_BANDS = (_Band(5000.0, 8, 0.001, 1.4, 0.5), _Band(1800.0, 4, 0.004, 2.0, 0.8))
DELAY = _LATE * len(_BANDS)  # frames by which the output is late


@dataclass(frozen=True)
class BandState:
    """The last input, how loud the band was before, and its last gains."""

    kept: Samples = field(default_factory=lambda: np.zeros((2, _KEPT), np.float32))
    heard: float = 0.0
    edges: tuple[float, float] = (1.0, 1.0)  # at the last two borders between steps
    gain: float = 1.0  # of the last whole step


OnsetState = tuple[BandState, ...]
SILENT: OnsetState = (BandState(),) * len(_BANDS)


def hold_back(
    sound: Samples, start: int, state: OnsetState, curves: Sequence[Samples] | None = None
) -> tuple[Samples, list[Samples], OnsetState]:
    """``sound`` (2, T) from frame ``start`` on, ``DELAY`` late; the gain of each band (T,); and the state after.

    The parts of a mix are given its ``curves``, and so add up to it.
    """
    found, states = [], []
    for n, band in enumerate(_BANDS):
        sound, curve, after = _hold(sound, start, band, state[n], None if curves is None else curves[n])
        found.append(curve)
        states.append(after)
    return sound, found, tuple(states)


def _hold(
    sound: Samples, start: int, band: _Band, state: BandState, curve: Samples | None
) -> tuple[Samples, Samples, BandState]:
    """Hold one band back; ``_LATE`` late."""
    frames = sound.shape[1]
    whole = np.concatenate([state.kept, sound], axis=1)
    kept = whole[:, -_KEPT:].copy()
    if curve is None:
        curve, state = _gains(whole, start, start + frames, band, state)
    out = whole[:, _KEPT - _LATE : _KEPT - _LATE + frames].copy()
    for low, high in _held(curve):
        at = _KEPT - _LATE + low
        for ear in range(2):
            highs = np.convolve(whole[ear, at - _REACH : at + high - low + _REACH], _highpass(band.high_hz), "valid")
            highs *= 1 - curve[low:high]
            out[ear, low:high] -= highs
    return out, curve, BandState(kept, state.heard, state.edges, state.gain)


def _gains(whole: Samples, start: int, end: int, band: _Band, state: BandState) -> tuple[Samples, BandState]:
    """The gain for the output of frames ``start`` to ``end``, and the state after but for the input."""
    first, last = start // STEP, end // STEP  # the steps that are whole now
    heard, gain, gains = state.heard, state.gain, [state.gain]
    if last > first:
        origin = start - _KEPT  # of the first column
        slow = 10 ** (band.slow * 1000 * STEP / RATE / 20)
        for level in _levels(whole[:, first * STEP - origin - band.order : last * STEP - origin], band.order):
            if heard < band.unheard:
                heard = band.unheard
            gain = gain * _OPEN if gain * _OPEN < 1.0 else 1.0
            if gain * level > band.at_once * heard:
                gain = band.at_once * heard / level
            least, most, now = heard / slow, heard * slow, gain * level
            heard = most if now > most else now if now > least else least
            gains.append(gain)
    steps = np.array(gains, np.float32)
    # At the borders from the beginning of step first - 2 on: the smaller gain of the two steps that meet there.
    borders = np.concatenate([np.array(state.edges, np.float32), np.minimum(steps[:-1], steps[1:])])
    ramps = borders[:-1, None] + (borders[1:] - borders[:-1])[:, None] * _RAMP
    curve = ramps.ravel()[start - first * STEP : end - first * STEP]
    return curve, BandState(state.kept, heard, (float(borders[-2]), float(borders[-1])), gain)


def _levels(sound: Samples, order: int) -> list[float]:
    """The peak of the difference of ``order`` in each step of (2, ``order`` + N ``STEP``)."""
    bend, spares = sound, (np.empty_like(sound), np.empty_like(sound))
    for n in range(order):
        bend = np.subtract(bend[:, 1:], bend[:, :-1], out=spares[n % 2][:, : bend.shape[1] - 1])
    peaks = np.maximum(bend.max(axis=0), -bend.min(axis=0))
    levels: list[float] = peaks.reshape(-1, STEP).max(axis=1).tolist()
    return levels


def _held(gain: Samples) -> Iterator[tuple[int, int]]:
    """Where a gain is below 1."""
    held = np.flatnonzero(gain < 1.0)
    if len(held):
        breaks = np.flatnonzero(np.diff(held) > _APART)
        yield from zip(held[[0, *(breaks + 1)]].tolist(), (held[[*breaks, -1]] + 1).tolist(), strict=True)


@lru_cache(maxsize=2)
def _highpass(high_hz: float) -> Samples:
    """A windowed sinc (Kaiser, beta 3.4) subtracted from a single 1."""
    at = np.arange(-_REACH, _REACH + 1)
    low = np.sinc(at * (2 * high_hz / RATE)) * np.kaiser(len(at), 3.4)
    taps = -low / low.sum()
    taps[_REACH] += 1.0
    return np.asarray(taps, np.float32)
