"""The value type for sound: shapes, levels, fades, joins, conversion."""

import numpy as np
import pytest

from lullwave.audio import Audio, concat, crossfade
from lullwave.errors import InvalidInput

RATE = 8000


def tone(frames: int = RATE, hz: float = 440.0, channels: int = 2) -> Audio:
    return Audio.of(np.repeat(0.5 * np.sin(2 * np.pi * hz * np.arange(frames) / RATE)[:, None], channels, 1), RATE)


def test_what_is_no_audio_is_refused():
    for samples in (np.zeros(4, np.float32), np.zeros((4, 2)), np.zeros((4, 0), np.float32), [[0.0]]):
        with pytest.raises(InvalidInput):
            Audio(samples, RATE)
    with pytest.raises(InvalidInput, match="rate"):
        Audio(np.zeros((4, 2), np.float32), 0)
    with pytest.raises(InvalidInput):
        Audio.of(np.zeros(4, complex), RATE)


def test_of_spreads_mono_and_scales_integers_by_their_full_range():
    audio = Audio.of(np.array([-32768, 0, 16384], np.int16), RATE)
    assert (audio.frames, audio.channels) == (3, 1)
    assert audio.samples[:, 0].tolist() == [-1.0, 0.0, 0.5]


def test_int16_rounds_to_nearest_and_clips_at_full_scale():
    audio = Audio.of([-2.0, -1.0, 0.0, 1.6 / 32768, 1.0, 2.0], RATE)
    assert audio.to_int16()[:, 0].tolist() == [-32768, -32768, 0, 2, 32767, 32767]


def test_int16_there_and_back_is_the_same():
    codes = np.arange(-32768, 32768, dtype=np.int16)
    assert np.array_equal(Audio.of(codes, RATE).to_int16()[:, 0], codes)


def test_levels_of_a_sine_are_known():
    audio = tone()
    assert audio.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert audio.rms_dbfs == pytest.approx(-9.03, abs=0.01)
    assert audio.gain(-6.0).rms_dbfs == pytest.approx(audio.rms_dbfs - 6.0, abs=1e-4)
    assert Audio.silence(10, RATE).peak_dbfs == Audio.silence(0, RATE).rms_dbfs == -120.0


def test_fades_reach_silence_at_the_ends_alone():
    faded = Audio.of(np.ones(RATE), RATE).fade(0.1, 0.2).samples[:, 0]
    assert faded[0] < 1e-4
    assert faded[-1] < 1e-4
    assert np.all(faded[800 : RATE - 1600] == 1.0)
    assert np.all(np.diff(faded[:800]) > 0)
    assert np.all(np.diff(faded[-1600:]) < 0)


def test_fades_longer_than_the_audio_are_as_long_as_it():
    assert tone(100).fade(9.0, 9.0).frames == 100


def test_a_fade_of_no_possible_length_is_refused():
    for length_s in (-0.1, float("nan"), float("inf")):
        with pytest.raises(InvalidInput, match="out_s"):
            Audio.silence(10, 100).fade(out_s=length_s)


def test_an_equal_power_crossfade_keeps_the_power_of_noise():
    chance = np.random.default_rng(1)
    first, second = (Audio.of(0.3 * chance.standard_normal((4 * RATE, 1)), RATE) for _ in range(2))
    joined = crossfade(first, second, 2.0)
    assert joined.frames == first.frames + second.frames - 2 * RATE
    middle = joined[2 * RATE : 4 * RATE]
    assert middle.rms_dbfs == pytest.approx(first.rms_dbfs, abs=0.2)
    assert np.array_equal(joined.samples[: 2 * RATE], first.samples[: 2 * RATE])
    assert np.array_equal(joined.samples[4 * RATE :], second.samples[2 * RATE :])


def test_a_crossfade_of_no_length_is_a_cut():
    first, second = tone(10), tone(20)
    assert np.array_equal(crossfade(first, second, 0.0).samples, concat([first, second]).samples)


def test_joins_refuse_what_differs_in_shape():
    for other in (tone(10, channels=1), Audio(tone(10).samples, 16000)):
        with pytest.raises(InvalidInput, match="8000 Hz, 2 channels"):
            concat([tone(10), other])
    with pytest.raises(InvalidInput):
        concat([])


def test_channels_spread_and_mix():
    mono = tone(channels=1)
    assert np.array_equal(mono.to_channels(2).to_channels(1).samples, mono.samples)
    left = Audio.of(np.stack([np.ones(4), np.zeros(4)], 1), RATE)
    assert left.to_channels(1).samples[:, 0].tolist() == [0.5] * 4
    with pytest.raises(InvalidInput):
        left.to_channels(3)


def test_resampling_keeps_a_tone_and_its_length():
    up = tone(hz=500.0).resample(48000)
    expected = 0.5 * np.sin(2 * np.pi * 500.0 * np.arange(up.frames) / 48000)
    assert up.frames == 48000
    assert np.max(np.abs(up.samples[2000:-2000, 0] - expected[2000:-2000])) < 1e-3
    same = tone()
    assert same.resample(RATE) is same
    with pytest.raises(InvalidInput):
        tone().resample(0)
