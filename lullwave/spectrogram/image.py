"""Mel amplitudes as pixels and back, 8 bit for Riffusion and 16 bit without loss; image files with their tags.

Loud is black, low frequencies are at the bottom, one column is one step. Mono is grey in R, G and B; stereo has left
in green and right in blue. The 16-bit form is a grey PNG whose channels lie one above the other (left on top): its
tags carry every parameter and the amplitude of black, so that loudness survives. Images of 8 bit that are wider than
``WIDEST`` are grey in the same way, so that an hour is a third of its size in memory.
"""

from __future__ import annotations

import logging
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from ..codecs import Tags
from ..errors import CodecError, FileMissing, InvalidInput
from .params import SpectrogramParams

log = logging.getLogger(__name__)

Mel = npt.NDArray[np.float32]

HALF_STEP = 0.5  # levels: other writers truncate, so that the true value lies half a level higher on average
WIDEST = 65535  # columns; wider images cannot be read by most programs
MAX_PIXELS = 400_000_000  # of an image file: an hour of stereo in 16 bits has 369 million
MAX_BYTES = 300_000_000  # of pixels in memory that a file of any size may cost
MAX_RATIO = 20  # above that, times the file's size: spectrograms get 2 to 10 times smaller, and bombs 1000 times
BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # of a pixel in memory by its mode; 4 in others
MAX_ROWS = 8192  # two channels of 4096 bands
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")  # of image files; Pillow hands some others to other programs
SOFTWARE = 305  # tag that marks our own images, whose levels are rounded
NAME = "lullwave"
JPEG_QUALITY = 95
TEXT_KEYWORDS = {"title": "Title", "artist": "Author", "comment": "Comment"}  # of PNG (PNG specification, 11.3.3.2)

NO_TAGS = Tags()


def open_image(path: Path) -> Image.Image:
    """The image in a file, decoded after its stated size was checked.

    Raises:
        CodecError: the file does not exist, cannot be read, is not an image, is damaged or cut off.
        InvalidInput: it states more pixels than ``MAX_PIXELS``, more rows than ``MAX_ROWS``, or needs more memory than
            ``MAX_BYTES`` though the file is small.
    """
    Image.MAX_IMAGE_PIXELS = None  # an hour of sound is more than Pillow allows; the check is here
    try:
        picture = Image.open(path, formats=FORMATS)
        if picture.width * picture.height > MAX_PIXELS or picture.height > MAX_ROWS:
            raise InvalidInput(
                "image", f"{picture.width} x {picture.height}", f"at most {MAX_PIXELS} pixels and {MAX_ROWS} rows"
            )
        _check_memory(picture, path.stat().st_size)
        picture.load()
    except UnidentifiedImageError:
        raise CodecError(f"cannot read {str(path)!r}: it is not an image ({', '.join(FORMATS)})") from None
    except FileNotFoundError:
        raise FileMissing(f"cannot read {str(path)!r}: there is no such file") from None
    except OSError as error:
        reason = error.strerror or f"the image is damaged or cut off ({error})"  # Pillow's own errors have no strerror
        raise CodecError(f"cannot read {str(path)!r}: {reason}") from error
    except (SyntaxError, ValueError, EOFError, struct.error) as error:  # InvalidInput is a ValueError
        if isinstance(error, InvalidInput):
            raise
        raise CodecError(f"cannot read {str(path)!r}: the image is damaged ({error})") from error
    return picture


def _check_memory(picture: Image.Image, file_bytes: int) -> None:
    needed = picture.width * picture.height * BYTES.get(picture.mode, 4)
    if needed > MAX_BYTES and needed > MAX_RATIO * file_bytes:
        raise InvalidInput(
            "image",
            f"{picture.width} x {picture.height} ({needed // 10**6} MB once unpacked) in {file_bytes} bytes",
            f"{MAX_BYTES // 10**6} MB, or {MAX_RATIO} times the file",
        )


def save(image: Image.Image, file: BinaryIO, format: str, exif: Image.Exif | None = None, tags: Tags = NO_TAGS) -> None:
    """Write a PNG or JPEG (``format``) with its parameters (``exif``) and what the sound is (``tags``).

    A PNG holds all tags as text, a JPEG only the comment.
    """
    options: dict[str, Any] = {} if exif is None else {"exif": exif}
    if format == "JPEG":
        options |= {"quality": JPEG_QUALITY, "subsampling": 0}
        if tags.comment:
            options["comment"] = tags.comment.encode()
    else:
        options["pnginfo"] = text = PngInfo()
        for name, keyword in TEXT_KEYWORDS.items():
            if said := getattr(tags, name):
                text.add_text(keyword, said)
    image.save(file, format, **options)


def sound_tags(image: Image.Image, path: Path) -> Tags:
    """What the sound of an image from the file ``path`` is; the file's name is the title if the image has none."""
    found = {}
    for name, keyword in TEXT_KEYWORDS.items():
        said = image.info.get(keyword, image.info.get(keyword.lower(), ""))
        said = said.decode(errors="replace") if isinstance(said, bytes) else said
        if isinstance(said, str):
            found[name] = str(said)
    return Tags(**found).titled(path.stem)


def tags_of(params: SpectrogramParams) -> Image.Exif:
    """Tags with the parameters and the mark that levels are rounded."""
    exif = params.to_exif()
    exif[SOFTWARE] = NAME
    return exif


def tags_in(image: Image.Image) -> Image.Exif:
    """The tags of an image; empty, with a warning, if their block is damaged."""
    try:
        return image.getexif()
    except (SyntaxError, ValueError, struct.error, KeyError) as error:  # what Pillow raises for one
        log.warning("the image's tags cannot be read (%s): using the defaults", error)
        image.info.pop("exif", None)
        return Image.Exif()


