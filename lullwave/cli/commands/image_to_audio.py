"""``lullwave image-to-audio``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ...conversions.image_to_audio import convert
from ...spectrogram import QUALITIES, TAGS
from ...spectrogram.image import open_image, tags_in
from ..flags import ImageFile, Quiet


def image_to_audio(
    image: ImageFile,
    audio: Annotated[Path, typer.Option("--audio", "-a", metavar="FILE", help="Audio file to write.")],
    quality: Annotated[
        str, typer.Option(metavar="TEXT", help=f"{', '.join(QUALITIES)}, or a number of iterations.")
    ] = "fast",
    device: Annotated[
        str | None,
        typer.Option("--device", "-d", metavar="TEXT", help="Invert with torch on this device, such as cuda."),
    ] = None,
    loudness: Annotated[
        float | None, typer.Option(metavar="LUFS", help="Loudness of the whole, -40 to -8; default: the image's level.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Turn a spectrogram image back into audio, at the level in its tags or at a given loudness."""
    console = Console(quiet=quiet)
    picture = open_image(image)
    if not any(tag in tags_in(picture) for tag in TAGS.values()):
        console.print("the image has no spectrogram tags: using the defaults")
    steps: str | int = int(quality) if quality.isascii() and quality.isdigit() and len(quality) < 9 else quality
    seconds, over_db = convert(picture, image, audio, steps, device, loudness)
    if over_db > 0.0:
        console.print(f"peaks up to {over_db:.1f} dB above full scale were turned down")
    console.print(f"wrote {audio} ({seconds:.2f} seconds)", highlight=False, markup=False, soft_wrap=True)
