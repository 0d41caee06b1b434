"""Measures a clip with public estimators, and by the definitions of the metrics.

Every function takes float samples of shape (T, C) and a rate in Hz. Tempo and key come from public packages
(librosa, and essentia where it is installed); the rest follows from its definition. Install them apart from
the project, since neither is a dependency: ``pip install -r bench/requirements-music.txt``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.floating[Any]]

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#", "Cb": "B", "Fb": "E"}


def _mono(samples: Samples) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(np.mean(samples, axis=1), dtype=np.float32)


# Tempo


def tempo_librosa(samples: Samples, rate: int) -> float:
    """Beats per minute by librosa's beat tracker (Ellis 2007), refined by the median distance of its beats."""
    import librosa

    mono = librosa.resample(_mono(samples), orig_sr=rate, target_sr=22050)
    _, beats = librosa.beat.beat_track(y=mono, sr=22050, hop_length=256, units="time", tightness=400)
    if len(beats) < 3:
        return 0.0
    # The slope of time over beat number averages out the hop's grain.
    return float(60.0 / np.polyfit(np.arange(len(beats)), beats, 1)[0])


def tempo_essentia(samples: Samples, rate: int) -> float:
    """Beats per minute by essentia's RhythmExtractor2013 (multifeature)."""
    import essentia.standard as es
    import librosa

    mono = librosa.resample(_mono(samples), orig_sr=rate, target_sr=44100)
    return float(es.RhythmExtractor2013(method="multifeature")(mono)[0])


def tempo_error(estimate: float, stated: float) -> float:
    """Relative error of a tempo; half and double tempo count as right."""
    return min(abs(estimate * factor / stated - 1.0) for factor in (0.5, 1.0, 2.0))


# Key


def key_essentia(samples: Samples, rate: int) -> str:
    """The key, such as "D minor", by essentia's KeyExtractor (its profile for electronic music, "bgate")."""
    import essentia.standard as es
    import librosa

    mono = librosa.resample(_mono(samples), orig_sr=rate, target_sr=44100)
    tonic, scale, _ = es.KeyExtractor(profileType="bgate")(mono)
    return f"{_FLATS.get(tonic, tonic)} {scale}"


def key_librosa(samples: Samples, rate: int) -> str:
    """Krumhansl and Kessler's profiles (1982) correlated with librosa's mean constant-Q chroma."""
    import librosa

    mono = librosa.resample(_mono(samples), orig_sr=rate, target_sr=22050)
    chroma = librosa.feature.chroma_cqt(y=librosa.effects.harmonic(mono), sr=22050).mean(axis=1)
    major = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88]
    minor = [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]
    scores = {
        f"{PITCH_CLASSES[tonic]} {mode}": float(np.corrcoef(np.roll(profile, tonic), chroma)[0, 1])
        for mode, profile in (("major", major), ("minor", minor))
        for tonic in range(12)
    }
    return max(scores, key=scores.__getitem__)


def same_key(estimate: str, stated: str) -> bool:
    """Tell whether two keys are the same or relative keys."""
    return _signature(estimate) == _signature(stated)


def _signature(key: str) -> int:
    """Pitch class of the major key with the same notes. Modes: dorian, mixolydian, lydian, phrygian are known."""
    tonic, mode = key.split(" ", 1)
    distance = {"major": 0, "minor": 3, "dorian": 10, "mixolydian": 5, "lydian": 7, "phrygian": 8}
    return (PITCH_CLASSES.index(_FLATS.get(tonic, tonic)) + distance[mode]) % 12


# Level


def loudness_lufs(samples: Samples, rate: int) -> float:
    """Integrated loudness (BS.1770) by pyloudnorm."""
    import pyloudnorm

    return float(pyloudnorm.Meter(rate).integrated_loudness(np.asarray(samples, np.float64)))


def true_peak_dbtp(samples: Samples) -> float:
    """Peak of the signal at 4x oversampling in dB."""
    from scipy.signal import resample_poly

    peak = float(np.max(np.abs(resample_poly(np.asarray(samples, np.float64), 4, 1, axis=0))))
    return 20.0 * float(np.log10(max(peak, 1e-9)))


