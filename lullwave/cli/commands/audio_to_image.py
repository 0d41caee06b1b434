"""``lullwave audio-to-image``, and the conversion and flags that its batch command shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ...audio import Audio
from ...blocks import resampled
from ...codecs import blocks_of, read_tags
from ...errors import InvalidInput
from ...spectrogram import SpectrogramParams, default_params
from ...spectrogram.image import save
from ...storage.atomic_files import replacing
from ..flags import AudioFile, FlagGroup, Quiet, called, with_flags

Bits = Annotated[
    int, typer.Option("--bits", metavar="NUMBER", help="8: Riffusion's form. 16: a PNG that keeps the loudness.")
]
SampleRate = Annotated[
    int | None,
    typer.Option("--sample-rate", min=4000, max=192_000, metavar="NUMBER", help="Resample to this rate first, in Hz."),
]
Device = Annotated[
    str | None, typer.Option("--device", "-d", metavar="TEXT", help="Ignored: no accelerator is needed.")
]
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
    short={"bands": "-n", "window_ms": "-w"},
)
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
MAX_JPEG_COLUMNS = 65535  # the format's limit


def audio_to_image(
    audio: AudioFile,
    image: Annotated[Path, typer.Option("--image", "-i", metavar="FILE", help="PNG or JPEG file to write.")],
    bits: Bits = 8,
    sample_rate: SampleRate = None,
    device: Device = None,
    quiet: Quiet = False,
    *,
    params: dict[str, Any],
) -> None:
    """Turn an audio file into a spectrogram image; its EXIF tags hold what is needed to turn it back."""
    with called(PARAMS.renamed):
        columns = convert(audio, image, params, bits, sample_rate)
    Console(quiet=quiet).print(f"wrote {image} ({columns} columns)", highlight=False, markup=False, soft_wrap=True)


def build(arguments: list[str]) -> Any:
    """The command, with a flag for each spectrogram parameter."""
    return with_flags(audio_to_image, [PARAMS])


def convert(source: Path, target: Path, params: dict[str, Any], bits: int, rate: int | None = None) -> int:
    """Write the image of an audio file and return the number of its columns.

    Raises:
        InvalidInput: the image's format, a parameter or the length is not allowed.
        CodecError: ``source`` is not audio or empty.
    """
    from ...spectrogram.long_images import image_of

    format = FORMATS.get(target.suffix.lower())
    if format is None:
        raise InvalidInput("image", str(target), "a name that ends in .png, .jpg or .jpeg")
    check_bits(bits, format)

    content = source.read_bytes() if source.is_fifo() else source  # the sound is read twice, a pipe only once

    def sound() -> Iterator[Audio]:
        return blocks_of(content) if rate is None else resampled(blocks_of(content), rate)

    made = image_of(sound, default_params(next(sound()), **{"stereo": False, **params}), bits)
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
