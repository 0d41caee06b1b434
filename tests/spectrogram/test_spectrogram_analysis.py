"""Mel amplitudes against a dense double-precision oracle and on signals whose spectrum is known."""

import numpy as np
import pytest

from bench.converter.spectral_metrics import magnitudes, triangles
from bench.converter.spectral_metrics import mel as oracle
from lullwave import Audio, Spectrogram, SpectrogramParams
from lullwave.errors import InvalidInput
from lullwave.spectrogram import analyse
from lullwave.spectrogram.mel import edges_hz, filters, hz_to_mel, mel_to_hz

RATE = 44100


def tone(hz, seconds=1.0, level=0.5, rate=RATE):
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def test_analysis_agrees_with_double_precision():
    rng = np.random.default_rng(1)
    sound = (tone(440) + 0.1 * rng.standard_normal(RATE)).astype(np.float32)
    wanted = oracle(sound * 32768.0)
    made = Spectrogram.from_audio(Audio.of(sound, RATE)).mel[0]
    assert np.linalg.norm(made - wanted) < 1e-6 * np.linalg.norm(wanted)


def test_a_tone_lands_in_its_band():
    peaks = edges_hz(512, 0, 10000)[1:-1]
    for hz in (110.0, 1000.0, 7000.0):
        column = Spectrogram.from_audio(Audio.of(tone(hz), RATE)).mel[0, :, 50]
        assert abs(int(np.argmax(column)) - int(np.argmin(np.abs(peaks - hz)))) <= 1


def test_an_impulse_is_flat_and_in_its_place():
    sound = np.zeros(2 * RATE, np.float32)
    sound[RATE] = 1.0
    mel = Spectrogram.from_audio(Audio.of(sound, RATE)).mel[0]
    assert int(np.argmax(mel.sum(axis=0))) == 100
    # Every fine bin has magnitude 32768, the window's middle being 1; a band is the sum of its weights.
    weights = filters(np.arange(4001) * 2.5, 512, 0, 10000).toarray().sum(axis=1)
    assert np.allclose(mel[:, 100] / weights, 32768, rtol=1e-3)


@pytest.mark.parametrize("piece", [1000, 44100, 63210])
def test_in_pieces_equals_whole(piece):
    sound = np.random.default_rng(2).standard_normal((3 * RATE, 2)).astype(np.float32)
    params = SpectrogramParams(stereo=True)
    whole = Spectrogram.from_audio(Audio(sound, RATE), params).mel
    blocks = (Audio(sound[i : i + piece], RATE) for i in range(0, len(sound), piece))
    assert np.array_equal(np.concatenate(list(analyse(blocks, params)), axis=2), whole)


@pytest.mark.parametrize("frames", [1, 2, 440, 441, 2206])
def test_very_short_sound(frames):
    made = Spectrogram.from_audio(Audio.of(np.ones(frames, np.float32), RATE))
    assert made.columns == 1 + frames // 441
    assert np.isfinite(made.mel).all()


def test_no_sound_at_all_is_refused():
    with pytest.raises(InvalidInput, match="at least one sample"):
        Spectrogram.from_audio(Audio.silence(0, RATE))


@pytest.mark.parametrize(
    ("rate", "more"),
    [
        (44100, {"step_ms": 5}),
        (44100, {"step_ms": 7, "window_ms": 111, "padded_ms": 401}),
        (44100, {"step_ms": 3, "window_ms": 93, "padded_ms": 93}),
        (22050, {}),
        (11025, {"step_ms": 5, "high_hz": 5000}),
        (44101, {"step_ms": 13}),
        (48000, {"step_ms": 29, "high_hz": 20_000}),
    ],
)
def test_steps_that_are_no_whole_number_of_samples_give_the_old_converter_s_columns_and_scale(rate, more):
    """The oracle has the sizes of Riffusion's converter: durations cut to whole samples, at the sound's own rate."""
    params = SpectrogramParams(rate, **more)
    rng = np.random.default_rng(3)
    sound = (tone(440, 0.7, rate=rate) + 0.1 * rng.standard_normal(round(0.7 * rate))).astype(np.float32)
    made = Spectrogram.from_audio(Audio.of(sound, rate), params)
    hop, window, n_fft = (int(ms / 1000.0 * rate) for ms in (params.step_ms, params.window_ms, params.padded_ms))
    fine = magnitudes(sound * 32768.0, window, hop, n_fft)
    bank = triangles(np.arange(len(fine)) * rate / n_fft, params.bands, params.low_hz, params.high_hz)
    wanted = bank @ fine
    assert made.mel[0].shape == wanted.shape == (params.bands, 1 + len(sound) // hop)
    assert np.linalg.norm(made.mel[0] - wanted) < 2e-6 * np.linalg.norm(wanted)
    back = made.to_audio()
    assert (back.rate, back.frames) == (rate, len(sound) // hop * hop)
    assert abs(back.rms_dbfs - Audio.of(sound, rate).rms_dbfs) < 1.0
    again = Spectrogram.from_audio(back, params).mel
    assert np.linalg.norm(again - made.mel) < 0.25 * np.linalg.norm(made.mel)


def test_stereo_channels_stay_apart():
    sound = np.stack([tone(500), np.zeros(RATE, np.float32)], axis=1)
    mel = Spectrogram.from_audio(Audio(sound, RATE)).mel
    assert mel[0].max() > 0
    assert mel[1].max() == 0


def test_the_scale_is_its_own_inverse_and_filters_sum_to_one():
    hz = np.linspace(0, 10000, 100)
    assert np.allclose(mel_to_hz(hz_to_mel(hz)), hz)
    bank = filters(np.arange(4001) * 2.5, 512, 0, 10000).toarray()
    inside = slice(4, 3900)
    assert np.allclose(bank.sum(axis=0)[inside], 1.0)
    assert bank.max() <= 1.0


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(wrong):
    sound = tone(440).copy()
    sound[500] = wrong
    with pytest.raises(InvalidInput, match="finite samples"):
        Spectrogram.from_audio(Audio.of(sound, RATE))
