"""The limiter: never above the ceiling, smooth, and nothing at all below it."""

import numpy as np
import pytest
import soxr
from scipy.signal import butter, sosfilt

from lullwave.audio import Audio
from lullwave.mastering import true_peak_dbtp
from lullwave.mastering.biquads import QUANTUM
from lullwave.mastering.limiter import Limiter


def limited(samples: np.ndarray, ceiling_dbtp: float = -1.0, rate: int = 44100) -> np.ndarray:
    """The whole of ``samples``, its delay taken out."""
    limiter = Limiter(rate, samples.shape[1], ceiling_dbtp)
    total = -(-(len(samples) + limiter.delay_frames) // QUANTUM) * QUANTUM
    padded = np.zeros((total, samples.shape[1]), np.float32)
    padded[: len(samples)] = samples
    out = np.concatenate([limiter.process(padded[start : start + QUANTUM]) for start in range(0, total, QUANTUM)])
    return out[limiter.delay_frames :][: len(samples)]


def loud_music(seed: int, seconds: float = 5.0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    count = round(seconds * 44100)
    t = np.arange(count) / 44100
    bass = np.sin(2 * np.pi * 55 * t) * np.exp(-(t % 0.5) * 6)
    noise = chance.standard_normal((count, 2)) * np.exp(-(t % 0.25) * 40)[:, None]
    # Up to 18 kHz: at half the rate, what lies between the samples depends on the resampler that looks.
    return sosfilt(butter(12, 18000, fs=44100, output="sos"), 2.0 * bass[:, None] + 0.8 * noise, axis=0).astype("f4")


@pytest.mark.parametrize("ceiling", [-1.0, -3.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_true_peak_stays_under_the_ceiling_by_any_oversampler(seed, ceiling):
    out = limited(loud_music(seed), ceiling)
    oracle = 20 * np.log10(np.max(np.abs(soxr.resample(out, 44100, 4 * 44100, "VHQ"))))
    assert oracle <= ceiling
    assert true_peak_dbtp(Audio(out, 44100)) <= ceiling
    assert oracle > ceiling - 0.3, "and not needlessly far under it"


def test_full_scale_white_noise_and_steps_stay_under_it_too():
    noise = np.random.default_rng(1).uniform(-3, 3, (44100, 2)).astype(np.float32)
    assert true_peak_dbtp(Audio(limited(noise), 44100)) <= -1.0
    steps = np.repeat(np.sign(np.random.default_rng(2).standard_normal((441, 1))), 100, 0).astype(np.float32) * 4
    assert true_peak_dbtp(Audio(limited(steps), 44100)) <= -1.0


def test_what_is_under_the_ceiling_is_not_touched():
    quiet = (0.15 * loud_music(1)).astype(np.float32)
    assert np.max(np.abs(quiet)) < 0.7
    assert np.array_equal(limited(quiet), quiet)


def test_one_peak_moves_the_gain_smoothly_and_lets_it_go():
    t = np.arange(2 * 44100) / 44100
    wave = (0.5 * np.sin(2 * np.pi * 200 * t)).astype(np.float32)
    wave[44100 : 44100 + 441] *= 3
    out = limited(wave[:, None])[:, 0]
    heard = np.abs(wave) > 0.05
    gain_db = np.full(len(wave), np.nan)
    gain_db[heard] = 20 * np.log10(out[heard] / wave[heard])
    known = gain_db[heard]
    where = np.flatnonzero(heard)
    assert np.nanmin(known) == pytest.approx(20 * np.log10(0.891 / 1.5), abs=0.15)
    assert np.all(np.abs(known[where < 44100 - 300]) < 1e-4), "untouched until 5 ms before"
    assert np.all(np.abs(known[where > 44100 + 44100 * 0.9]) < 0.05), "let go within a second"
    steps_db = np.abs(np.diff(known)) / np.diff(where)
    assert np.max(steps_db) < 0.06, "dB from frame to frame: 4.5 dB over 5 ms is 0.02 on average"


def test_both_channels_get_the_same_gain():
    left = loud_music(1)[:, :1]
    out = limited(np.concatenate([left, 0.1 * left], 1))
    assert np.max(np.abs(out[:, 1] - 0.1 * out[:, 0])) < 1e-6


def test_its_state_continues_in_another():
    x = loud_music(4)[: 6 * QUANTUM]
    first = Limiter(44100, 2, -1.0)
    for start in range(0, 3 * QUANTUM, QUANTUM):
        first.process(x[start : start + QUANTUM])
    second = Limiter(44100, 2, -1.0)
    second.restore(first.arrays())
    for start in range(3 * QUANTUM, 6 * QUANTUM, QUANTUM):
        assert np.array_equal(first.process(x[start : start + QUANTUM]), second.process(x[start : start + QUANTUM]))
