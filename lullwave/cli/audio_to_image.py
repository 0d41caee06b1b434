"""``lullwave audio-to-image``: the spectrogram image of a sound, and the flags that its batch shares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..codecs import replacing
from ..codecs.media import blocks_of
from ..errors import CodecError, InvalidInput
from ..spectrogram import SpectrogramParams, default_params

Step = Annotated[int, typer.Option("--step-size-ms", help="Milliseconds from one column to the next.")]
Bands = Annotated[int, typer.Option("--num-frequencies", help="Mel bands: the height of the image.")]
Low = Annotated[int, typer.Option("--min-frequency", help="Where the lowest band begins, in Hz.")]
High = Annotated[int, typer.Option("--max-frequency", help="Where the highest band ends, in Hz.")]
Window = Annotated[int, typer.Option("--window-duration-ms", help="Length of the window in milliseconds.")]
Padded = Annotated[int, typer.Option("--padded-duration-ms", help="Window with its zeros, in milliseconds.")]
Power = Annotated[float, typer.Option("--power-for-image", help="Amplitudes are raised to this power.")]
Stereo = Annotated[bool, typer.Option("--stereo/--mono", help="Two channels: left in green, right in blue.")]
Bits = Annotated[int, typer.Option("--bits", help="8: Riffusion's form. 16: a PNG that keeps the loudness.")]

LONGEST_JPEG = 65535  # columns


def command(
    audio: Annotated[Path, typer.Option("--audio", "-a", help="The sound file to read.")],
    image: Annotated[Path, typer.Option("--image", "-i", help="The PNG or JPEG file to write.")],
    step_ms: Step = SpectrogramParams.step_ms,
    bands: Bands = SpectrogramParams.bands,
    low_hz: Low = SpectrogramParams.low_hz,
    high_hz: High = SpectrogramParams.high_hz,
    window_ms: Window = SpectrogramParams.window_ms,
    padded_ms: Padded = SpectrogramParams.padded_ms,
    power: Power = SpectrogramParams.power,
    stereo: Stereo = SpectrogramParams.stereo,
    bits: Bits = 8,
) -> None:
    """Make the spectrogram image of a sound; its EXIF tags say how to make the sound again."""
    wanted = {
        "step_ms": step_ms,
        "bands": bands,
        "low_hz": low_hz,
        "high_hz": high_hz,
        "window_ms": window_ms,
        "padded_ms": padded_ms,
        "power": power,
        "stereo": stereo,
    }
    columns = convert(audio, image, wanted, bits)
    Console().print(f"wrote {image} ({columns} columns)", highlight=False, markup=False)


def convert(source: Path, target: Path, wanted: dict[str, int | float | bool], bits: int) -> int:
    """Write the image of a sound file; the number of its columns."""
    from ..spectrogram.long_images import image_of

    format = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}.get(target.suffix.lower())
    if format is None:
        raise InvalidInput("image", str(target), "a name that ends in .png, .jpg or .jpeg")
    if bits == 16 and format == "jpeg":
        raise InvalidInput("bits", bits, "8 for JPEG; 16 bits need a PNG")
    first = next(blocks_of(source), None)
    if first is None:
        raise CodecError(f"cannot decode {str(source)!r}: there is no sound in it")
    params = default_params(first, **{"stereo": False, **wanted})
    made = image_of(lambda: blocks_of(source), params, bits)
    if format == "jpeg" and made.width > LONGEST_JPEG:
        raise InvalidInput("image", str(target), f"a PNG for more than {LONGEST_JPEG} columns (here {made.width})")
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as file:
        made.save(file, format, exif=made.getexif(), **({"quality": 95, "subsampling": 0} if format == "jpeg" else {}))
    return int(made.width)
