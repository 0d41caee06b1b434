"""Measures a clip with librosa, and the variety of a set of clips.

Every function takes float samples (T, C) or (T,). The recorded ranges are the 10th, 50th and 90th percentiles of 24
lo-fi tracks of one artist: an example of the genre, not a rule.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.floating[Any]]

RATE = 22050  # Hz, for spectra and onsets
_SIZE, _HOP = 2048, 512

# figure: its meaning, and its 10th, 50th and 90th percentile in recorded tracks
RECORDED: dict[str, tuple[str, tuple[float, float, float]]] = {
    "drums_db": ("drums against harmony, dB", (-7.3, -3.9, -1.8)),
    "high_drums_db": ("share of drums in 2-10 kHz, dB", (-3.0, -1.0, -0.2)),
    "mid_drums_db": ("share of drums in 150-2000 Hz, dB", (-10.9, -9.4, -5.1)),
    "hz_20_60_db": ("20-60 Hz, dB of all", (-19.6, -7.7, -5.2)),
    "hz_60_250_db": ("60-250 Hz, dB of all", (-8.4, -4.3, -2.9)),
    "hz_250_1k_db": ("250-1000 Hz, dB of all", (-8.6, -6.2, -3.2)),
    "hz_1k_3k_db": ("1-3 kHz, dB of all", (-16.3, -11.6, -8.3)),
    "hz_3k_6k_db": ("3-6 kHz, dB of all", (-24.8, -19.3, -11.5)),
    "hz_6k_10k_db": ("6-10.5 kHz, dB of all", (-37.7, -25.5, -19.3)),
    "onsets_a_second": ("onsets a second", (2.65, 3.53, 4.35)),
    "onset_strength": ("onset strength, 95th percentile", (4.4, 6.4, 7.3)),
    "repeat": ("likeness 4, 8 or 16 beats apart, the largest", (0.34, 0.49, 0.65)),
    "side_db": ("side against mid, dB", (-15.3, -11.4, -5.8)),
    "centroid_hz": ("spectral centroid, Hz", (1060, 1530, 1810)),
}
_BANDS = {
    "hz_20_60_db": (20, 60),
    "hz_60_250_db": (60, 250),
    "hz_250_1k_db": (250, 1000),
    "hz_1k_3k_db": (1000, 3000),
    "hz_3k_6k_db": (3000, 6000),
    "hz_6k_10k_db": (6000, 10500),
}


def figures(samples: Samples, rate: int) -> dict[str, float]:
    """Every figure of ``RECORDED`` of a clip (T, 2)."""
    import librosa
    import soxr

    mono = soxr.resample(np.asarray(samples.mean(axis=1), np.float32), rate, RATE)
    magnitude = np.abs(librosa.stft(mono, n_fft=_SIZE, hop_length=_HOP))
    power = magnitude**2
    harmonic, percussive = (part**2 for part in librosa.decompose.hpss(magnitude))
    hz = librosa.fft_frequencies(sr=RATE, n_fft=_SIZE)

    def between(low: float, high: float) -> npt.NDArray[np.bool_]:
        return (hz >= low) & (hz < high)

    def share(low: float, high: float) -> float:
        rows = between(low, high)
        return _db(percussive[rows].sum(), power[rows].sum())

    mel = librosa.feature.melspectrogram(S=power, sr=RATE, n_mels=96)
    onset = librosa.onset.onset_strength(S=librosa.power_to_db(mel), sr=RATE)
    onsets = librosa.onset.onset_detect(onset_envelope=onset, sr=RATE)
    beats = librosa.beat.beat_track(onset_envelope=onset, sr=RATE)[1]
    found = {
        "drums_db": _db(percussive.sum(), harmonic.sum()),
        "high_drums_db": share(2000, 10000),
        "mid_drums_db": share(150, 2000),
        "onsets_a_second": len(onsets) / (len(mono) / RATE),
        "onset_strength": float(np.percentile(onset, 95)),
        "repeat": repetition(librosa.feature.melspectrogram(S=power, sr=RATE, n_mels=64), beats),
        "side_db": side_db(samples),
        "centroid_hz": float(librosa.feature.spectral_centroid(S=magnitude, sr=RATE).mean()),
    }
    found |= {name: _db(power[between(*edges)].sum(), power.sum()) for name, edges in _BANDS.items()}
    return {name: found[name] for name in RECORDED}


def repetition(mel_power: Samples, beats: npt.NDArray[np.integer[Any]]) -> float:
    """Similarity of the spectra of beats 4, 8 or 16 apart: the largest of the three means, -1 … 1.

    ``mel_power`` is (bands, frames), ``beats`` are frames. The similarity is the cosine of spectra in dB, minus each
    band's mean, so that an unchanging sound reads 0. A tracker may find double or half the tempo: hence
    three distances.
    """
    import librosa

    spectra = librosa.power_to_db(librosa.util.sync(mel_power, beats, aggregate=np.mean))
    spectra -= spectra.mean(axis=1, keepdims=True)
    spectra /= np.linalg.norm(spectra, axis=0, keepdims=True) + 1e-9
    count = spectra.shape[1]
    means = [float((spectra[:, :-k] * spectra[:, k:]).sum(axis=0).mean()) for k in (4, 8, 16) if count > k]
    return max(means, default=float("nan"))


def side_db(samples: Samples) -> float:
    """Energy of left minus right relative to left plus right, in dB."""
    left, right = np.asarray(samples, np.float64).T
    return _db(np.square(left - right).sum(), np.square(left + right).sum())


def vendi_score(vectors: Samples) -> float:
    """The effective number of different vectors, (N, D): N if all are orthogonal, 1 if parallel.

    The exponential of the entropy of the eigenvalues of K/N, K the cosines (Friedman and Dieng 2022, "The Vendi
    Score", definition 3.1).
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    weights = np.linalg.eigvalsh(unit.astype(np.float64) @ unit.T / len(unit))
    weights = weights[weights > 1e-12]
    return float(np.exp(-(weights * np.log(weights)).sum()))


def rms_db(samples: Samples) -> float:
    """Root mean square over all samples, in dB of full scale."""
    return _db(np.square(np.asarray(samples, np.float64)).mean(), 1.0)


def _db(power: float, against: float) -> float:
    return float(10 * np.log10((power + 1e-12) / (against + 1e-12)))
