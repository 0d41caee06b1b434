"""The bench's figures on known answers."""

import numpy as np

from bench.converter import spectral_metrics as m

RATE = 44100


def noise(seed=0):
    return np.random.default_rng(seed).standard_normal(RATE)


def test_a_sound_is_perfectly_like_itself_at_any_gain():
    sound = noise()
    assert m.convergence(m.mel(0.3 * sound), m.mel(sound)) < 1e-9
    assert m.log_spectral_distance(0.3 * sound, sound) < 1e-6
    assert m.onset_correlation(0.3 * sound, sound) > 1 - 1e-9
    pixels = m.grey(m.mel(sound), m.mel(sound).max())
    assert m.image_error(m.mel(0.3 * sound), pixels, m.mel(sound).max()) < 0.05


def test_convergence_of_orthogonal_things_is_one():
    assert abs(m.convergence(np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]])) - 1) < 1e-12


def test_log_spectral_distance_of_a_constant_ratio_per_half():
    # One half of the frames 6.02 dB louder than the other, against all alike: the best gain lies between.
    sound = noise()
    louder = sound.copy()
    louder[RATE // 2 :] *= 2
    distance = m.log_spectral_distance(louder, sound)
    gain = (1 + 2) / (1 + 4)
    wanted = np.mean([abs(20 * np.log10(gain)), abs(20 * np.log10(2 * gain))])
    assert abs(distance - wanted) < 0.2


def test_below_the_floor_all_is_alike():
    sound = noise()
    sound[RATE // 2 :] *= 1e-6  # -120 dB
    other = sound.copy()
    other[RATE // 2 :] *= 1e-3
    assert m.log_spectral_distance(other, sound) < 0.5  # the frames between the halves
    assert m.log_spectral_distance(other, sound, 1e-10) > 20


def test_unrelated_rises_do_not_correlate():
    assert abs(m.onset_correlation(noise(1), noise(2))) < 0.1


def test_image_error_counts_grey_levels():
    wanted = np.full((4, 4), 100.0)
    wanted[0, 0] = 116.0
    amplitudes = ((255 - np.full((4, 4), 100.0)) / 255) ** 4
    assert abs(m.image_error(amplitudes, wanted, 1.0) - 1.0) < 1.0


def test_triangles_peak_at_their_middle():
    bank = m.triangles(np.linspace(0, 10000, 100_001), 40, 0, 10000)
    assert np.allclose(bank.max(axis=1), 1, atol=0.01)
    assert (bank > 0).any(axis=1).all()
