"""``lullwave sample-clips``, and the flags that its batch command shares."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from ...codecs import FORMAT_NAMES
from ...conversions.sample_clips import SampleOptions, cut
from ..flags import AudioFile, OutputFolder, Quiet, called
from ..outputs import check_folder

Count = Annotated[
    int,
    typer.Option("--num-clips", "--num-clips-per-file", "-n", min=1, metavar="NUMBER", help="Clips from each file."),
]
Length = Annotated[
    int, typer.Option("--duration-ms", "-d", min=1, metavar="NUMBER", help="Length of a clip in milliseconds.")
]
Mono = Annotated[bool, typer.Option("--mono", "-m", help="Mix all channels into one.")]
Extension = Annotated[
    str, typer.Option("--extension", "-e", metavar="TEXT", help=f"Format of the clips: {FORMAT_NAMES}.")
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", "-s", metavar="NUMBER", help="The same seed cuts at the same places; -1: new ones every time."
    ),
]


def sample_clips(
    audio: AudioFile,
    output_dir: OutputFolder,
    num_clips: Count = SampleOptions.count,
    duration_ms: Length = SampleOptions.duration_ms,
    mono: Mono = SampleOptions.mono,
    extension: Extension = SampleOptions.format,
    seed: Seed = SampleOptions.seed,
    quiet: Quiet = False,
) -> None:
    """Cut clips of one length out of an audio file, at random places."""
    check_folder(output_dir, "--output-dir", parents=True)
    with called({"format": "--extension"}):
        paths = cut(audio, output_dir, num_clips, duration_ms, mono, extension, seed)
    for path in paths:
        Console(quiet=quiet).print(f"wrote {path}", highlight=False, markup=False, soft_wrap=True)
