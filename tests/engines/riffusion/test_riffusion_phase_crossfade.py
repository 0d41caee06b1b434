"""Crossfades with matched phase: partials meet without a dip, both ends are kept, nothing clicks."""

import numpy as np
import pytest

pytest.importorskip("torch")

from lullwave.engines.riffusion.phase_crossfade import join_overlap

RATE = 44100
FRAMES = 48 * 441


def chord(phases, frequencies):
    t = np.arange(FRAMES) / RATE
    return sum(np.sin(2 * np.pi * f * t + p) for f, p in zip(frequencies, phases, strict=True)).astype(np.float32)


def lowest_level_db(sound, frequency):
    """The deepest dip of one partial below its median level."""
    t = np.arange(len(sound)) / RATE
    window = np.hanning(4096) / np.hanning(4096).sum()
    level = np.abs(np.convolve(sound * np.exp(-2j * np.pi * frequency * t), window, "valid"))
    return 20 * np.log10(level.min() / np.median(level))


@pytest.mark.parametrize("frequencies", [(440,), (65, 130, 196, 261, 329, 523, 784, 1234)])
def test_partials_keep_their_level_whatever_their_phases(frequencies):
    rng = np.random.default_rng(4)
    worst, plain = [], []
    fade = np.sin(np.linspace(0, np.pi / 2, FRAMES)) ** 2
    for _ in range(4):
        a, b = (chord(rng.uniform(0, 2 * np.pi, len(frequencies)), frequencies) for _ in range(2))
        mixed = join_overlap(a, b)
        worst += [lowest_level_db(mixed, f) for f in frequencies]
        plain += [lowest_level_db(a * (1 - fade) + b * fade, f) for f in frequencies]
        np.testing.assert_allclose(mixed[:20], a[:20], atol=1e-4)
        np.testing.assert_allclose(mixed[-20:], b[-20:], atol=1e-4)
    assert min(worst) > -3
    if len(frequencies) > 1:
        assert min(plain) < -10  # what a plain crossfade does


def test_equal_sides_stay_what_they_are():
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(FRAMES).astype(np.float32) * 0.1
    assert np.abs(join_overlap(noise, noise) - noise).max() < 1e-3


def test_noise_keeps_its_power():
    rng = np.random.default_rng(2)
    a, b = (rng.standard_normal(FRAMES).astype(np.float32) * 0.1 for _ in range(2))
    mixed = join_overlap(a, b)
    power = np.array([np.mean(part**2) for part in np.array_split(mixed, 8)])
    assert np.all(np.abs(10 * np.log10(power / 0.01)) < 2)


def test_short_overlaps_are_crossfaded_and_unequal_ones_refused():
    short = np.ones(1000, np.float32)
    np.testing.assert_allclose(join_overlap(short, short), short, atol=1e-6)
    with pytest.raises(ValueError, match="differ"):
        join_overlap(short, short[:-1])
