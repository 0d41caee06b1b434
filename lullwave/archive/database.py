"""A database of the history: its transactions, and when it is tried again after a failure. Knows no queries.

Statements are written for SQLite, with `?` or `:name` for parameters. What SQLite and PostgreSQL do differently is in
the two subclasses.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Protocol

from ..errors import StorageUnavailable

ABANDONED_S = 60.0  # a run of a shared database that nobody continued for so long is of a killed server

Parameters = Sequence[Any] | Mapping[str, Any]

log = logging.getLogger(__name__)


class Rows(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """What executes statements, inside a transaction."""

    def execute(self, statement: str, parameters: Any = (), /) -> Rows: ...

    def close(self) -> None: ...


class HistoryDatabase(ABC):
    """A connection that is opened by its first transaction. Thread-safe: one transaction at a time.

    After a failure the next transaction that writes opens the database anew, ``retry_s`` later at the soonest; where
    writing alone fails, reading goes on. With ``read_only`` nothing is changed.
    """

    shared = False  # whether other servers write it, too
    greatest = "max"  # the function that gives the larger one of two values
    begin = ("begin", "begin immediate")  # a transaction that reads, one that writes

    def __init__(self, retry_s: float, read_only: bool) -> None:
        self._retry_s = retry_s
        self._read_only = read_only
        self._lock = threading.Lock()
        self._db: Any = None  # the connection; None while there is none
        self._writable = False
        self._retry_at = -math.inf  # of the monotonic clock
        self._error = ""
        self._closed = False
        self.generation = 0  # grows with each opening: what was counted before may be wrong from then on

    @property
    @abstractmethod
    def name(self) -> str:
        """Its path or address, without secrets, for the log."""

    @property
    @abstractmethod
    def errors(self) -> tuple[type[Exception], ...]:
        """What its statements raise."""

    @property
    def kept(self) -> bool:
        """Whether it was opened and the last write succeeded."""
        return self._writable and not self._error

    @property
    def error(self) -> str:
        """Why nothing is kept; empty if it is, or before the database was opened."""
        return self._error

    def open(self) -> None:
        """Open it now, so that ``kept`` and ``error`` are true from the start. Never raises."""
        try:
            with self.writing():
                pass
        except StorageUnavailable as error:
            log.warning("%s: %s; trying again later", self.name, error)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._disconnect()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that changes nothing.

        Raises:
            StorageUnavailable: it cannot be read.
        """
        with self._lock, self._transaction(False) as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed as a whole or rolled back.

        Raises:
            StorageUnavailable: it cannot be written.
        """
        with self._lock:
            with self._transaction(True) as db:
                yield db
            self._error = ""

    @abstractmethod
    def inserted(self, db: Connection, statement: str, parameters: Parameters) -> int:
        """Execute an insertion into ``runs``; returns the number of the new row."""

    @abstractmethod
    def each(self, db: Connection, statement: str, parameters: Parameters) -> AbstractContextManager[Iterable[Any]]:
        """The rows of a query, read from the database as they are asked for."""

    @abstractmethod
    def used_bytes(self, db: Connection) -> int:
        """The bytes of all that counts for the limit, found at once; 0 where the states alone count."""

    @abstractmethod
    def delete_alone(self, db: Connection) -> None:
        """Let no other server delete until this transaction ends."""

    @abstractmethod
    def shorten(self, max_bytes: float) -> None:
        """Give room back if there is much more than ``max_bytes``, as after the limit was lowered.

        Raises:
            StorageUnavailable
        """

    @abstractmethod
    def _open(self) -> None:
        """Connect, for reading alone if it cannot be written; notes the error."""

    @abstractmethod
    def _failed(self, error: Exception, write: bool) -> None:
        """Note a failure: what is opened anew, and when."""

    @abstractmethod
    def _said(self, error: Exception, write: bool) -> str:
        """What failed, in words without paths and addresses: strangers read them."""

    @contextmanager
    def _transaction(self, write: bool) -> Iterator[Connection]:
        db: Connection = self._connected(write)
        try:
            with transaction(db, self.begin[write]):
                yield db
        except self.errors as error:
            self._failed(error, write)
            raise StorageUnavailable(self._said(error, write)) from error

    def _connected(self, write: bool) -> Any:
        """The open database; opened now if it is not, unless that failed less than ``retry_s`` ago.

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

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db, self._writable = None, False


@contextmanager
def transaction(db: Connection, begin: str) -> Iterator[None]:
    """All or nothing of what the block executes."""
    db.execute(begin)
    try:
        yield
    except BaseException:
        with suppress(Exception):  # the database rolled it back by itself, or is away
            db.execute("rollback")
        raise
    db.execute("commit")


def close_open_runs(db: Connection, greatest: str, before: float | None = None) -> None:
    """End each run of a killed server where it was last on air, and forget what was only announced.

    ``before``: only runs that were on air last before this time of day; other servers' may go on.
    """
    abandoned = (
        " and coalesce((select epochs.wall + (cut.frame - epochs.frame) * 1.0 / cut.rate from epochs"
        " where epochs.run = cut.id and epochs.frame <= cut.frame order by epochs.frame desc limit 1), began) < ?"
    )
    left_open = db.execute(
        f"select id, station, frame from (select id, station, began, rate, {greatest}(aired, coalesce("
        " (select max(frame) from events where run = runs.id and kind = 'end'), 0)) as frame from runs) as cut"
        " where (not exists (select 1 from events where run = id and kind = 'end' and events.frame >= cut.frame)"
        " or exists (select 1 from epochs where run = id and epochs.frame >= cut.frame))"
        + ("" if before is None else abandoned),
        () if before is None else (before,),
    ).fetchall()
    for run, station, frame in left_open:
        db.execute("delete from epochs where run = ? and frame >= ?", (run, frame))
        db.execute("delete from events where run = ? and frame >= ?", (run, frame))
        db.execute(
            "insert into events (run, frame, kind, data, station) values (?, ?, 'end', '{}', ?)",
            (run, frame, station),
        )
