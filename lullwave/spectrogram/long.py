"""Images of sounds of any length and back: of the whole, only pixels are in memory; knows nothing of files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
from PIL import Image

from ..audio import Audio
from . import USUAL_MAX, Spectrogram, SpectrogramParams, analyse, synthesise
from .image import Canvas, is_rounded

PIECE = 4096  # columns that are amplitudes at once


def image_of(sound: Callable[[], Iterable[Audio]], params: SpectrogramParams, bits: int = 8) -> Image.Image:
    """The image, with its tags, of a sound that arrives in blocks, twice: first to learn its loudest amplitude."""
    loudest, columns = 0.0, 0
    for mel in analyse(sound(), params):
        loudest = max(loudest, float(mel.max()))
        columns += mel.shape[2]
    if params.max_value is None:
        params = replace(params, max_value=loudest or USUAL_MAX)
    canvas = Canvas(params, columns, bits)
    for mel in analyse(sound(), params):
        canvas.add(mel)
    return canvas.image()


def sound_of(image: Image.Image, params: SpectrogramParams, quality: str | int = "fast") -> Iterator[Audio]:
    """The sound of an image of any width, in blocks."""
    rounded = is_rounded(image)

    def pieces() -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        for left in range(0, image.width, PIECE):
            part = image.crop((left, 0, min(left + PIECE, image.width), image.height))
            yield Spectrogram.from_image(part, params, rounded).mel

    return synthesise(pieces(), params, quality)
