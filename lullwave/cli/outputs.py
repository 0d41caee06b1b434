"""Where a command may write, checked before its work begins."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..codecs import FORMATS, Format, format_of
from ..errors import InvalidInput, Unsupported


def format_for(output: str) -> Format:
    """The format that the suffix of ``output`` names.

    Raises:
        InvalidInput: the suffix names no format; or it is stdout, which needs ``--format``.
    """
    if output == "-":
        raise Unsupported("--format", None, "stdout has no suffix; name one of " + ", ".join(FORMATS))
    try:
        return format_of(output)
    except InvalidInput as error:
        raise InvalidInput("--output", error.value, error.allowed + "; or set --format") from None


def next_free(path: Path, *suffixes: str) -> Path:
    """``path``, or the first of ``name-2``, ``name-3`` and so on that does not exist with its or other ``suffixes``."""
    candidate, number = path, 1
    while any(candidate.with_suffix(suffix).exists() for suffix in (path.suffix, *suffixes)):
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate


def check_file(path: Path, flag: str = "--output", force: bool = False) -> None:
    """Check that a file can be written at ``path``.

    Raises:
        InvalidInput: a folder or a device is in its place, or its folder is absent or not writable.
        Unsupported: the file exists, and ``force`` is not set.
    """
    folder = path.parent
    if path.is_dir():
        raise InvalidInput(flag, str(path), "a file, and this is a folder")
    if path.exists() and not path.is_file():
        raise InvalidInput(flag, str(path), "a regular file (- is stdout)")
    if not folder.is_dir():
        raise InvalidInput(flag, str(path), f"a file in a folder that exists, and {folder} does not")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidInput(flag, str(path), f"a file in a writable folder, and {folder} is not writable")
    if path.exists() and not force:
        raise Unsupported(flag, str(path), f"{path} exists; choose another name, or replace it with --force")


def check_folder(path: Path, flag: str, force: bool = True, parents: bool = False) -> None:
    """Check that files can be written into the folder ``path``; it is created later if absent, ``parents`` too.

    Raises:
        InvalidInput: a file is in its place, or it is not writable.
        Unsupported: it holds files, and ``force`` is not set.
    """
    if path.exists() and not path.is_dir():
        raise InvalidInput(flag, str(path), "a folder, and this is a file")
    if path.is_dir():
        check_file(path / "any", flag, force=True)
        if not force and any(path.iterdir()):
            raise Unsupported(flag, str(path), f"{path} is not empty; choose another folder, or replace with --force")
    else:
        while parents and not path.parent.exists():
            path = path.parent
        check_file(path, flag)


def check_distinct(outputs: Iterable[tuple[str, Path]]) -> None:
    """Check that no two outputs, each a flag and its path, have the same path.

    Raises:
        Unsupported: two of them have.
    """
    seen: dict[str, str] = {}
    for flag, path in outputs:
        place = os.path.realpath(path)
        if place in seen:
            raise Unsupported(flag, str(path), f"{path} is the file of {seen[place]} too; choose another name")
        seen[place] = flag


def check_stdout() -> None:
    """Check that stdout is not a terminal.

    Raises:
        InvalidInput: stdout is a terminal.
    """
    if sys.stdout.isatty():
        raise InvalidInput("--output", "-", "a file, or stdout that leads to a file or another program")


def print_json(value: Any) -> None:
    """Print ``value`` as indented JSON on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
