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
