"""One server per data directory: a lock of the operating system that vanishes with its process, however that ends.

Two servers would write each other's clips, history and memory files. Commands that only read need no lock.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from pathlib import Path

from ...errors import LullwaveError
from ...storage.file_lock import try_lock

NAME = "server.lock"

log = logging.getLogger(__name__)


class DataDirTaken(LullwaveError):
    """Another server uses the data directory; ``pid`` is None if it has not told its process yet."""

    def __init__(self, folder: Path, pid: int | None, address: str) -> None:
        owner = f"process {pid}" + (f" at {address}" if address else "") if pid is not None else "another process"
        super().__init__(
            f"another lullwave serve ({owner}) uses {folder}; stop it, or give this one a --data-dir of its own"
        )


class DataLock:
    """The lock on a data directory, held until ``release`` or the end of the process. One thread."""

    def __init__(self, root: Path) -> None:
        self._path = root / NAME
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock; a file system without locks, or one that cannot be written, is used without.

        Raises:
            DataDirTaken: another server has it; the message names that server's process and address.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            log.warning("cannot lock the data directory: %s; do not run two servers on it", error)
            return
        try:
            try_lock(file)
        except BlockingIOError:
            os.close(file)
            raise DataDirTaken(self._path.parent, *self._owner()) from None
        except OSError as error:  # the file system has no locks
            log.warning("cannot lock %s: %s; do not run two servers on it", self._path, error)
        self._file = file
        self.tell("")

    def tell(self, address: str) -> None:
        """Write which process serves, and at which address, for the message of a second server."""
        if self._file is None:
            return
        text = json.dumps({"pid": os.getpid(), "address": address}).encode()
        with suppress(OSError):  # the disk is full
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, text)

    def release(self) -> None:
        """Give the lock up. The file stays: deleting it could delete that of the next server."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _owner(self) -> tuple[int | None, str]:
        """The process and address of the server that has the lock, as far as it has written them."""
        try:
            told = json.loads(self._path.read_bytes()[:4096])
            return int(told["pid"]), str(told["address"])[:200]
        except (OSError, ValueError, KeyError, TypeError):
            return None, ""
