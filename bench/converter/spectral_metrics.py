"""Four measures of how close a reconstructed sound is to the original.

They are computed in double precision with dense matrices, independent of the measured code. Signals are mono, 44.1 kHz.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

Floats = npt.NDArray[np.float64]

RATE = 44100
ONSET_RATE = (
    22050  # Hz; at 44.1 kHz the onset window of 1024 samples would be finer than a spectrogram with 100 ms windows
)
FLOOR = 1e-4  # -80 dB
DEEP_FLOOR = 1e-5  # -100 dB


def triangles(grid_hz: Floats, bands: int, low_hz: float, high_hz: float) -> Floats:
    """(bands, F) unit-height triangles, evenly spaced on the HTK scale."""
    top = 2595 * np.log10(1 + np.array([low_hz, high_hz]) / 700)
    edges = 700 * (10 ** (np.linspace(top[0], top[1], bands + 2) / 2595) - 1)
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.maximum(0, np.minimum((grid_hz - left) / (middle - left), (right - grid_hz) / (right - middle)))


def magnitudes(sound: Any, window: int, hop: int, n_fft: int) -> Floats:
    """(F, T) Hann magnitudes, centred, reflected at the ends."""
    padded = np.pad(np.asarray(sound, np.float64), n_fft // 2, mode="reflect")
    hann = np.zeros(n_fft)
    begin = (n_fft - window) // 2
    hann[begin : begin + window] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    parts = [np.abs(scipy.fft.rfft(frames[i : i + 64] * hann, axis=1)) for i in range(0, len(frames), 64)]
    return np.concatenate(parts).T


@cache
def _image_bank() -> Floats:
    return triangles(np.arange(4001) * 2.5, 512, 0, 10000)


def mel(sound: Any) -> Floats:
    """(512, T) mel amplitudes at the default parameters."""
    return np.asarray(_image_bank() @ magnitudes(sound, 4410, 441, 17640)[:4001])


def convergence(made: Floats, wanted: Floats) -> float:
    """Spectral convergence of mel amplitudes: ||g made - wanted|| / ||wanted|| for the best gain g."""
    gain = _gain(made, wanted)
    return float(np.linalg.norm(gain * made - wanted) / np.linalg.norm(wanted))


def grey(amplitudes: Floats, max_value: float) -> Floats:
    """8-bit pixels as in an image, rounded, not flipped."""
    return np.rint(np.clip(255 - 255 * (np.maximum(amplitudes, 0) / max_value) ** 0.25, 0, 255))


def image_error(made: Floats, wanted_pixels: Floats, max_value: float) -> float:
    """Mean absolute difference of 8-bit images, at the best gain within 3 dB of the least-squares gain."""
    wanted = ((255 - wanted_pixels) / 255) ** 4 * max_value
    gain = _gain(made, wanted)
    tried = gain * 10 ** (np.linspace(-3, 3, 61) / 20)
    return float(min(np.mean(np.abs(grey(made * one, max_value) - wanted_pixels)) for one in tried))


def log_spectral_distance(made: Any, wanted: Any, floor: float = FLOOR) -> float:
    """dB: Hann 2048/512, bins up to 10 kHz, best gain; RMS over bins, mean over frames.

    Levels below ``floor`` (relative to the loudest original bin) count as equal; that can be half of a quiet clip.
    """
    bins = np.arange(1025) * RATE / 2048 <= 10000
    a, b = (magnitudes(sound, 2048, 512, 2048)[bins] for sound in (made, wanted))
    least = b.max() * floor
    decibels = 20 * np.log10(np.maximum(_gain(a, b) * a, least) / np.maximum(b, least))
    return float(np.mean(np.sqrt(np.mean(decibels**2, axis=0))))


def onset_correlation(made: Any, wanted: Any) -> float:
    """Correlation of onsets in 80 log-mel bands up to 10 kHz (1024/256 at 22.05 kHz), except bands without onsets."""
    import soxr

    bank = triangles(np.arange(513) * ONSET_RATE / 1024, 80, 0, 10000)
    bands = [
        bank @ magnitudes(soxr.resample(np.asarray(sound, np.float64), RATE, ONSET_RATE), 1024, 256, 1024)
        for sound in (made, wanted)
    ]
    return correlation_of_rises(bands[0], bands[1])


def correlation_of_rises(made: Floats, wanted: Floats) -> float:
    """Pearson correlation of the half-wave rectified steps of log amplitudes (F, T), mean over bands."""
    floor = wanted.max() * FLOOR
    rises = []
    for values in (_gain(made, wanted) * made, wanted):
        rise = np.maximum(0, np.diff(np.log(np.maximum(values, floor)), axis=1))
        rises.append(rise - rise.mean(axis=1, keepdims=True))
    a, b = rises
    size = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    heard = size > 1e-9
    return float(np.mean((a * b).sum(1)[heard] / size[heard]))


def _gain(made: Floats, wanted: Floats) -> float:
    return float((made * wanted).sum() / max(1e-300, (made * made).sum()))
