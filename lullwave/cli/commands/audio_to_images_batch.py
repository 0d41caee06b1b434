"""``lullwave audio-to-images-batch``: ``audio-to-image`` for each file of a folder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ...conversions.audio_to_image import FORMATS, check_bits, convert
from ...errors import InvalidInput
from ...spectrogram import SpectrogramParams
from .. import parallel
from ..flags import AudioFolder, Glob, Limit, OutputFolder, Processes, Quiet, called, with_flags
from ..outputs import check_folder
from .audio_to_image import PARAMS, Bits, Device, SampleRate


def audio_to_images_batch(
    audio_dir: AudioFolder,
    output_dir: OutputFolder,
    image_extension: Annotated[
        str, typer.Option("--image-extension", "-i", metavar="TEXT", help="png or jpg.")
    ] = "jpg",
    bits: Bits = 8,
    limit: Limit = 0,
    glob: Glob = "**/*",
    num_processes: Processes = 0,
    sample_rate: SampleRate = None,
    device: Device = None,
    quiet: Quiet = False,
    *,
    params: dict[str, Any],
) -> None:
    """Turn a folder of audio files into spectrogram images. A file that cannot be read never stops the rest."""
    suffix = "." + image_extension.removeprefix(".")
    if suffix not in FORMATS:
        raise InvalidInput("image_extension", image_extension, "png, jpg or jpeg")
    check_bits(bits, FORMATS[suffix])
    check_folder(output_dir, "--output-dir", parents=True)
    with called(PARAMS.renamed):
        SpectrogramParams(**params)
    paths = parallel.first_of(parallel.sounds_in(audio_dir, glob), limit)
    parallel.check_targets({path: parallel.target_in(output_dir, path, audio_dir, suffix) for path in paths})
    work = partial(_one, folder=output_dir, root=audio_dir, suffix=suffix, params=params, bits=bits, rate=sample_rate)
    if parallel.run(work, paths, num_processes, Console(quiet=quiet)):
        raise typer.Exit(1)


def build(arguments: list[str]) -> Any:
    """The command, with a flag for each spectrogram parameter."""
    return with_flags(audio_to_images_batch, [replace(PARAMS, short={"power": "-p"})])


def _one(
    path: Path, folder: Path, root: Path, suffix: str, params: dict[str, Any], bits: int, rate: int | None
) -> None:
    convert(path, parallel.target_in(folder, path, root, suffix), params, bits, rate)
