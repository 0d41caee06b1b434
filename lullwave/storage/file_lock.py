"""Locks an open file with the operating system: the lock vanishes with its process, however that ends."""

from __future__ import annotations

import os
import sys

_LOCKED_AT = 1 << 30  # Windows locks bytes, and locked bytes cannot be read: one far behind the text

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def try_lock(file: int) -> None:
        """Lock the file with this descriptor until it is closed.

        Raises:
            BlockingIOError: another descriptor has the lock.
            OSError: the file system has no locks.
        """
        os.lseek(file, _LOCKED_AT, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(error.errno, "locked") from None

else:
    import fcntl

    def try_lock(file: int) -> None:
        """Lock the file with this descriptor until it is closed.

        Raises:
            BlockingIOError: another descriptor has the lock.
            OSError: the file system has no locks.
        """
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not lockf: that lock ends when any handle is closed
