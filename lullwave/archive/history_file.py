"""The SQLite file of the history: how it is opened, tried again after a failure, and replaced when it is damaged.

Knows no queries.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import StorageUnavailable
from .history_schema import MIGRATIONS, migrate

LONG = 1.5  # times its limit: a file that is longer is written anew
BUSY_S = 1.0  # seconds to wait while another process has locked the file

log = logging.getLogger(__name__)


class HistoryFile:
    """A connection that is opened by its first transaction. Thread-safe: one transaction at a time.

    After a failure the next transaction that writes opens the file anew, ``retry_s`` later at the soonest; where
    writing alone fails, reading goes on. A damaged file is moved aside and a new one begun. The first time that the
    file can be written, runs that a killed server left open are closed. With ``read_only`` the file is never changed.
    """

    def __init__(self, path: Path | None, retry_s: float = 0.0, read_only: bool = False) -> None:
        self._path = path
        self._retry_s = retry_s
        self._read_only = read_only
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._writable = False
        self._retry_at = -math.inf  # of the monotonic clock
        self._error = ""
        self._runs_closed = False
        self._closed = False
        self.generation = 0  # grows with each opening: what was counted in the file may be wrong from then on

    @property
    def kept(self) -> bool:
        """Whether the file was opened and the last write succeeded."""
        return self._writable and not self._error

    @property
    def error(self) -> str:
        """Why nothing is kept; empty if it is, or before the file was opened."""
        return self._error

    def open(self) -> None:
        """Open the file now, so that ``kept`` and ``error`` are true from the start. Never raises."""
        try:
            with self.writing():
                pass
        except StorageUnavailable as error:
            log.warning("%s: %s; trying again later", self._path, error)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._disconnect()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One transaction that changes nothing.

        Raises:
            StorageUnavailable: the file cannot be read.
        """
        with self._lock, self._transaction(False) as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, committed as a whole or rolled back.

        Raises:
            StorageUnavailable: the file cannot be written.
        """
        with self._lock:
            with self._transaction(True) as db:
                yield db
            self._error = ""

    def shorten(self, max_bytes: float) -> None:
        """Write the file anew if it is much longer than ``max_bytes``, as after the limit was lowered.

        Raises:
            StorageUnavailable: the file cannot be written.
        """
        with self._lock:
            db = self._connected(True)
            try:
                (pages,), (size,) = (db.execute(f"pragma {name}").fetchone() for name in ("page_count", "page_size"))
                if pages * size > LONG * max_bytes and used_bytes(db) < pages * size / LONG:
                    db.execute("vacuum")
                    db.execute("pragma wal_checkpoint(truncate)")
            except sqlite3.Error as error:
                self._failed(error, True)
                raise StorageUnavailable(_said(error, True)) from error

    @contextmanager
    def _transaction(self, write: bool) -> Iterator[sqlite3.Connection]:
        db = self._connected(write)
        try:
            db.execute("begin immediate" if write else "begin")
            try:
                yield db
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite rolled it back by itself
                    db.execute("rollback")
                raise
            db.execute("commit")
        except (sqlite3.Error, OSError) as error:
            self._failed(error, write)
            raise StorageUnavailable(_said(error, write)) from error

    def _connected(self, write: bool) -> sqlite3.Connection:
        """The open file; opened now if it is not, unless that failed less than ``retry_s`` ago.

        Raises:
            StorageUnavailable
        """
        if self._closed:
            raise StorageUnavailable("the history is closed")
        lacking = self._db is None or (write and not self._writable)
        if lacking and time.monotonic() >= self._retry_at:
            self._open()
        if self._db is None or (write and not self._writable):
            raise StorageUnavailable(self._error)
        return self._db

    def _open(self) -> None:
        """Open the file, for reading alone if it cannot be written; notes the error."""
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
            close_open_runs(self._db)
            self._runs_closed = True
        self._writable = True

    def _failed(self, error: Exception, write: bool) -> None:
        """Note a failure: what is opened anew, and when."""
        if is_damage(error) and not self._read_only and self._path is not None:
            self._disconnect()
            self._error = _said(error, write)
            with suppress(OSError):
                move_aside(self._path, error)  # the next transaction begins a new file
        elif write or self._read_only:
            self._error = _said(error, write and not self._read_only)
            self._retry_at = time.monotonic() + self._retry_s
            self._writable = False
        else:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db, self._writable = None, False


def used_bytes(db: sqlite3.Connection) -> int:
    """The bytes of the pages that hold something; read from the file's header, so at once."""
    pages, free, size = (
        int(db.execute(f"pragma {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _said(error: Exception, write: bool) -> str:
    """What failed, in words without paths: strangers read them."""
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


def close_open_runs(db: sqlite3.Connection) -> None:
    """End each run of a killed server where it was last on air, and forget what was only announced."""
    db.execute("begin immediate")
    try:
        left_open = db.execute(
            "select id, station, frame from (select id, station, max(aired, coalesce("
            " (select max(frame) from events where run = runs.id and kind = 'end'), 0)) as frame from runs) as cut"
            " where not exists (select 1 from events where run = id and kind = 'end' and events.frame >= cut.frame)"
            " or exists (select 1 from epochs where run = id and epochs.frame >= cut.frame)"
        ).fetchall()
        for run, station, frame in left_open:
            db.execute("delete from epochs where run = ? and frame >= ?", (run, frame))
            db.execute("delete from events where run = ? and frame >= ?", (run, frame))
            db.execute(
                "insert into events (run, frame, kind, data, station) values (?, ?, 'end', '{}', ?)",
                (run, frame, station),
            )
        db.execute("commit")
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("rollback")
        raise


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
