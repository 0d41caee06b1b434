"""Where a command may write, checked before its work begins; knows no command."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..codecs import FORMATS, Format, format_of
from ..errors import InvalidInput


def format_for(output: str) -> Format:
    """The format that the name of the output says.

    Raises:
        InvalidInput: it says none; for stdout, ``--format`` must.
    """
    if output == "-":
        raise InvalidInput("--format", None, "one of " + ", ".join(FORMATS) + " (stdout has no name that says it)")
    try:
        return format_of(output)
    except InvalidInput as error:
        raise InvalidInput("--output", error.value, error.allowed + "; or name a --format") from None


def check_file(path: Path, flag: str = "--output") -> None:
    """That a file can be made at ``path``.

    Raises:
        InvalidInput: a folder or a device is in its place, its folder is absent or may not be written to.
    """
    folder = path.parent
    if path.is_dir():
        raise InvalidInput(flag, str(path), "a file, and this is a folder")
    if path.exists() and not path.is_file():
        raise InvalidInput(flag, str(path), "a file, and this is none (- is stdout)")
    if not folder.is_dir():
        raise InvalidInput(flag, str(path), f"a file in a folder that exists, and {folder} does not")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidInput(flag, str(path), f"a file in a folder that may be written to, and {folder} may not")


def check_folder(path: Path, flag: str) -> None:
    """That files can be made in the folder ``path``, which may be made itself.

    Raises:
        InvalidInput: something else is in its place, or it may not be written to.
    """
    if path.exists() and not path.is_dir():
        raise InvalidInput(flag, str(path), "a folder, and this is a file")
    check_file(path / "any", flag) if path.is_dir() else check_file(path, flag)


def check_stdout() -> None:
    """That stdout is no terminal.

    Raises:
        InvalidInput: it is one.
    """
    if sys.stdout.isatty():
        raise InvalidInput("--output", "-", "a file, or stdout that leads to a file or another program")
