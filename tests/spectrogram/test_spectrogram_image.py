"""Pixels: Riffusion's 8-bit form to the letter, the 16-bit form without loss, images of every mode and size."""

import io
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from lullwave import Spectrogram, SpectrogramParams
from lullwave.errors import CodecError, InvalidInput
from lullwave.spectrogram import long_images as long
from lullwave.spectrogram.image import Canvas, open_image

PARAMS = SpectrogramParams(max_value=30e6)


def spectrogram(channels=1, columns=40):
    rng = np.random.default_rng(5)
    mel = (30e6 * rng.random((channels, 512, columns)) ** 4).astype(np.float32)
    return Spectrogram(mel, SpectrogramParams(stereo=channels == 2, max_value=30e6))


def test_loud_is_black_and_low_is_at_the_bottom():
    mel = np.zeros((1, 512, 3), np.float32)
    mel[0, 0, 1] = 30e6
    pixels = np.asarray(Spectrogram(mel, PARAMS).to_image())
    assert pixels.shape == (512, 3, 3)
    assert pixels[511, 1].tolist() == [0, 0, 0]
    assert pixels.sum() == 255 * 3 * (512 * 3 - 1)


def test_pixels_are_rounded():
    level = np.array([10.4, 10.6, 200.4, 200.6])
    mel = (((255 - level) / 255) ** 4 * 30e6).astype(np.float32)
    shown = np.asarray(Spectrogram(np.repeat(mel[None, None], 512, 1), PARAMS).to_image())[0, :, 0]
    assert shown.tolist() == [10, 11, 200, 201]


def test_stereo_is_left_in_green_and_right_in_blue():
    mel = np.zeros((2, 512, 2), np.float32)
    mel[0] = 30e6
    pixels = np.asarray(Spectrogram(mel, SpectrogramParams(stereo=True, max_value=30e6)).to_image())
    assert pixels[0, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize("channels", [1, 2])
def test_8_bits_and_back_is_within_a_grey_level(channels):
    made = spectrogram(channels)
    again = Spectrogram.from_image(made.to_image())
    levels = [(one.mel / 30e6) ** 0.25 * 255 for one in (made, again)]
    assert np.abs(levels[0] - levels[1]).max() <= 1.001


@pytest.mark.parametrize("channels", [1, 2])
def test_16_bits_through_a_file_lose_nothing_to_hear(channels):
    made = spectrogram(channels)
    file = io.BytesIO()
    made.to_image(16).save(file, "png", exif=made.exif())
    again = Spectrogram.from_image(Image.open(file))
    assert again.params == made.params
    assert np.linalg.norm(again.mel - made.mel) < 1e-4 * np.linalg.norm(made.mel)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_is_read(mode):
    grey = spectrogram().to_image().convert("L")
    image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    wanted = Spectrogram.from_image(grey, PARAMS).mel
    found = Spectrogram.from_image(image, PARAMS).mel
    assert np.linalg.norm(found - wanted) < 0.05 * np.linalg.norm(wanted)


def test_other_heights_are_spread_over_the_bands():
    made = Spectrogram.from_image(spectrogram().to_image().resize((40, 256)), PARAMS)
    assert made.mel.shape == (1, 512, 40)


def test_black_is_the_loudest_unless_it_is_given():
    quiet = Spectrogram(np.full((1, 512, 2), 5.0, np.float32), SpectrogramParams())
    assert np.asarray(quiet.to_image()).max() == 0
    assert quiet.exif()[11080] == 5.0
    silent = Spectrogram(np.zeros((1, 512, 2), np.float32), SpectrogramParams())
    assert np.asarray(silent.to_image()).min() == 255


def test_white_is_silence():
    image = Image.new("RGB", (5, 512), "white")
    assert not Spectrogram.from_image(image).mel.any()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_image_in_parts_is_that_of_the_whole(channels, bits):
    made = spectrogram(channels)
    canvas = Canvas(made.params, made.columns, bits)
    for begin in (0, 7, 30):
        canvas.add(made.mel[:, :, begin : {0: 7, 7: 30, 30: 40}[begin]])
    assert np.array_equal(np.asarray(canvas.image()), np.asarray(made.to_image(bits)))


@pytest.mark.parametrize("channels", [1, 2])
def test_a_very_wide_image_is_grey_and_read_as_what_it_is(channels, monkeypatch):
    made = spectrogram(channels)
    usual = Spectrogram.from_image(made.to_image())
    monkeypatch.setattr("lullwave.spectrogram.image.WIDEST", 39)
    wide = made.to_image()
    assert (wide.mode, wide.size) == ("L", (40, 512 * channels))
    assert np.array_equal(Spectrogram.from_image(wide).mel, usual.mel)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "I;16"])
def test_a_large_image_sounds_the_same_from_disk(mode, monkeypatch):
    monkeypatch.setattr(long, "LARGE", 100)
    monkeypatch.setattr(long, "PIECE", 17)
    grey = spectrogram().to_image().convert("L")
    image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    kept, spent = (list(long.sound_of(image, PARAMS, 0, last_use)) for last_use in (False, True))
    assert np.array_equal(kept[0].samples, spent[0].samples)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_silent(mode):
    clear = Image.new("RGBA", (5, 512), (0, 0, 0, 0)).convert(mode)
    assert not Spectrogram.from_image(clear).mel.any()


def test_what_is_transparent_stays_so_in_the_pieces_of_a_long_image():
    image = Image.fromarray(np.arange(40, dtype=np.uint8).reshape(4, 10) % 3).convert("P")
    image.putpalette([0, 0, 0, 90, 90, 90, 200, 200, 200])
    image.info["transparency"] = 1
    whole = np.asarray(image.convert("RGBA"))
    pieces = [np.asarray(piece.convert("RGBA")) for piece in long._from_disk(image.copy())]
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)
    assert (whole[..., 3] == 0).any()


def png_stating(width: int, height: int) -> bytes:
    """A PNG of a few bytes that states a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(60_000, 60_000), (100, 8193), (2**31 - 1, 1), (400_001, 1000)])
def test_an_image_that_states_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, size):
    (tmp_path / "bomb.png").write_bytes(png_stating(*size))
    tracemalloc.start()
    with pytest.raises(InvalidInput, match=f"{size[0]} x {size[1]}"):
        open_image(tmp_path / "bomb.png")
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("size", "bits", "colour"), [((48_000, 8192), 16, 0), ((48_000, 8192), 8, 6), ((40_000, 2000), 8, 2)]
)
def test_an_image_that_unpacks_to_far_more_than_its_file_is_refused(tmp_path, size, bits, colour):
    data = bytearray(png_stating(*size))
    data[24:26] = bits, colour
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(data)
    with pytest.raises(InvalidInput, match=r"MB once unpacked.*allowed: 300 MB, or 20 times the file"):
        open_image(bomb)
    if size[1] == 2000:  # a file of 20 MB may hold as much; this one holds nothing
        os.truncate(bomb, 20_000_000)
        with pytest.raises(CodecError, match="damaged or cut off"):
            open_image(bomb)


def test_files_that_are_no_image_or_a_damaged_one_are_told(tmp_path):
    good = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (512, 64), np.uint8)).save(good, "PNG")
    whole = good.getvalue()
    files = {
        "empty": b"",
        "text": b"no image at all",
        "head": whole[:20],
        "cut": whole[: len(whole) // 2],
        "zero": png_stating(0, 0),
        "short": png_stating(200, 200),
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CodecError, match="cannot read"):
            open_image(tmp_path / name)