def is_rounded(image: Image.Image) -> bool:
    """Whether an image's tags mark it as ours, with rounded levels."""
    return bool(tags_in(image).get(SOFTWARE) == NAME)


def to_pixels(mel: Mel, max_value: float, power: float, white: int) -> npt.NDArray[Any]:
    """Amplitudes of any shape as rounded levels from 0 (black, loud) to ``white`` (silence)."""
    level = np.maximum(mel, 0.0) * np.float32(1.0 / max_value) if max_value > 0.0 else np.zeros_like(mel)
    level **= power
    np.clip(level, 0.0, 1.0, out=level)
    level *= -white
    level += white + 0.5
    return level.astype(np.uint8 if white < 256 else np.uint16)


def from_pixels(pixels: npt.NDArray[Any], max_value: float, power: float, white: int, lower: float) -> Mel:
    """Amplitudes of pixels; ``lower`` is subtracted from each level except silence (white)."""
    table = np.maximum(white - np.arange(white + 1) - lower, 0.0) / white
    return np.asarray((table ** (1.0 / power) * max_value).astype(np.float32)[pixels])


def to_image(mel: Mel, params: SpectrogramParams, bits: int) -> Image.Image:
    """An image with its tags. ``params.max_value`` must be set."""
    canvas = Canvas(params, mel.shape[2], bits)
    canvas.add(mel)
    return canvas.image()


class Canvas:
    """The pixels of an image of known width, filled from left to right; each pixel is in memory once."""

    def __init__(self, params: SpectrogramParams, columns: int, bits: int) -> None:
        if bits not in (8, 16):
            raise InvalidInput("bits", bits, "8 (Riffusion's form) or 16 (without loss)")
        self._params = params
        self._grey = bits == 16 or columns > WIDEST
        self._white = 255 if bits == 8 else 65535
        shape = (params.channels * params.bands, columns) if self._grey else (params.bands, columns, 3)
        self._pixels = np.zeros(shape, np.uint8 if bits == 8 else np.uint16)
        self._filled = 0

    def add(self, mel: Mel) -> None:
        """Append columns (C, F, T'), low frequencies first."""
        params = self._params
        assert params.max_value is not None
        columns = slice(self._filled, self._filled + mel.shape[2])
        self._filled = columns.stop
        for channel, plane in enumerate(mel):
            shades = to_pixels(plane, params.max_value, params.power, self._white)[::-1]
            if self._grey:
                self._pixels[channel * params.bands : (channel + 1) * params.bands, columns] = shades
            elif params.stereo:
                self._pixels[:, columns, 1 + channel] = shades
            else:
                self._pixels[:, columns] = shades[:, :, None]

    def image(self) -> Image.Image:
        """The image, with its tags; grey ones share their memory with the canvas."""
        assert self._filled == self._pixels.shape[1]
        image = Image.fromarray(self._pixels)
        mark(image, self._params)
        return image


def mark(image: Image.Image, params: SpectrogramParams) -> None:
    """Put the tags on an image."""
    exif = image.getexif()
    for tag, value in tags_of(params).items():
        exif[tag] = value


def from_image(image: Image.Image, params: SpectrogramParams, rounded: bool) -> Mel:
    """(C, F, T) amplitudes of an image of any mode and size."""
    assert params.max_value is not None
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        planes = _above_one_another(np.clip(np.asarray(image), 0, 65535).astype(np.uint16), params)
        white, lower = 65535, 0.0
    elif image.mode == "L" and params.stereo and image.height == 2 * params.bands:
        planes = _above_one_another(np.asarray(image), params)
        white, lower = 255, 0.0 if rounded else HALF_STEP
    else:
        rgb = np.asarray(_on_white(image).convert("RGB"))
        planes = np.stack([rgb[:, :, 1], rgb[:, :, 2]] if params.stereo else [rgb[:, :, 0]])
        white, lower = 255, 0.0 if rounded else HALF_STEP
    if planes.shape[1] < 1 or planes.shape[2] < 1:
        raise InvalidInput("image", image.size, "at least one pixel")
    mel = from_pixels(planes[:, ::-1], params.max_value, params.power, white, lower)
    return mel if mel.shape[1] == params.bands else _stretched(mel, params.bands)


def _on_white(image: Image.Image) -> Image.Image:
    """What is transparent is silence."""
    if not image.has_transparency_data:
        return image
    drawn = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), drawn)


def _above_one_another(pixels: npt.NDArray[Any], params: SpectrogramParams) -> npt.NDArray[Any]:
    """(C, F, T) of a grey image that has its channels one above the other."""
    if pixels.shape[0] % params.channels:
        rows = params.bands * params.channels
        size = pixels.shape[::-1]
        raise InvalidInput("image", size, f"a height of {rows}: {params.channels} channels above one another")
    return pixels.reshape(params.channels, -1, pixels.shape[1])


def _stretched(mel: Mel, bands: int) -> Mel:
    """An image of another height: its rows are spread evenly over the bands, by straight lines."""
    at = (np.arange(bands) + 0.5) * mel.shape[1] / bands - 0.5
    at = np.clip(at, 0, mel.shape[1] - 1)
    below = np.floor(at).astype(int)
    above = np.minimum(below + 1, mel.shape[1] - 1)
    part = (at - below).astype(np.float32)[None, :, None]
    return np.asarray(mel[:, below] * (1 - part) + mel[:, above] * part)
