"""True peak: what lies between the samples."""

import numpy as np
import pytest
import soxr

from lullwave.audio import Audio
from lullwave.mastering import true_peak_dbtp
from lullwave.mastering.peaks import peaks_of


def test_a_quarter_rate_sine_caught_off_its_peaks_reads_its_true_height():
    """Samples of sin at 45° reach 0.707 of the wave's height: 3.01 dB are between them."""
    wave = np.sin(2 * np.pi * np.arange(4800) / 4 + np.pi / 4)
    audio = Audio.of(wave, 48000).fade(0.02, 0.02)
    assert audio.peak_dbfs == pytest.approx(-3.01, abs=0.01)
    assert true_peak_dbtp(audio) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("hz", [50.0, 997.0, 5000.0, 12000.0, 18000.0])
@pytest.mark.parametrize("phase", [0.0, 1.0, 2.0])
def test_a_sine_of_any_pitch_reads_its_height(hz, phase):
    audio = Audio.of(0.5 * np.sin(2 * np.pi * hz * np.arange(48000) / 48000 + phase), 48000).fade(0.05, 0.05)
    # Between the points of fourfold oversampling there may be a little more: 0.69 dB at worst, at half the rate.
    assert -6.02 - 0.45 * (hz / 20000) ** 2 - 0.02 < true_peak_dbtp(audio) < -6.02 + 0.05


def test_noise_reads_as_by_a_long_resampler():
    noise = np.random.default_rng(5).standard_normal((44100, 2))
    audio = Audio.of(0.1 * (noise + np.roll(noise, 1, 0)), 44100)
    oracle = 20 * np.log10(np.max(np.abs(soxr.resample(audio.samples, 44100, 4 * 44100, "VHQ"))))
    assert true_peak_dbtp(audio) == pytest.approx(oracle, abs=0.1)


@pytest.mark.parametrize("frames", [1, 15, 16, 17, 65535, 65536, 65553])
def test_the_last_frame_counts_whatever_the_length(frames):
    samples = np.zeros((frames, 2), np.float32)
    samples[-1, 1] = 0.5
    assert true_peak_dbtp(Audio(samples, 44100)) == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize("loudest", [0.3, 0.5, 1.2])
def test_peaks_that_matter_are_found_where_only_those_are_sought(loudest):
    swell = np.concatenate([np.linspace(0, loudest, 1100), np.linspace(loudest, 0, 971)])
    samples = (np.random.default_rng(6).uniform(-1, 1, (2071, 2)) * swell[:, None]).astype(np.float32)
    every, mattering = peaks_of(samples), peaks_of(samples, 0.6)
    assert np.allclose(np.maximum(every, 0.6), np.maximum(mattering, 0.6), atol=1e-6)


def test_silence():
    assert true_peak_dbtp(Audio.silence(1000, 44100)) == -120.0
    assert true_peak_dbtp(Audio.silence(0, 44100)) == -120.0
