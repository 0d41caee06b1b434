"""The history in PostgreSQL, which several servers write: connection, schema, and what differs from SQLite.

Knows no queries. By the library ``psycopg`` (extra ``cloud``).
"""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from os import dup
from typing import Any

from ..errors import InvalidInput, MissingExtra, StorageUnavailable
from ..redaction import redacted
from .database import ABANDONED_S, Connection, HistoryDatabase, Parameters, Rows, close_open_runs, transaction

ADDRESSES = "postgresql://user:password@host:5432/database"  # as libpq reads them
CONNECT_S = 3  # seconds to wait for a connection
ANSWER_S = 10.0  # seconds after which a transaction is given up: it may hold states of many megabytes
READ_AT_ONCE = 4  # rows; a state may have megabytes
SCHEMA = "lullwave"
_LOCK = 0x6C756C6C  # of this schema among a database's advisory locks

# Each entry brings the schema from version n to n + 1. Entries are never changed once released.
MIGRATIONS = (
    """
    create table runs (id bigint generated always as identity primary key, station text not null,
                       began double precision not null, rate integer not null, loudness_lufs double precision not null,
                       ceiling_dbtp double precision not null, aired bigint not null default 0);
    create table epochs (run bigint not null references runs, frame bigint not null, wall double precision not null);
    create table events (rowid bigint generated always as identity primary key, run bigint not null references runs,
                         frame bigint not null, kind text not null, data text not null,
                         station text not null default '', wall double precision);
    create table states (rowid bigint generated always as identity primary key, run bigint not null references runs,
                         frame bigint not null, engine text not null, snapshot bytea not null, skip bigint not null,
                         overlap bigint not null, master_frame bigint not null, master bytea not null,
                         bytes bigint not null);
    create index runs_by_station on runs (station, began);
    create index epochs_by_wall on epochs (run, wall);
    create index epochs_by_frame on epochs (run, frame);
    create index events_by_frame on events (run, frame);
    create index events_by_time on events (station, wall, rowid) where kind != 'end';
    create index states_by_frame on states (run, frame);
    """,
)

log = logging.getLogger(__name__)


