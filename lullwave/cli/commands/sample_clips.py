"""``lullwave sample-clips``, and the cutting and flags that its batch command shares."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ...codecs import FORMAT_NAMES, fitting_name, format_named, read, read_tags, write
from ...errors import InvalidInput
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
    num_clips: Count = 1,
    duration_ms: Length = 5000,
    mono: Mono = False,
    extension: Extension = "wav",
    seed: Seed = -1,
    quiet: Quiet = False,
) -> None:
    """Cut clips of one length out of an audio file, at random places."""
    check_folder(output_dir, "--output-dir", parents=True)
    with called({"format": "--extension"}):
        paths = cut(audio, output_dir, num_clips, duration_ms, mono, extension, seed)
    for path in paths:
        Console(quiet=quiet).print(f"wrote {path}", highlight=False, markup=False, soft_wrap=True)


def cut(
    source: Path, folder: Path, count: int, duration_ms: int, mono: bool, extension: str, seed: int, prefix: str = ""
) -> list[Path]:
    """Write the clips and return their paths. The places depend on the seed and the file's name.

    Raises:
        InvalidInput: the clip is longer than the file, or the file has more than two channels and not ``mono``.
    """
    extension = extension.removeprefix(".")
    format_named(extension)
    audio = read(source)
    whole_ms = audio.frames * 1000 // audio.rate
    if duration_ms > whole_ms:
        raise InvalidInput("duration_ms", duration_ms, f"at most the length of {source.name}: {whole_ms} ms")
    if mono:
        audio = audio.to_channels(1)
    elif audio.channels > 2:
        raise InvalidInput("channels", audio.channels, f"1 or 2 in {source.name}; --mono mixes any number into one")
    places = random.Random(f"{seed} {source.name}" if seed >= 0 else None)
    folder.mkdir(parents=True, exist_ok=True)
    tags, written = read_tags(source), []
    for number in range(count):
        start_ms = places.randint(0, whole_ms - duration_ms)
        begin = start_ms * audio.rate // 1000
        clip = audio[begin : begin + duration_ms * audio.rate // 1000]
        name = f"{prefix}clip_{number}_start_{start_ms}_ms_duration_{duration_ms}_ms.{extension}"
        written.append(write(folder / fitting_name(name), clip, tags=tags))
    return written
