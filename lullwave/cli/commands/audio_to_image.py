"""``lullwave audio-to-image``, and the flags that its batch command shares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ...conversions.audio_to_image import PARAMETERS, convert
from ...spectrogram import SpectrogramParams
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
    only=PARAMETERS,
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
