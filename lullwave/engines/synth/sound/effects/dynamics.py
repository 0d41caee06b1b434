"""Level over time: the ducking under each kick, the bus compressor, and the matching of levels where pieces join."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .....audio import Samples
from ...score import RATE
from ..synthesis import MUSIC_RATE

DUCK_S = 0.7  # after a kick the music is back within a hundredth of a decibel
_STEP = 64  # samples between two values of the compressor's gain
_STEP_DB = (-0.8, 1.8)  # steps at a join that are left
_MOST_EVENED_DB = 5.0


def duck(start: int, frames: int, kicks: Sequence[tuple[int, float]], depth_db: Samples) -> Samples:
    """Linear gain (T,): down within 10 ms of each kick (sample, velocity), back with 130 ms time constant."""
    dip = np.zeros(frames, np.float32)
    for at, velocity in kicks:
        begin, end = max(0, at - start), min(frames, at - start + round(DUCK_S * MUSIC_RATE))
        if begin >= end:
            continue
        age = np.arange(begin + start - at, end + start - at, dtype=np.float32) / np.float32(MUSIC_RATE)
        fall = np.clip(age / np.float32(0.010), 0, 1)
        fall = fall * fall * (3 - 2 * fall)
        back = np.exp(-np.maximum(age - 0.03, 0) / np.float32(0.13))
        np.maximum(dip[begin:end], fall * back * np.float32(min(1.0, velocity)), out=dip[begin:end])
    return np.asarray(np.exp(dip * depth_db * np.float32(-np.log(10) / 20)), np.float32)


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


def weighted_power(stereo: Samples) -> float:
    """Power of (2, T) at the full rate as an ear takes it: below 100 Hz less and above 1.5 kHz more (after BS.1770)."""
    size = stereo.shape[1]
    freqs = np.fft.rfftfreq(size, 1 / RATE)
    low, high = (freqs / 60.0) ** 2, (freqs / 1500.0) ** 2
    weights = (low / (1 + low)) ** 2 * (1 + 2.5 * high) / (1 + high)
    spectrum = np.fft.rfft(stereo, axis=1)
    power = float(np.sum((np.square(spectrum.real) + np.square(spectrum.imag)) * weights))
    return power / float(size**2)


def level_join(frames: int, meet: int, before: float, after: float) -> Samples:
    """Gain (T,) for a block in which another piece begins at ``meet``: it comes as loud as the one before it ended.

    ``before`` and ``after`` are the powers of a second on either side. Small steps are left; what is corrected is given
    back in the course of the block.
    """
    step_db = 10 * np.log10((after + 1e-9) / (before + 1e-9))
    wrong_db = float(np.clip(step_db - np.clip(step_db, *_STEP_DB), -_MOST_EVENED_DB, _MOST_EVENED_DB))
    hold = min(frames, meet + RATE)
    points = np.array([0, meet, hold, frames])
    return np.asarray(10 ** (-np.interp(np.arange(frames), points, [0, wrong_db, wrong_db, 0]) / 20), np.float32)
