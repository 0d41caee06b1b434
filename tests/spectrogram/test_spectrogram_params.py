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


def test_a_rate_without_whole_steps_is_analysed_at_a_multiple():
    params = SpectrogramParams(rate=22050)
    assert params.analysis_rate == 44100
    assert params.hop_samples == 441
    assert params.samples_of(512) == round(511 * 220.5)


def test_a_rate_that_never_has_whole_steps_is_refused():
    with pytest.raises(InvalidInput, match="rate: got 44101"):
        SpectrogramParams(rate=44101)


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


@pytest.mark.parametrize(
    ("given", "culprit"),
    [
        ({"step_ms": 20, "window_ms": 50, "padded_ms": 51}, "padded_ms: got 51"),
        ({"window_ms": 101}, "window_ms: got 101"),
        ({"rate": 44101}, "rate: got 44101"),
    ],
)
def test_what_is_no_whole_number_of_samples_is_named(given, culprit):
    with pytest.raises(InvalidInput, match=culprit):
        SpectrogramParams(**given)


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
