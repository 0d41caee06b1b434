"""Onsets of drums: what is bright after darkness rises no faster than an attack does, so that no stroke clicks.

Out of a dark chord the first milliseconds of a hat stand alone in the highs. Where other highs sound already, of drums
or of anything else, nothing is held back, so that dense music keeps its attacks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from .....audio import Samples
from ..synthesis import MUSIC_RATE

STEP = 32  # samples between two values of the gain, 1.5 ms; steps begin at multiples of it
DELAY = 2 * STEP  # samples by which the output is late: a gain needs the whole step after it
_ORDER = 4  # of the difference whose peaks tell the level of the highs: it grows by 24 dB an octave
_REACH = 20  # samples before and after a sample that the high-pass takes in
_KEPT = DELAY + STEP + _REACH  # samples of input that the next block needs
_HIGH_HZ = 1400.0  # where the high-pass is 6 dB down
_UNHEARD = 0.0022  # least level of the highs that counts as heard before
_AT_ONCE = 1.4  # how far above what was heard before the highs may stand: noise has peaks
_RISE = 10 ** (0.5 * 1000 * STEP / MUSIC_RATE / 20)  # most growth of what was heard in a step: 0.5 dB a millisecond
_FADE = 10 ** (-0.5 * 1000 * STEP / MUSIC_RATE / 20)  # how fast it is forgotten: 0.5 dB a millisecond
_OPEN = 10 ** (0.9 * 1000 * STEP / MUSIC_RATE / 20)  # most growth of the gain in a step: 0.9 dB a millisecond

_RAMP = np.arange(STEP, dtype=np.float32) / np.float32(STEP)


@dataclass(frozen=True)
class OnsetState:
    """The last input, how loud the highs were before, and the last gains."""

    kept: Samples = field(default_factory=lambda: np.zeros((4, _KEPT), np.float32))  # the mix, then its drums
    heard: float = _UNHEARD
    edges: tuple[float, float] = (1.0, 1.0)  # at the last two borders between steps
    gain: float = 1.0  # of the last whole step


def hold_back(
    mix: Samples, drums: Samples, start: int, state: OnsetState, curve: Samples | None = None
) -> tuple[Samples, Samples, OnsetState]:
    """The mix (2, T) from sample ``start`` on, ``DELAY`` late; the gain of the highs of its drums; and the state after.

    ``drums`` (2, T) is their share of the mix. The parts of a mix are given its ``curve`` (T,), and so add up to it.
    """
    frames = mix.shape[1]
    whole = np.concatenate([state.kept, np.concatenate([mix, drums])], axis=1)
    origin = start - _KEPT  # of the first column
    kept = whole[:, -_KEPT:].copy()
    if curve is None:
        curve, state = _gains(whole, start, start + frames, state)
    out = whole[:2, _KEPT - DELAY : _KEPT - DELAY + frames].copy()
    held = np.flatnonzero(curve < 1.0)
    for run in np.split(held, np.flatnonzero(np.diff(held) > 1) + 1) if len(held) else ():
        low, high = int(run[0]), int(run[-1]) + 1
        at = start - DELAY + low - origin
        for ear in range(2):
            highs = np.convolve(whole[2 + ear, at - _REACH : at + high - low + _REACH], _highpass(), "valid")
            out[ear, low:high] -= highs * (1 - curve[low:high])
    return out, curve, OnsetState(kept, state.heard, state.edges, state.gain)


def _gains(whole: Samples, start: int, end: int, state: OnsetState) -> tuple[Samples, OnsetState]:
    """The curve for the output of samples ``start`` to ``end``, and the state after but for the input."""
    first, last = start // STEP, end // STEP  # the steps that are whole now
    origin = start - _KEPT
    heard, gain, edges = state.heard, state.gain, list(state.edges)
    if last > first:
        steps = whole[:, first * STEP - origin - _ORDER : last * STEP - origin]
        bend = np.abs(np.diff(steps, _ORDER, axis=1)).reshape(2, 2, -1).max(axis=1)  # of the mix, and of its drums
        for every, struck in bend.reshape(2, -1, STEP).max(axis=2).T.tolist():
            now, most, least = gain * _OPEN, _AT_ONCE * heard, heard * _FADE
            if now * struck > most:
                now = most / struck
            if now > 1.0:
                now = 1.0
            heard = min(every, heard * _RISE)
            if heard < least:
                heard = least
            if heard < _UNHEARD:
                heard = _UNHEARD
            edges.append(gain if gain < now else now)
            gain = now
    borders = np.array(edges, np.float32)[:, None]  # the first is that at the beginning of step first - 2
    ramps = borders[:-1] + (borders[1:] - borders[:-1]) * _RAMP
    curve = ramps.ravel()[start - first * STEP : end - first * STEP]
    return curve, OnsetState(state.kept, heard, (edges[-2], edges[-1]), gain)


@lru_cache(maxsize=1)
def _highpass() -> Samples:
    """A windowed sinc (Kaiser, beta 3.4) subtracted from a single 1."""
    at = np.arange(-_REACH, _REACH + 1)
    low = np.sinc(at * (2 * _HIGH_HZ / MUSIC_RATE)) * np.kaiser(len(at), 3.4)
    taps = -low / low.sum()
    taps[_REACH] += 1.0
    return np.asarray(taps, np.float32)
