"""The estimators of the music report, on signals whose answer is known."""

import numpy as np
import pytest

from bench.embedded import estimators

RATE = 44100


def tone(hz: float, seconds: float = 2.0, level: float = 0.5) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return np.repeat((level * np.sin(2 * np.pi * hz * t))[:, None], 2, axis=1)


def test_a_step_in_a_tone_is_a_click_and_the_tone_is_not():
    clean = tone(220.0)
    assert estimators.clicks(clean, RATE) == []
    broken = clean.copy()
    broken[30000:] += 0.1
    found = estimators.clicks(broken, RATE)
    assert found
    assert all(abs(t - 30000 / RATE) < 0.001 for t in found)


def test_noise_has_no_clicks():
    noise = np.random.default_rng(1).normal(0, 0.1, (2 * RATE, 2))
    assert estimators.clicks(noise, RATE) == []


def test_gap_is_measured_to_the_frame():
    sound = tone(440.0)
    sound[20000:24410] = 0.0
    assert estimators.longest_gap_s(sound, RATE) == pytest.approx(4410 / RATE, abs=3 / RATE)


def test_roll_off_of_two_tones():
    both = tone(500.0, level=0.5) + tone(6000.0, level=0.05)  # the upper one has 1 % of the lower one's power
    assert estimators.roll_off_hz(both, RATE, 0.98) == pytest.approx(500, abs=20)
    assert estimators.roll_off_hz(both, RATE, 0.999) == pytest.approx(6000, abs=20)


def test_true_peak_between_samples():
    t = np.arange(RATE) / RATE
    between = np.sin(2 * np.pi * (RATE / 4) * t + np.pi / 4)[:, None]  # samples at ±0.707, peaks at 1
    assert np.max(np.abs(between)) < 0.7072
    # The ends of the array are steps, which overshoot: look at the middle.
    assert estimators.true_peak_dbtp(between * np.hanning(RATE)[:, None]) == pytest.approx(0.0, abs=0.1)


def test_loudness_of_the_reference_tone():
    pytest.importorskip("pyloudnorm")
    # BS.1770: a 997 Hz sine at 0 dBFS in one channel reads -3.01 LKFS; in both channels 0.
    assert estimators.loudness_lufs(tone(997.0, 5.0, 1.0), RATE) == pytest.approx(0.0, abs=0.1)


def test_opposite_channels_vanish_in_mono():
    pytest.importorskip("pyloudnorm")
    wide = tone(440.0)
    wide[:, 1] *= -1
    assert estimators.stereo_correlation(wide) == pytest.approx(-1.0)
    rng = np.random.default_rng(2)
    apart = rng.normal(0, 0.1, (3 * RATE, 2))
    assert estimators.mono_loss_lu(apart, RATE) == pytest.approx(3.0, abs=0.1)  # uncorrelated: half the power


def test_keys_that_share_their_notes_are_the_same():
    assert estimators.same_key("A minor", "C major")
    assert estimators.same_key("Bb major", "G minor")
    assert estimators.same_key("D dorian", "C major")
    assert not estimators.same_key("C minor", "C major")


def test_octave_errors_of_tempo_are_forgiven():
    assert estimators.tempo_error(160.0, 80.0) == pytest.approx(0.0)
    assert estimators.tempo_error(82.0, 80.0) == pytest.approx(0.025)


def test_tempo_of_clicks_and_key_of_a_cadence():
    pytest.importorskip("librosa")
    track = np.zeros((20 * RATE, 2))
    for beat in np.arange(0, 20, 60 / 84):
        at = round(beat * RATE)
        n = min(2000, len(track) - at)
        track[at : at + n] += (np.random.default_rng(3).normal(0, 0.3, n) * np.exp(-np.arange(n) / 300))[:, None]
    assert estimators.tempo_error(estimators.tempo_librosa(track, RATE), 84.0) < 0.02
    chords = [(48, 52, 55, 60), (53, 57, 60, 65), (55, 59, 62, 67), (48, 52, 55, 60)]
    cadence = np.concatenate([sum(tone(440 * 2 ** ((p - 69) / 12), 1.5, 0.1) for p in c) for c in chords])
    assert estimators.same_key(estimators.key_librosa(cadence, RATE), "C major")
