"""``lullwave sample-clips-batch``: ``sample-clips`` for each file of a folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import typer
from rich.console import Console

from ...codecs import format_named
from ...conversions.sample_clips import cut
from .. import parallel
from ..flags import AudioFolder, Glob, Limit, OutputFolder, Processes, Quiet, called
from ..outputs import check_folder
from .sample_clips import Count, Extension, Length, Mono, Seed


def sample_clips_batch(
    audio_dir: AudioFolder,
    output_dir: OutputFolder,
    num_clips: Count = 1,
    duration_ms: Length = 5000,
    mono: Mono = False,
    extension: Extension = "wav",
    seed: Seed = -1,
    limit: Limit = 0,
    glob: Glob = "**/*",
    num_processes: Processes = 0,
    quiet: Quiet = False,
) -> None:
    """Cut clips out of a folder of audio files, at random places. A file that cannot be read never stops the rest."""
    with called({"format": "--extension"}):
        format_named(extension.removeprefix("."))
    check_folder(output_dir, "--output-dir", parents=True)
    paths = parallel.first_of(parallel.sounds_in(audio_dir, glob), limit)
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
    if parallel.run(work, paths, num_processes, Console(quiet=quiet)):
        raise typer.Exit(1)


def _one(
    path: Path, folder: Path, root: Path, count: int, duration_ms: int, mono: bool, extension: str, seed: int
) -> None:
    target = parallel.target_in(folder, path, root, "")
    cut(path, target.parent, count, duration_ms, mono, extension, seed, prefix=f"{path.name}_")
