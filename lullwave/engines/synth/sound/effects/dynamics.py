"""Level over time: ducking under each kick, the drum bus, the bus compressor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .....audio import Samples
from ..synthesis import MUSIC_RATE

DUCK_S = 0.7  # after a kick the music is back within a hundredth of a decibel
_PUNCH_STEP = 32  # samples between two values of the drum bus's gain, 1.5 ms
_FULL_LEAD_DB = 8.0  # how far the fast follower leads at a full attack
_COPY_ABOVE, _COPY_GAIN = 0.02, 1.6  # peak above which the copy is compressed (4 : 1), and its make-up gain
_STEP = 64  # samples between two values of the compressor's gain


def duck(start: int, frames: int, kicks: Sequence[tuple[int, float]], depth_db: Samples) -> Samples:
    """Linear gain (T,): down within 5 ms of each kick (sample, velocity), held 30 ms, then back (110 ms)."""
    dip = np.zeros(frames, np.float32)
    for at, velocity in kicks:
        begin, end = max(0, at - start), min(frames, at - start + round(DUCK_S * MUSIC_RATE))
        if begin >= end:
            continue
        age = np.arange(begin + start - at, end + start - at, dtype=np.float32) / np.float32(MUSIC_RATE)
        fall = np.clip(age / np.float32(0.005), 0, 1)
        fall = fall * fall * (3 - 2 * fall)
        back = np.exp(-np.maximum(age - 0.035, 0) / np.float32(0.11))
        np.maximum(dip[begin:end], fall * back * np.float32(min(1.0, velocity)), out=dip[begin:end])
    return np.asarray(np.exp(dip * depth_db * np.float32(-np.log(10) / 20)), np.float32)


@dataclass(frozen=True)
class PunchState:
    """The followers of the drum bus: level over 3 ms and over 60 ms, and the last gain given."""

    fast: float = 0.0
    slow: float = 0.0
    gain: float = 1.0


def punch(drums: Samples, state: PunchState, attack_db: float, parallel: float) -> tuple[Samples, PunchState]:
    """Gain (T,) of a drum bus (2, T), and the state after: attacks come forward, and so does what is quiet.

    An attack is where the fast follower runs ahead of the slow one; ``parallel`` is the share of a copy that is
    compressed hard, whose gain is part of the same curve.
    """
    frames = drums.shape[1]
    if not frames:
        return np.ones(0, np.float32), state
    starts = np.arange(0, frames, _PUNCH_STEP)
    peaks = np.maximum.reduceat(np.maximum(np.abs(drums[0]), np.abs(drums[1])), starts)
    fast, slow = state.fast, state.slow
    if not peaks.any() and fast < 1e-6 and slow < 1e-6:
        return np.full(frames, state.gain, np.float32), replace(state, fast=0.0, slow=0.0)
    quick, lazy = (1 - np.exp(-_PUNCH_STEP / MUSIC_RATE / s) for s in (0.003, 0.06))
    ahead = np.empty((2, len(peaks)))
    for n, peak in enumerate(peaks.tolist()):
        fast += quick * (peak - fast)
        slow += lazy * (peak - slow)
        ahead[0, n], ahead[1, n] = fast, slow
    lead_db = 20 * np.log10((ahead[0] + 1e-4) / (ahead[1] + 1e-4))
    attack = 10 ** (attack_db * np.clip(lead_db / _FULL_LEAD_DB, 0.0, 1.0) / 20)
    copy = _COPY_GAIN * np.minimum(1.0, (_COPY_ABOVE / (ahead[0] + 1e-9)) ** 0.75)
    gains = attack * (1.0 + parallel * copy)
    ends = np.append(starts[1:], frames)
    curve = np.interp(np.arange(1, frames + 1), np.append(0, ends), np.append(state.gain, gains))
    return curve.astype(np.float32), PunchState(fast, slow, float(gains[-1]))


def compress(bus: Samples, level: float, gain: float) -> tuple[Samples, float, float]:
    """2 : 1 above -21 dB, soft, at most 3 dB; returns the gain (T,) and the state after.

    ``level`` is the detector's power, ``gain`` the last gain given.
    """
    frames = bus.shape[1]
    if not frames:
        return np.ones(0, np.float32), level, gain
    power = np.square(bus[0]) + np.square(bus[1])
    starts = np.arange(0, frames, _STEP)
    means = np.add.reduceat(power, starts) / np.diff(np.append(starts, frames)) * 0.5
    attack, release = (1 - np.exp(-_STEP / MUSIC_RATE / s) for s in (0.02, 0.22))
    levels = np.empty(len(means))
    for n, mean in enumerate(means.tolist()):
        level += (attack if mean > level else release) * (mean - level)
        levels[n] = level
    over_db = 10 * np.log10(levels + 1e-9) + 21.0
    knee = np.clip((over_db + 4.0) / 8.0, 0.0, None)
    soft = np.where(over_db < -4.0, 0.0, np.where(over_db > 4.0, over_db, 4.0 * knee * knee))
    gains = 10 ** (-np.minimum(3.0, 0.5 * soft) / 20)
    ends = np.append(starts[1:], frames)
    curve = np.interp(np.arange(1, frames + 1), np.append(0, ends), np.append(gain, gains))
    return curve.astype(np.float32), level, float(gains[-1])
