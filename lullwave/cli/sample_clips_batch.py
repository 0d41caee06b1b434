"""``lullwave sample-clips-batch``: clips from random places of a folder of sounds."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..codecs import format_named
from . import parallel as batches
from .sample_clips import Extension, Length, Mono, Seed, cut


def command(
    audio_dir: Annotated[Path, typer.Option("--audio-dir", "-a", help="The folder of sounds to read.")],
    output_dir: Annotated[Path, typer.Option("--output-dir", "-o", help="The folder to write clips into.")],
    num_clips: Annotated[
        int, typer.Option("--num-clips", "--num-clips-per-file", min=1, help="How many clips of each sound.")
    ] = 1,
    duration_ms: Length = 5000,
    mono: Mono = False,
    extension: Extension = "wav",
    seed: Seed = -1,
    limit: Annotated[int, typer.Option(help="Only the first so many files; 0: all.", min=0)] = 0,
    glob: batches.Glob = "**/*",
    num_processes: batches.Processes = 0,
) -> None:
    """Cut clips out of all sounds of a folder. A file that cannot be read never stops the rest."""
    format_named(extension.removeprefix("."))
    paths = batches.sounds_in(audio_dir, glob)[: limit or None]
    work = partial(
        _one,
        folder=output_dir,
        root=audio_dir,
        count=num_clips,
        duration_ms=duration_ms,
        mono=mono,
        extension=extension,
        seed=seed,
    )
    if batches.run(work, paths, num_processes, Console()):
        raise typer.Exit(1)


def _one(
    path: Path, folder: Path, root: Path, count: int, duration_ms: int, mono: bool, extension: str, seed: int
) -> None:
    target = batches.target_in(folder, path, root, "")
    cut(path, target.parent, count, duration_ms, mono, extension, seed, prefix=f"{path.name}_")
