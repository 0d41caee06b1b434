"""Arguments and flags that several commands share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="PROMPT", help="What the music should sound like; quotes are optional."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only: no progress bar, no summary.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Kbps = Annotated[int, typer.Option("--kbps", help="Bit rate of the lossy formats, in kbit/s.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="The server's data directory.")]
Config = Annotated[Path | None, typer.Option("--config", help="The server's settings file (TOML).")]
Seconds = Annotated[float, typer.Option("--seconds", "-s", help="Length in seconds.")]
Limit = Annotated[int, typer.Option("--limit", min=0, help="Only the first files, this many; 0: all.")]
Glob = Annotated[str, typer.Option("--glob", help="Only files whose path inside the folder matches.")]
Processes = Annotated[
    int, typer.Option("--num-processes", "--num-threads", min=0, help="Processes at once; 0: one for each core.")
]
AudioFile = Annotated[Path, typer.Option("--audio", "-a", help="Audio file to read.")]
AudioFolder = Annotated[Path, typer.Option("--audio-dir", "-a", help="Folder of audio files to read.")]
OutputFolder = Annotated[Path, typer.Option("--output-dir", "-o", help="Folder to write into.")]
ImageFile = Annotated[Path, typer.Option("--image", "-i", help="Image file to read.")]
