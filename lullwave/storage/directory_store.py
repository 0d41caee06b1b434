"""An object store in a directory that several processes share, on one machine or on a network file system.

A new object is written under a hidden name and gets its own by a hard link, which fails if the name is taken. An object
is replaced under a lock of its folder, by a rename. So no object is ever half written, and of two writers one wins.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import StorageUnavailable
from .atomic_files import write_bytes
from .file_lock import try_lock
from .objects import ObjectStore, StoredObject, check_key, version_of

LOCK_WAIT_S = 5.0  # a process that was stopped while it held the lock may hold it for longer
_LOCK_RETRY_S = 0.005  # between two attempts to lock
SWEEP_S = 60.0  # between two looks of a process for what killed writers have left in a folder
LEFT_S = 120.0  # a hidden copy that is so much older than a new one is left over; writing takes 5 s at most
_COPY = re.compile(r"\.[0-9a-f]{16}\.(new|part)")
_LOCK = ".lock"  # name of the lock file of a folder; hidden files are no objects


class DirectoryStore(ObjectStore):
    """Objects as files below ``root``. The lock is one of the operating system and vanishes with its process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._swept: dict[Path, float] = {}  # folder → when, by the monotonic clock

    def get(self, key: str) -> StoredObject | None:
        with _failures():
            try:
                data = self._path(key).read_bytes()
            except FileNotFoundError:
                return None
        return StoredObject(data, version_of(data))

    def put_if_absent(self, key: str, data: bytes) -> str | None:
        path = self._path(key)
        with _failures(), _hidden_copy(path, data) as copy:
            self._sweep(copy)
            try:
                os.link(copy, path)
            except FileExistsError:
                return None
            except OSError:  # the file system has no hard links
                with _locked(path.parent):
                    if path.exists():
                        return None
                    os.replace(copy, path)
        return version_of(data)

    def put_if_matches(self, key: str, data: bytes, version: str) -> str | None:
        path = self._path(key)
        with _failures(), _locked(path.parent):
            before = self.get(key)
            if before is None or before.version != version:
                return None
            write_bytes(path, data)
            self._sweep(path)
        return version_of(data)

    def list(self, folder: str) -> list[str]:
        with _failures():
            files = (path.relative_to(self.root) for path in self._path(folder).rglob("*") if path.is_file())
            return sorted(path.as_posix() for path in files if not any(part[0] == "." for part in path.parts))

    def delete(self, key: str) -> None:
        with _failures():
            self._path(key).unlink(missing_ok=True)

    def _sweep(self, new: Path) -> None:
        """Delete the copies that killed writers have left beside a file that was written just now.

        Ages are differences of the file system's own times. The writer of a copy that is deleted although it goes on
        (it was stopped for minutes) gets an error and tries again.
        """
        now = time.monotonic()
        if now < self._swept.get(new.parent, -SWEEP_S) + SWEEP_S:
            return
        self._swept[new.parent] = now
        with suppress(OSError):
            written = new.stat().st_mtime
            for entry in list(os.scandir(new.parent)):
                with suppress(OSError):
                    if _COPY.fullmatch(entry.name) and entry.stat().st_mtime < written - LEFT_S:
                        os.unlink(entry.path)

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)


@contextmanager
def _hidden_copy(path: Path, data: bytes) -> Iterator[Path]:
    """A hidden file beside ``path`` that holds ``data`` while the block runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    copy = path.with_name(f".{secrets.token_hex(8)}.new")
    try:
        write_bytes(copy, data)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The lock of a folder while the block runs.

    Raises:
        StorageUnavailable: another process holds it for longer than ``LOCK_WAIT_S``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        until = time.monotonic() + LOCK_WAIT_S
        while True:
            with suppress(BlockingIOError):
                try_lock(file)
                break
            if time.monotonic() > until:
                raise StorageUnavailable(f"{folder}: another process holds its lock")
            time.sleep(_LOCK_RETRY_S)
        yield
    finally:
        os.close(file)


@contextmanager
def _failures() -> Iterator[None]:
    """Turns errors of the file system into ``StorageUnavailable``."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(f"{error.filename}: {error.strerror}") from error
