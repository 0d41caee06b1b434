"""The history in an SQLite file: how it is opened, and replaced when it is damaged. Knows no queries."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from typing import Any

from ..errors import StorageUnavailable
from .database import Connection, HistoryDatabase, Parameters, close_open_runs, transaction
from .history_schema import MIGRATIONS, migrate

LONG = 1.5  # times its limit: a file that is longer is written anew
BUSY_S = 1.0  # seconds to wait while another process has locked the file

log = logging.getLogger(__name__)


class HistoryFile(HistoryDatabase):
    """The database in one file; None: in memory. A damaged file is moved aside and a new one begun.

    The first time that the file can be written, runs that a killed server left open are closed.
    """

    def __init__(self, path: Path | None, retry_s: float = 0.0, read_only: bool = False) -> None:
        super().__init__(retry_s, read_only)
        self._path = path
        self._runs_closed = False

    @property
    def name(self) -> str:
        return str(self._path)

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        return sqlite3.Error, OSError

    def inserted(self, db: Connection, statement: str, parameters: Parameters) -> int:
        rows = db.execute(statement, parameters)
        assert isinstance(rows, sqlite3.Cursor)
        return int(rows.lastrowid or 0)

    def each(self, db: Connection, statement: str, parameters: Parameters) -> AbstractContextManager[Iterable[Any]]:
        rows = db.execute(statement, parameters)
        assert isinstance(rows, sqlite3.Cursor)
        return closing(rows)

    def used_bytes(self, db: Connection) -> int:
        """The bytes of the pages that hold something; read from the file's header."""
        pages, free, size = (
            int(db.execute(f"pragma {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def delete_alone(self, db: Connection) -> None:
        pass  # one transaction writes at a time

    def shorten(self, max_bytes: float) -> None:
        """Write the file anew if it is much longer than ``max_bytes``."""
        with self._lock:
            db = self._connected(True)
            try:
                (pages,), (size,) = (db.execute(f"pragma {name}").fetchone() for name in ("page_count", "page_size"))
                if pages * size > LONG * max_bytes and self.used_bytes(db) < pages * size / LONG:
                    db.execute("vacuum")
                    db.execute("pragma wal_checkpoint(truncate)")
            except sqlite3.Error as error:
                self._failed(error, True)
                raise StorageUnavailable(self._said(error, True)) from error

    def _open(self) -> None:
        self._disconnect()
        self.generation += 1
        try:
            if self._read_only:
                assert self._path is not None
                self._db = open_for_reading(self._path)
                return
            try:
                self._begin_writing()
            except sqlite3.DatabaseError as error:
                if self._path is None or not is_damage(error):
                    raise
                self._disconnect()
                move_aside(self._path, error)
                self._begin_writing()
        except (sqlite3.Error, OSError, StorageUnavailable) as error:
            self._disconnect()
            self._failed(error, True)
            if self._path is not None and not self._read_only:
                with suppress(sqlite3.Error, OSError, StorageUnavailable):
                    self._db = open_for_reading(self._path)

    def _begin_writing(self) -> None:
        self._db = open_for_writing(self._path)
        if not self._runs_closed:
            with transaction(self._db, "begin immediate"):
                close_open_runs(self._db, self.greatest)
            self._runs_closed = True
        self._writable = True

    def _failed(self, error: Exception, write: bool) -> None:
        if is_damage(error) and not self._read_only and self._path is not None:
            self._disconnect()
            self._error = self._said(error, write)
            with suppress(OSError):
                move_aside(self._path, error)  # the next transaction begins a new file
        elif write or self._read_only:
            self._error = self._said(error, write and not self._read_only)
            self._retry_at = time.monotonic() + self._retry_s
            self._writable = False
        else:
            self._disconnect()

    def _said(self, error: Exception, write: bool) -> str:
        if isinstance(error, StorageUnavailable):
            return str(error)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return f"the history cannot be {'written' if write else 'read'}: {reason}"


def open_for_writing(path: Path | None) -> sqlite3.Connection:
    """A connection to a database of the newest version that can really be written; None: in memory.

    Raises:
        StorageUnavailable: a newer version of Lullwave wrote the file; it is not touched.
        sqlite3.Error, OSError: it is damaged, locked, read-only, or the disk is full.
    """
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size:
            _read_only(path).close()  # a newer file is not even touched
    db = sqlite3.connect(path or ":memory:", BUSY_S, check_same_thread=False, isolation_level=None)
    try:
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")
        migrate(db)
        db.executescript(f"begin immediate; pragma user_version = {len(MIGRATIONS)}; commit;")  # it can be written
    except BaseException:
        db.close()
        raise
    return db


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, also beside a server that writes; an older version is converted in a copy.

    Raises:
        StorageUnavailable: a newer version of Lullwave wrote the file.
        sqlite3.Error, OSError: it is damaged, locked or not readable.
    """
    db = _read_only(path)
    (version,) = db.execute("pragma user_version").fetchone()
    if version == len(MIGRATIONS):
        return db
    copy = sqlite3.connect("", check_same_thread=False, isolation_level=None)  # a temporary file
    try:
        db.backup(copy)
        migrate(copy)
    except BaseException:
        copy.close()
        raise
    finally:
        db.close()
    return copy


def is_damage(error: BaseException) -> bool:
    """Tell whether an error means that the file itself is damaged, wherever in it that was noticed."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # extended codes have more bits
    return isinstance(error, sqlite3.DatabaseError) and code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def move_aside(path: Path, error: BaseException) -> None:
    """Rename a damaged file and its journal, so that a new one can begin. An earlier damaged file is replaced.

    Raises:
        OSError: the folder cannot be written.
    """
    aside = path.with_name(path.name + ".damaged")
    log.error("the history %s is damaged (%s); moved to %s, starting a new one", path, error, aside)
    path.replace(aside)
    with suppress(FileNotFoundError):
        path.with_name(path.name + "-wal").replace(aside.with_name(aside.name + "-wal"))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)


def _read_only(path: Path) -> sqlite3.Connection:
    """A read-only connection, checked for its version."""
    address = path.absolute().as_uri()
    try:
        return _checked(f"{address}?mode=ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CANTOPEN:
            raise
    return _checked(f"{address}?immutable=1")  # in a folder that cannot be written, where no journal can be


def _checked(address: str) -> sqlite3.Connection:
    db = sqlite3.connect(address, BUSY_S, check_same_thread=False, isolation_level=None, uri=True)
    try:
        (version,) = db.execute("pragma user_version").fetchone()
        db.execute("select count(*) from sqlite_master").fetchone()
    except BaseException:
        db.close()
        raise
    if version > len(MIGRATIONS):
        db.close()
        raise StorageUnavailable(
            f"the history was written by a newer version of Lullwave (schema {version}, this one knows "
            f"{len(MIGRATIONS)}): it is left alone, and nothing is kept"
        )
    return db
