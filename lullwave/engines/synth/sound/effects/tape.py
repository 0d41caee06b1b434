"""Tape: saturation, the play-back head, the unsteady speed of the transport, and the drums' bit reduction."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .....audio import Samples
from ...score import RATE
from ..synthesis import STRETCH, between

MAX_SHIFT = 160  # frames; the transport never strays further
HEAD_REACH = 11  # frames before and after a frame that the play-back head takes in
_BIAS = np.float32(0.12)  # of the saturation: off the middle, it adds even harmonics
_HEAD_HZ = 9260.0  # its low-pass is 6 dB down here, 1 dB at 7.5 kHz and more than 20 dB from 11 kHz on

# Wow, flutter and drift: (Hz, cents of pitch at depth 1). The rates share no common period.
_WAVES = ((0.117, 1.2), (0.531, 4.2), (0.893, 2.1), (1.37, 1.6), (6.31, 1.1), (9.17, 0.7))


def saturate(samples: Samples, warmth: Samples | float) -> Samples:
    """tanh, slightly biased (even harmonics), of unit gain for quiet sound; warmth 0…1 is up to 6 dB of drive."""
    drive = np.float32(0.55) + np.float32(1.35) * np.asarray(warmth, np.float32)
    rest = np.tanh(_BIAS)
    out = np.asarray(samples * drive, np.float32)
    out += _BIAS
    np.tanh(out, out=out)
    out -= rest
    out /= drive * (1 - rest * rest)
    return out


def saturation_gain(samples: Samples, warmth: Samples | float) -> Samples:
    """The factor by which ``saturate`` changes every sample, so that parts of a sum can be changed alike.

    Where ``samples`` are nearly 0 it is the series of the quotient there, whose next term is below 1e-5.
    """
    drive = np.float32(0.55) + np.float32(1.35) * np.asarray(warmth, np.float32)
    quiet = np.abs(samples) < 1e-3
    gain = saturate(samples, warmth) / np.where(quiet, np.float32(1.0), samples)
    return np.where(quiet, 1.0 - np.tanh(_BIAS) * drive * samples, gain).astype(np.float32)


@lru_cache(maxsize=1)
def _head() -> Samples:
    """Half of the head's symmetric taps, from the middle outwards: a windowed sinc (Kaiser, beta 4.5)."""
    at = np.arange(-HEAD_REACH, HEAD_REACH + 1)
    taps = np.sinc(at * (2 * _HEAD_HZ / RATE)) * np.kaiser(len(at), 4.5)
    return np.asarray((taps / taps.sum())[HEAD_REACH:], np.float32)


def playback_head(stereo: Samples) -> Samples:
    """(2, T) to (2, T - 2 ``HEAD_REACH``): what is on the tape without the top, as a head with a gap hears it.

    Saturation makes harmonics of what is loud, and beats among the partials of a chord, up to the top of the band,
    where the music itself has nothing. They come and go within a millisecond at hard attacks: to an ear a faint click.
    """
    middle, *sides = _head()
    frames = stereo.shape[1] - 2 * HEAD_REACH
    out = np.empty((2, frames), np.float32)
    pair = np.empty(frames, np.float32)
    for ear in range(2):
        line = stereo[ear]
        np.multiply(line[HEAD_REACH : HEAD_REACH + frames], middle, out=out[ear])
        for k, tap in enumerate(sides, 1):
            np.add(line[HEAD_REACH - k :][:frames], line[HEAD_REACH + k :][:frames], out=pair)
            pair *= tap
            out[ear] += pair
    return out


def transport(start: int, frames: int, seed: int) -> Samples:
    """How many frames the tape is ahead or behind at depth 1, at output frames ``start …``."""
    first = start // 64
    grid = np.arange(first, (start + frames) // 64 + 2)
    seconds = grid * (64.0 / RATE)
    shift = np.zeros(len(grid))
    for n, (hz, cents) in enumerate(_WAVES):
        phase = ((seed >> (5 * n)) % 32 + n * 5.3) / 32.0
        swell = 0.7 + 0.3 * np.sin(2 * np.pi * (seconds * hz * 0.1733 + phase * 1.7))
        amount = cents * np.log(2) / 1200.0 / (2 * np.pi * hz) * RATE  # pitch to time: divide by angular speed
        shift += amount * swell * np.sin(2 * np.pi * ((seconds * hz + phase) % 1.0))
    return between(np.clip(shift, -MAX_SHIFT, MAX_SHIFT), 64, start - 64 * first, frames)


def read_at(stereo: Samples, places: np.ndarray) -> Samples:
    """(2, T) read at fractional places by the cubic through four points (Lagrange)."""
    out = np.empty((2, len(places)), np.float32)
    for begin in range(0, len(places), STRETCH):
        some = places[begin : begin + STRETCH]
        low = np.floor(some).astype(np.intp)
        d = (some - low).astype(np.float32)
        near, far = d * (d - 2), (d + 1) * (d - 1)
        weights = (near * (d - 1) / -6, far * (d - 2) / 2, near * (d + 1) / -2, far * d / 6)
        for ear, channel in enumerate(stereo):
            line = np.multiply(channel.take(low - 1, mode="clip"), weights[0], out=out[ear, begin : begin + STRETCH])
            for n, weight in enumerate(weights[1:]):
                point = channel.take(low + n, mode="clip")
                point *= weight
                line += point
    return out


def crush(samples: Samples, bits: float = 10.0) -> Samples:
    """An old sampler's converter. The music's rate is that of such samplers already, so nothing is held.

    Its stairs have round edges: a step of one bit would be a click where a stroke begins out of darkness.
    """
    scale = np.float32(2.0 ** (bits - 1))
    scaled = samples * scale
    steps = np.rint(scaled)
    inside = scaled - steps  # -0.5 … 0.5, from the middle of a stair
    power = inside * inside
    return np.asarray((steps + 16 * power * power * inside) / scale, np.float32)
