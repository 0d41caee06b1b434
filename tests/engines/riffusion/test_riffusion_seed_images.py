"""Seed images: what is packaged loops on the beat, names are never paths, uploads are checked and encoded anew."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lullwave.engines.riffusion.seed_images import PACKAGED, SeedImages
from lullwave.errors import InvalidInput, NotFound

SEEDS = ("og_beat", "agile", "marim", "motorway", "vibes")
MASKS = (
    "mask_beat_lines_80",
    "mask_gradient_dark",
    "mask_gradient_top_70",
    "mask_gradient_top_fifth_75",
    "mask_top_third_75",
    "mask_top_third_95",
)


def grey(name):
    return np.asarray(SeedImages()(name).convert("L")).astype(float)


def test_every_known_name_is_there_and_small():
    listed = {image.name: image for image in SeedImages().list()}
    assert set(listed) == {*SEEDS, *MASKS}
    assert all((image.width, image.height) == (512, 512) for image in listed.values())
    assert all(image.kind == ("mask" if image.name in MASKS else "seed") for image in listed.values())
    assert all((listed[name].tempo_bpm, listed[name].beats) == (93.75, 8) for name in SEEDS)
    assert all(path.stat().st_size < 300_000 for path in PACKAGED.iterdir())


@pytest.mark.parametrize("name", SEEDS)
def test_the_end_of_a_seed_image_meets_its_start(name):
    image = grey(name)
    steps = np.abs(np.diff(image, axis=1)).mean(0)
    seam = np.abs(image[:, 0] - image[:, -1]).mean()
    assert seam <= steps.max()  # no more than an onset
    assert 0 < image.min() < 60  # it uses the range, and nothing is clipped
    assert image.std() > 20


@pytest.mark.parametrize("name", ["og_beat", "motorway"])
def test_beats_fall_on_the_grid_that_the_tags_say(name):
    """The rise of level, folded on the length of half a beat, is largest where half beats begin."""
    loudness = (255 - grey(name)).mean(0)
    rise = np.maximum(0, np.diff(loudness, prepend=loudness[-1]))
    folded = rise[: 16 * 32].reshape(16, 32).sum(0)
    window = 8 + 1  # a Hann window of 100 ms smears an onset over some columns
    near = folded[(np.arange(-window, window + 1)) % 32].sum()
    assert near / folded.sum() > 0.65


def test_masks_have_the_greys_that_their_names_say():
    assert set(np.unique(grey("mask_top_third_75"))) == {192, 255}
    assert set(np.unique(grey("mask_top_third_95"))) == {242, 255}
    assert set(np.unique(grey("mask_beat_lines_80"))) == {203, 255}
    for name, low in (("mask_gradient_top_70", 165), ("mask_gradient_dark", 32)):
        image = grey(name)
        assert (image[0].max(), image[-1].min()) == (low, 255)
        assert (np.diff(image, axis=0) >= 0).all()
    assert (grey("mask_gradient_top_fifth_75")[103:] == 255).all()


@given(st.text(max_size=30))
def test_no_name_is_ever_a_path(name):
    try:
        SeedImages(PACKAGED.parent)(name)
    except (InvalidInput, NotFound):
        return
    assert name in {*SEEDS, *MASKS}


@pytest.mark.parametrize("name", ["../seeds", "/etc/passwd", "a/b", "a\\b", "..", ".hidden", "", "a\0b", "x" * 101])
def test_paths_are_refused(name, tmp_path):
    with pytest.raises(InvalidInput):
        SeedImages(tmp_path)(name)
    with pytest.raises(InvalidInput):
        SeedImages(tmp_path).add(name, b"")


def png(width, height, **options):
    data = io.BytesIO()
    Image.new("RGB", (width, height), (9, 9, 9)).save(data, "PNG", **options)
    return data.getvalue()


def test_own_images_go_before_packaged_ones_and_the_checkpoint_s_come_last(tmp_path):
    own, checkpoint = tmp_path / "own", tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "og_beat.png").write_bytes(png(64, 64))
    (checkpoint / "theirs.png").write_bytes(png(96, 64))
    images = SeedImages(own, checkpoint)
    assert images("og_beat").size == (512, 512)
    assert images("theirs").size == (96, 64)
    assert images.add("og_beat", png(128, 64)).source == "yours"
    assert images("og_beat").size == (128, 64)
    assert images("og_beat") is images("og_beat")


def test_uploads_that_are_no_images_or_too_large_are_refused(tmp_path):
    images = SeedImages(tmp_path)
    for data in (b"", b"GIF89a", png(32, 64), png(64, 64)[:60], png(4000, 4000), b"\x89PNG\r\n\x1a\n" + bytes(100)):
        with pytest.raises(InvalidInput) as refused:
            images.add("x", data)
        assert "object at" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
