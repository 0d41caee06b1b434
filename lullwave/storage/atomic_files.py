"""Writes files that are complete or absent, never half written, JSON among them. Imports nothing heavy."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

_unfinished: set[Path] = set()  # temporary files and folders of this process; adding and discarding are atomic


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A temporary file that replaces ``path`` when the block ends, and is deleted if the block raises.

    A process that ends by a signal calls ``delete_unfinished``: a second signal may interrupt the deletion here.
    """
    path = Path(os.path.realpath(path))  # replace the target of a link, not the link
    part = path.with_name(f".{secrets.token_hex(8)}.part")  # not the name itself, which may be as long as allowed
    _unfinished.add(part)
    try:
        with open(part, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        if str(error.filename) != str(part):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None  # name the file that the caller named
    finally:
        part.unlink(missing_ok=True)
        _unfinished.discard(part)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``path`` when the block ends, and is deleted if the block raises.

    ``path`` is absent, or an empty folder.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    _unfinished.add(part)
    try:
        part.mkdir()
        yield part
        try:
            os.replace(part, path)  # replaces an empty folder, too
        except OSError:  # but not one that is mounted
            if not path.is_dir():
                raise
            for made in part.iterdir():
                os.replace(made, path / made.name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        _unfinished.discard(part)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically."""
    with replacing(path) as file:
        file.write(data)


def read_json(path: Path) -> Any:
    """The content of a file; None if there is none.

    Raises:
        OSError: it cannot be read.
        ValueError, RecursionError: it is damaged.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None


def write_json(path: Path, content: Any) -> None:
    """Replace a file atomically; its directory is made if there is none.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, json.dumps(content).encode())


def delete_unfinished() -> None:
    """Delete what is unfinished in this process. Call it only when the process ends: the writers fail then."""
    for part in list(_unfinished):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        with suppress(OSError):
            part.unlink(missing_ok=True)