def clipped_samples(samples: Samples) -> int:
    """Samples at or beyond full scale."""
    return int(np.count_nonzero(np.abs(samples) >= 32767 / 32768))


def longest_gap_s(samples: Samples, rate: int, floor_dbfs: float = -60.0) -> float:
    """The longest run of frames that stays below ``floor_dbfs`` in every channel, between the first and the last sound.

    Fades before the first and after the last sound do not count; a silent clip is one gap.
    """
    loud = np.flatnonzero(np.max(np.abs(samples), axis=1) >= 10.0 ** (floor_dbfs / 20.0))
    if len(loud) < 2:
        return len(samples) / rate
    return float(np.max(np.diff(loud)) - 1) / rate


# Space and spectrum


def stereo_correlation(samples: Samples) -> float:
    """Pearson correlation of the two channels."""
    return float(np.corrcoef(samples[:, 0], samples[:, 1])[0, 1])


def mono_loss_lu(samples: Samples, rate: int) -> float:
    """The loudness that a fold-down to mono loses, in LU."""
    folded = np.repeat(np.mean(samples, axis=1, keepdims=True), 2, axis=1)
    return loudness_lufs(samples, rate) - loudness_lufs(folded, rate)


def roll_off_hz(samples: Samples, rate: int, share: float) -> float:
    """The frequency below which ``share`` of the energy lies (mean of Hann periodograms of 8192)."""
    size = 8192
    window = np.hanning(size)[:, None]
    power = np.zeros(size // 2 + 1)
    for start in range(0, max(1, len(samples) - size), size // 2):
        piece = samples[start : start + size]
        if len(piece) == size:
            power += np.sum(np.abs(np.fft.rfft(piece * window, axis=0)) ** 2, axis=1)
    total = np.cumsum(power)
    return float(np.searchsorted(total, share * total[-1])) * rate / size


def clicks(samples: Samples, rate: int, order: int = 16, ratio: float = 12.0, floor_dbfs: float = -40.0) -> list[float]:
    """Times (s) of clicks: samples whose linear-prediction residual stands out in their 20 ms frame.

    The residual must exceed ``ratio`` times the frame's median residual and ``floor_dbfs``. The predictor is found
    by the autocorrelation method (Makhoul 1975, eq. 13-14) on the Hann-windowed frame with its neighbourhood.
    """
    frame = round(0.02 * rate)
    floor = 10.0 ** (floor_dbfs / 20.0)
    length = frame + order
    window = np.hanning(length)
    lags = np.abs(np.subtract.outer(np.arange(order), np.arange(order)))
    found: list[float] = []
    for channel in range(samples.shape[1]):
        x = np.asarray(samples[:, channel], np.float64)
        starts = np.arange(frame, len(x) - frame, frame)  # the first frame has no context before it
        for some in np.array_split(starts, len(starts) // 256 + 1):
            if not len(some):
                continue
            pieces = np.lib.stride_tricks.sliding_window_view(x, length)[some - order]
            moving = np.max(np.abs(np.diff(pieces)), axis=1) >= floor / 4
            some, pieces = some[moving], pieces[moving]
            spectra = np.abs(np.fft.rfft(pieces * window, 2048 * -(-length // 1024), axis=1)) ** 2
            r = np.fft.irfft(spectra, axis=1)[:, : order + 1]
            r[:, 0] = r[:, 0] * (1 + 1e-9) + 1e-12
            taps = np.linalg.solve(r[:, lags], r[:, 1:, None])[..., 0]
            residual = pieces[:, order:].copy()
            for k in range(order):
                residual -= taps[:, k : k + 1] * pieces[:, order - 1 - k : length - 1 - k]
            np.abs(residual, out=residual)
            limit = np.maximum(ratio * np.median(residual, axis=1), floor)
            which, at = np.nonzero(residual > limit[:, None])
            found.extend(((some[which] + at) / rate).tolist())
    return sorted(found)
