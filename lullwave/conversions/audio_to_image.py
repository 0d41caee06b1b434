"""Turns sound files into spectrogram images of any length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..audio import Audio
from ..blocks import Watch, resampled
from ..codecs import blocks_of, read_tags
from ..errors import InvalidInput
from ..spectrogram import default_params
from ..spectrogram.image import save
from ..storage.atomic_files import replacing

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
MAX_JPEG_COLUMNS = 65535  # the format's limit
# The fields of SpectrogramParams that a user chooses.
PARAMETERS = ("step_ms", "bands", "low_hz", "high_hz", "window_ms", "padded_ms", "power", "stereo")


def convert(
    source: Path, target: Path, params: dict[str, Any], bits: int, rate: int | None = None, watch: Watch = iter
) -> int:
    """Write the image of an audio file and return the number of its columns.

    ``watch`` sees every block of sound, twice.

    Raises:
        InvalidInput: the image's format, a parameter or the length is not allowed.
        CodecError: ``source`` is not audio or empty.
    """
    from ..spectrogram.long_images import image_of

    format = FORMATS.get(target.suffix.lower())
    if format is None:
        raise InvalidInput("image", str(target), "a name that ends in .png, .jpg or .jpeg")
    check_bits(bits, format)

    content = source.read_bytes() if source.is_fifo() else source  # the sound is read twice, a pipe only once

    def sound() -> Iterator[Audio]:
        return blocks_of(content) if rate is None else resampled(blocks_of(content), rate)

    made = image_of(lambda: watch(sound()), default_params(next(sound()), **{"stereo": False, **params}), bits)
    if format == "JPEG" and made.width > MAX_JPEG_COLUMNS:
        raise InvalidInput("image", str(target), f"a PNG for more than {MAX_JPEG_COLUMNS} columns (here {made.width})")
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as file:
        save(made, file, format, made.getexif(), read_tags(source))
    return int(made.width)


def check_bits(bits: int, format: str) -> None:
    """Check that an image format supports a bit depth.

    Raises:
        InvalidInput: it does not.
    """
    if bits not in (8, 16):
        raise InvalidInput("bits", bits, "8 or 16")
    if bits == 16 and format == "JPEG":
        raise InvalidInput("bits", bits, "8 for JPEG; 16 bits need a PNG")
