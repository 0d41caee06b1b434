"""Images of sounds of any length, and back, block by block: only pixels are in memory as a whole."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from PIL import Image

from ..audio import Audio
from . import USUAL_MAX, Spectrogram, SpectrogramParams, analyse, synthesise
from .image import Canvas, is_rounded

PIECE = 512  # columns that are converted at a time: who stops waits for one piece
PIECE_PIXELS = 4_000_000  # at most, of higher images
LARGE = 50_000_000  # pixels from which an image waits on disk


def image_of(sound: Callable[[], Iterable[Audio]], params: SpectrogramParams, bits: int = 8) -> Image.Image:
    """The image, with tags, of a sound in blocks. ``sound`` is called twice: first to find the loudest amplitude."""
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


def sound_of(
    image: Image.Image, params: SpectrogramParams, quality: str | int = "fast", last_use: bool = False
) -> Iterator[Audio]:
    """The sound of an image of any width, in blocks.

    With ``last_use`` a large image is moved to a temporary file and closed, to free its memory.
    """
    rounded = is_rounded(image)
    if last_use and image.width * image.height > LARGE:
        pieces = _from_disk(image)
    else:
        pieces = (_piece(image, left) for left in range(0, image.width, _columns(image)))
    return synthesise((Spectrogram.from_image(piece, params, rounded).mel for piece in pieces), params, quality)


def _piece(image: Image.Image, left: int) -> Image.Image:
    return image.crop((left, 0, min(left + _columns(image), image.width), image.height))


def _columns(image: Image.Image) -> int:
    """How many columns a piece has."""
    return max(1, min(PIECE, PIECE_PIXELS // image.height))


def _from_disk(image: Image.Image) -> Iterator[Image.Image]:
    """Write an image to a temporary file in pieces, close it, and yield the pieces."""
    mode, palette, clear, sizes = image.mode, image.getpalette(), image.info.get("transparency"), []
    with tempfile.TemporaryFile() as file:
        for left in range(0, image.width, _columns(image)):
            piece = _piece(image, left)
            sizes.append(piece.size)
            file.write(piece.tobytes())
        image.close()
        file.seek(0)
        for size in sizes:
            count = len(Image.new(mode, (size[0], 1)).tobytes()) * size[1]
            piece = Image.frombytes(mode, size, file.read(count))
            if palette is not None:
                piece.putpalette(palette)
            if clear is not None:
                piece.info["transparency"] = clear
            yield piece
