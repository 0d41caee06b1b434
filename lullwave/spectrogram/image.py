"""Mel amplitudes as pixels and back, 8 bit for Riffusion and 16 bit without loss; knows nothing of sound.

Loud is black, low frequencies are at the bottom, one column is one step. Mono is grey in R, G and B; stereo has left
in green and right in blue. The 16-bit form is a grey PNG whose channels lie one above the other (left on top): its
tags carry every parameter and the amplitude of black, so that loudness survives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import InvalidInput
from .params import SpectrogramParams

Mel = npt.NDArray[np.float32]

HALF_STEP = 0.5  # other writers of 8-bit images cut the fraction off: what they meant lies, on average, half a level up
WIDEST = 65535  # columns of an image that others than we can be expected to read
SOFTWARE = 305  # the tag by which images of our own, which are rounded, are known
NAME = "lullwave"


def tags_of(params: SpectrogramParams) -> Image.Exif:
    """The parameters, and that the pixels are rounded."""
    exif = params.to_exif()
    exif[SOFTWARE] = NAME
    return exif


def is_rounded(image: Image.Image) -> bool:
    """Whether an image says that it is ours."""
    return bool(image.getexif().get(SOFTWARE) == NAME)


def to_pixels(mel: Mel, max_value: float, power: float, white: int) -> npt.NDArray[Any]:
    """(C, F, T) amplitudes as (C, F, T) whole numbers from 0, black, to ``white``; rounded."""
    level = np.maximum(mel, 0.0) * np.float32(1.0 / max_value) if max_value > 0.0 else np.zeros_like(mel)
    level **= power
    np.clip(level, 0.0, 1.0, out=level)
    level *= -white
    level += white + 0.5
    return level.astype(np.uint8 if white < 256 else np.uint16)


def from_pixels(pixels: npt.NDArray[Any], max_value: float, power: float, white: int, lower: float) -> Mel:
    """The amplitudes that pixels stand for; ``lower`` is taken off each level but silence (white)."""
    table = np.maximum(white - np.arange(white + 1) - lower, 0.0) / white
    return np.asarray((table ** (1.0 / power) * max_value).astype(np.float32)[pixels])


def to_image(mel: Mel, params: SpectrogramParams, bits: int) -> Image.Image:
    """An image with its tags. ``params.max_value`` must say what is black."""
    return assembled(shades(mel, params, bits), params)


def shades(mel: Mel, params: SpectrogramParams, bits: int) -> npt.NDArray[Any]:
    """(C, F, T) pixels, low frequencies last."""
    assert params.max_value is not None
    if bits not in (8, 16):
        raise InvalidInput("bits", bits, "8 (Riffusion's form) or 16 (without loss)")
    return to_pixels(mel, params.max_value, params.power, 255 if bits == 8 else 65535)[:, ::-1]


def assembled(pixels: npt.NDArray[Any], params: SpectrogramParams) -> Image.Image:
    """The image of (C, F, T) pixels, with its tags. Mono of more than ``WIDEST`` columns is grey in one channel."""
    if pixels.dtype == np.uint16:
        image = Image.fromarray(pixels.reshape(-1, pixels.shape[2]))
    elif params.stereo:
        image = Image.fromarray(np.stack([np.zeros_like(pixels[0]), pixels[0], pixels[1]], axis=-1))
    elif pixels.shape[2] > WIDEST:
        image = Image.fromarray(np.ascontiguousarray(pixels[0]))
    else:
        image = Image.fromarray(np.repeat(pixels[0][:, :, None], 3, axis=2))
    mark(image, params)
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
        pixels = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
        rows = params.bands * params.channels
        if pixels.shape[0] % params.channels:
            raise InvalidInput("image", image.size, f"a height of {rows}: {params.channels} channels above one another")
        planes = pixels.reshape(params.channels, -1, pixels.shape[1])
        white, lower = 65535, 0.0
    else:
        rgb = np.asarray(image.convert("RGB"))
        planes = np.stack([rgb[:, :, 1], rgb[:, :, 2]] if params.stereo else [rgb[:, :, 0]])
        white, lower = 255, 0.0 if rounded else HALF_STEP
    if planes.shape[1] < 1 or planes.shape[2] < 1:
        raise InvalidInput("image", image.size, "at least one pixel")
    mel = from_pixels(planes[:, ::-1], params.max_value, params.power, white, lower)
    return mel if mel.shape[1] == params.bands else _stretched(mel, params.bands)


def _stretched(mel: Mel, bands: int) -> Mel:
    """An image of another height: its rows are spread evenly over the bands, by straight lines."""
    at = (np.arange(bands) + 0.5) * mel.shape[1] / bands - 0.5
    at = np.clip(at, 0, mel.shape[1] - 1)
    below = np.floor(at).astype(int)
    above = np.minimum(below + 1, mel.shape[1] - 1)
    part = (at - below).astype(np.float32)[None, :, None]
    return np.asarray(mel[:, below] * (1 - part) + mel[:, above] * part)
