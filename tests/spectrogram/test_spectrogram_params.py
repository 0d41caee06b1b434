"""Sizes that follow from the parameters, and the tags that carry them."""

import io

import numpy as np
import pytest
from PIL import Image

from lullwave import Audio, Spectrogram, SpectrogramParams
from lullwave.errors import InvalidInput
from lullwave.spectrogram import TAGS, default_params


def test_the_defaults_are_those_of_riffusion():
    params = SpectrogramParams()
    assert (params.hop_samples, params.window_samples, params.fft_samples) == (441, 4410, 17640)
    assert params.samples_of(512) == 511 * 441


@pytest.mark.parametrize("rate", [11025, 22050, 44100, 44101, 48000])
@pytest.mark.parametrize("durations", [(5, 100, 400), (10, 100, 400), (7, 111, 401), (29, 58, 58)])
def test_durations_are_cut_to_whole_samples_as_in_riffusion(rate, durations):
    step_ms, window_ms, padded_ms = durations
    params = SpectrogramParams(rate, step_ms=step_ms, window_ms=window_ms, padded_ms=padded_ms, bands=64, high_hz=5000)
    # riffusion/spectrogram_params.py: hop_length, win_length, n_fft
    hop = int(step_ms / 1000.0 * rate)
    assert (params.hop_samples, params.window_samples) == (hop, int(window_ms / 1000.0 * rate))
    assert params.fft_samples == int(padded_ms / 1000.0 * rate)
    assert params.samples_of(512) == 511 * hop


@pytest.mark.parametrize(
    "wrong", [{"high_hz": 30000}, {"low_hz": 10000}, {"step_ms": 60}, {"padded_ms": 50}, {"power": 0.0}, {"bands": 1}]
)
def test_values_that_contradict_one_another_are_refused(wrong):
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        SpectrogramParams(**wrong)


@pytest.mark.parametrize("format", ["png", "jpeg"])
def test_tags_survive_an_image_file(format):
    params = SpectrogramParams(rate=48000, stereo=True, bands=256, high_hz=16000, power=0.3, max_value=1.5e7)
    file = io.BytesIO()
    Image.new("RGB", (8, 256)).save(file, format, exif=params.to_exif())
    assert SpectrogramParams.from_exif(Image.open(file).getexif()) == params


def test_missing_tags_get_defaults():
    assert SpectrogramParams.from_exif({}) == SpectrogramParams()
    assert SpectrogramParams.from_exif({TAGS["max_value"]: 2e7}) == SpectrogramParams(max_value=2e7)
    assert SpectrogramParams.from_exif({TAGS["stereo"]: 1, TAGS["rate"]: (48000,)}) == SpectrogramParams(48000, True)


@pytest.mark.parametrize("raw", ["loud", float("nan"), (), b"\x00\xff"])
def test_a_tag_that_is_no_number_means_the_default(raw):
    assert SpectrogramParams.from_exif({TAGS["max_value"]: raw, TAGS["bands"]: raw}) == SpectrogramParams()


def test_a_tag_that_makes_no_sense_is_named():
    with pytest.raises(InvalidInput, match="max_value"):
        SpectrogramParams.from_exif({TAGS["max_value"]: -1})


@pytest.mark.parametrize(
    "greedy",
    [{"bands": 4096}, {"window_ms": 2000, "padded_ms": 8000, "bands": 512}, {"rate": 192_000, "padded_ms": 8000}],
)
def test_sizes_that_would_fill_the_memory_are_refused(greedy):
    with pytest.raises(InvalidInput, match="at most"):
        SpectrogramParams(**greedy)


def test_a_sound_keeps_its_rate_where_what_is_wanted_goes_with_it():
    low = Audio.silence(800, 8000, 1)
    assert default_params(low, high_hz=4000).rate == 8000
    assert default_params(low).rate == 44100
    with pytest.raises(InvalidInput, match="bands"):
        default_params(low, bands=1)


def test_a_damaged_block_of_tags_is_told_and_the_defaults_are_taken(tmp_path, caplog):
    image = Image.fromarray(np.full((512, 8), 200, np.uint8))
    image.save(tmp_path / "a.png", exif=b"Exif\0\0neither II nor MM")
    opened = Image.open(tmp_path / "a.png")
    assert Spectrogram.from_image(opened).params == SpectrogramParams(max_value=30e6)
    assert "tags cannot be read" in caplog.text
