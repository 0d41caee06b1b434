"""``lullwave audio-to-image``, and the conversion and flags that its batch command shares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ...codecs import blocks_of, replacing
from ...errors import CodecError, InvalidInput
from ...spectrogram import SpectrogramParams, default_params
from ..arguments import AudioFile, Quiet
from ..flags import FlagGroup, called, with_flags

Bits = Annotated[int, typer.Option("--bits", help="8: Riffusion's form. 16: a PNG that keeps the loudness.")]
PARAMS = FlagGroup(
    "params",
    SpectrogramParams,
    only=("step_ms", "bands", "low_hz", "high_hz", "window_ms", "padded_ms", "power", "stereo"),
    renamed={  # the names of Riffusion's command line
        "step_ms": "--step-size-ms",
        "bands": "--num-frequencies",
        "low_hz": "--min-frequency",
        "high_hz": "--max-frequency",
        "window_ms": "--window-duration-ms",
        "padded_ms": "--padded-duration-ms",
        "power": "--power-for-image",
        "stereo": "--stereo/--mono",
    },
)
FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
MAX_JPEG_COLUMNS = 65535  # the format's limit


def audio_to_image(
    audio: AudioFile,
    image: Annotated[Path, typer.Option("--image", "-i", help="PNG or JPEG file to write.")],
    bits: Bits = 8,
    quiet: Quiet = False,
    *,
    params: dict[str, Any],
) -> None:
    """Turn an audio file into a spectrogram image; its EXIF tags hold what is needed to turn it back."""
    with called(PARAMS.renamed):
        columns = convert(audio, image, params, bits)
    Console(quiet=quiet).print(f"wrote {image} ({columns} columns)", highlight=False, markup=False)


def build(arguments: list[str]) -> Any:
    """The command, with a flag for each spectrogram parameter."""
    return with_flags(audio_to_image, [PARAMS])


def convert(source: Path, target: Path, params: dict[str, Any], bits: int) -> int:
    """Write the image of an audio file and return the number of its columns.

    Raises:
        InvalidInput: the image's format, a parameter or the length is not allowed.
        CodecError: ``source`` is not audio or empty.
    """
    from ...spectrogram.long_images import image_of

    format = FORMATS.get(target.suffix.lower())
    if format is None:
        raise InvalidInput("image", str(target), "a name that ends in .png, .jpg or .jpeg")
    if bits == 16 and format == "jpeg":
        raise InvalidInput("bits", bits, "8 for JPEG; 16 bits need a PNG")
    first = next(blocks_of(source), None)
    if first is None:
        raise CodecError(f"cannot decode {str(source)!r}: it holds no audio")
    made = image_of(lambda: blocks_of(source), default_params(first, **{"stereo": False, **params}), bits)
    if format == "jpeg" and made.width > MAX_JPEG_COLUMNS:
        raise InvalidInput("image", str(target), f"a PNG for more than {MAX_JPEG_COLUMNS} columns (here {made.width})")
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as file:
        made.save(file, format, exif=made.getexif(), **({"quality": 95, "subsampling": 0} if format == "jpeg" else {}))
    return int(made.width)
