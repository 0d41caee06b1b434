"""``lullwave audio-to-images-batch``: the spectrogram images of a folder of sounds."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..errors import InvalidInput
from ..spectrogram import SpectrogramParams
from . import parallel as batches
from .audio_to_image import Bands, Bits, High, Low, Padded, Power, Step, Stereo, Window, convert


def command(
    audio_dir: Annotated[Path, typer.Option("--audio-dir", "-a", help="The folder of sounds to read.")],
    output_dir: Annotated[Path, typer.Option("--output-dir", "-o", help="The folder to write images into.")],
    image_extension: Annotated[str, typer.Option(help="png or jpg.")] = "jpg",
    step_ms: Step = SpectrogramParams.step_ms,
    bands: Bands = SpectrogramParams.bands,
    low_hz: Low = SpectrogramParams.low_hz,
    high_hz: High = SpectrogramParams.high_hz,
    window_ms: Window = SpectrogramParams.window_ms,
    padded_ms: Padded = SpectrogramParams.padded_ms,
    power: Power = SpectrogramParams.power,
    stereo: Stereo = SpectrogramParams.stereo,
    bits: Bits = 8,
    limit: Annotated[int, typer.Option(help="Only the first so many files; 0: all.", min=0)] = 0,
    glob: batches.Glob = "**/*",
    num_processes: batches.Processes = 0,
) -> None:
    """Make spectrogram images of all sounds of a folder. A file that cannot be read never stops the rest."""
    suffix = "." + image_extension.removeprefix(".")
    if suffix not in (".png", ".jpg", ".jpeg"):
        raise InvalidInput("image_extension", image_extension, "png, jpg or jpeg")
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
    SpectrogramParams(**wanted)  # type: ignore[arg-type]
    paths = batches.sounds_in(audio_dir, glob)[: limit or None]
    work = partial(_one, folder=output_dir, root=audio_dir, suffix=suffix, wanted=wanted, bits=bits)
    if batches.run(work, paths, num_processes, Console()):
        raise typer.Exit(1)


def _one(path: Path, folder: Path, root: Path, suffix: str, wanted: dict[str, int | float | bool], bits: int) -> None:
    convert(path, batches.target_in(folder, path, root, suffix), wanted, bits)
