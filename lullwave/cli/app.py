"""The program ``lullwave`` and the list of its commands; imports none of them before it is needed."""

from __future__ import annotations

import io
import logging
import sys
from typing import Annotated

import typer

from .. import __version__
from ..redaction import log_to_stderr
from .exit_codes import translated
from .lazy import LazyGroup
from .signals import raise_on_signals

# In the order of help. A new command is a module in `commands` and a name here.
COMMANDS = (
    "serve",
    "inference",
    "health",
    "generate",
    "play",
    "history",
    "replay",
    "engines",
    "models",
    "cluster",
    "riff",
    "audio-to-image",
    "image-to-audio",
    "sample-clips",
    "print-exif",
    "audio-to-images-batch",
    "sample-clips-batch",
)


class _Commands(LazyGroup):
    names = COMMANDS


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(given: bool) -> None:
    if given:
        print(f"lullwave {__version__}")
        raise typer.Exit


@app.callback()
def lullwave(
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log more; print the traceback of an error.")
    ] = False,
) -> None:
    """Endless, cosy, self-hosted generative music."""
    level = logging.DEBUG if verbose else logging.WARNING
    log_to_stderr(level)


def run() -> None:
    """Parse the command line and run the command."""
    raise_on_signals()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # file names that are not UTF-8
    with translated():  # before a command runs; the group itself translates those of the command
        app(prog_name="lullwave")