class HistoryServer(HistoryDatabase):
    """The tables in the schema ``lullwave`` of the database at ``url``; they are made where they are missing.

    Runs of killed servers are closed once they are ``ABANDONED_S`` old: other servers' runs go on.

    Raises:
        MissingExtra: ``psycopg`` is not installed.
        InvalidInput: the address is none of PostgreSQL's.
    """

    shared = True
    greatest = "greatest"
    begin = ("begin read only", "begin")

    def __init__(self, url: str, retry_s: float = 0.0, read_only: bool = False) -> None:
        super().__init__(retry_s, read_only)
        try:
            import psycopg
        except ImportError:
            raise MissingExtra("a history in PostgreSQL", "cloud", "psycopg") from None
        self._psycopg = psycopg
        self._url = url
        try:
            psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.Error:  # its message may hold the password
            raise InvalidInput("database_url", redacted(url), ADDRESSES) from None

    @property
    def name(self) -> str:
        return redacted(self._url)

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        return self._psycopg.Error, OSError

    def inserted(self, db: Connection, statement: str, parameters: Parameters) -> int:
        return int(db.execute(f"{statement} returning id", parameters).fetchone()[0])

    @contextmanager
    def each(self, db: Connection, statement: str, parameters: Parameters) -> Iterator[Iterable[Any]]:
        assert isinstance(db, _Translated)
        with db.connection.cursor(name="each") as cursor:
            cursor.itersize = READ_AT_ONCE
            cursor.execute(_translated(statement), parameters)
            yield cursor

    def used_bytes(self, db: Connection) -> int:
        return 0

    def delete_alone(self, db: Connection) -> None:
        db.execute("select pg_advisory_xact_lock(?)", (_LOCK,))

    def shorten(self, max_bytes: float) -> None:
        """Nothing: PostgreSQL uses the room of what was deleted by itself."""

    @contextmanager
    def _transaction(self, write: bool) -> Iterator[Connection]:
        given_up = threading.Timer(ANSWER_S, self._hang_up)
        given_up.daemon = True
        given_up.start()
        try:
            with super()._transaction(write) as db:
                yield db
        finally:
            given_up.cancel()

    def _hang_up(self) -> None:
        """End the connection of a transaction that the server does not answer; its statement fails then. Any thread."""
        db = self._db
        with suppress(OSError, AttributeError, self._psycopg.Error), socket.socket(fileno=dup(db.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    def _open(self) -> None:
        self._disconnect()
        self.generation += 1
        failures: tuple[type[Exception], ...] = (*self.errors, StorageUnavailable)
        try:
            connection = self._psycopg.connect(
                self._url, autocommit=True, connect_timeout=CONNECT_S, application_name="lullwave"
            )
            self._db = db = _Translated(connection)
            refuses = db.execute("show transaction_read_only").fetchone()[0] == "on"  # a standby
            if self._read_only or refuses:
                _check_version(_version(db), complete=True)
            else:
                _migrate(db)
            db.execute(f"set search_path to {SCHEMA}")
            if refuses and not self._read_only:
                self._failed(StorageUnavailable("the history cannot be written: the database is read-only"), True)
            elif not self._read_only:
                self._writable = True
                with transaction(db, "begin"):
                    self.delete_alone(db)
                    close_open_runs(db, self.greatest, time.time() - ABANDONED_S)
        except failures as error:
            self._disconnect()
            self._failed(error, True)

    def _failed(self, error: Exception, write: bool) -> None:
        said = self._said(error, write)
        if said != self._error:
            log.warning("%s: %s", self.name, redacted(str(error).strip().partition("\n")[0]))
        if write or self._read_only or self._db is None or self._db.connection.closed:
            self._error, self._writable = said, False
            self._retry_at = time.monotonic() + self._retry_s
        if self._db is not None and self._db.connection.closed:
            self._disconnect()

    def _said(self, error: Exception, write: bool) -> str:
        if isinstance(error, StorageUnavailable):
            return str(error)
        code = getattr(error, "sqlstate", None)
        known = {"53": "it has no room", "25": "it is read-only", None: "the database does not answer"}
        reason = known.get(code and code[:2], f"error {code} of PostgreSQL")
        return f"the history cannot be {'written' if write else 'read'}: {reason}"


class _Translated:
    """A connection that takes statements as they are written for SQLite."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def execute(self, statement: str, parameters: Any = (), /) -> Rows:
        rows: Rows = self.connection.execute(_translated(statement), parameters or None)
        return rows

    def fileno(self) -> int:
        return int(self.connection.fileno())

    def close(self) -> None:
        self.connection.close()


@cache
def _translated(statement: str) -> str:
    """``?`` and ``:name`` as psycopg writes parameters. Statements have no other question marks, colons or percents."""
    return re.sub(r":([a-z]+)", r"%(\1)s", statement.replace("?", "%s"))


def _version(db: Connection) -> int:
    """The version of the schema; 0 where there is none."""
    if db.execute(f"select to_regclass('{SCHEMA}.version')").fetchone()[0] is None:
        return 0
    return int(db.execute(f"select number from {SCHEMA}.version").fetchone()[0])


def _check_version(version: int, complete: bool) -> None:
    """Refuse a newer version, and an older one if it must be complete.

    Raises:
        StorageUnavailable
    """
    if version > len(MIGRATIONS):
        raise StorageUnavailable(
            f"the history was written by a newer version of Lullwave (schema {version}, this one knows "
            f"{len(MIGRATIONS)}): it is left alone, and nothing is kept"
        )
    if complete and version < len(MIGRATIONS):
        raise StorageUnavailable("the database holds no history, or that of an older version of Lullwave")


def _migrate(db: Connection) -> None:
    """Bring the schema to the newest version, as a whole or not at all. One server does it, others wait.

    Raises:
        StorageUnavailable: a newer version of Lullwave has written it.
    """
    with transaction(db, "begin"):
        db.execute("select pg_advisory_xact_lock(?)", (_LOCK,))
        version = _version(db)
        _check_version(version, complete=False)
        if version == len(MIGRATIONS):
            return
        if not version:
            if db.execute(f"select to_regnamespace('{SCHEMA}')").fetchone()[0] is None:
                db.execute(f"create schema {SCHEMA}")
            db.execute(f"create table {SCHEMA}.version (number integer not null)")
            db.execute(f"insert into {SCHEMA}.version values (0)")
        db.execute(f"set local search_path to {SCHEMA}")
        for script in MIGRATIONS[version:]:
            for statement in script.split(";"):
                if statement.strip():
                    db.execute(statement)
        db.execute(f"update {SCHEMA}.version set number = ?", (len(MIGRATIONS),))
