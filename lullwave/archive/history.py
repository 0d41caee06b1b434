"""The history of all stations in SQLite: what played, when, and how to render it again.

Frames count from 0 in each *run* of a station (from start to stop of the server). ``epochs`` map frames to the time
of day: from one epoch to the next, frames follow the clock. ``states`` hold the engine snapshots that went on air,
each with the master's state at the beginning of its chunk. ``events`` are pieces and changes of the prompt.
"""

from __future__ import annotations

import json
import logging
import math
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from ..errors import InvalidInput, NotFound, StorageUnavailable
from ..packing import inflate

REACH_S = 120.0  # replay reaches at most this far beyond the last state: states are at most 60 s apart on air
IN_MEMORY_BYTES = 16e6  # limit for states while the history is in memory

log = logging.getLogger(__name__)

# Each entry brings the file from version n to n + 1. Entries are never changed once released.
MIGRATIONS = (
    """
    create table runs (id integer primary key, station text not null, began real not null, rate integer not null,
                       loudness_lufs real not null, ceiling_dbtp real not null);
    create table epochs (run integer not null references runs, frame integer not null, wall real not null);
    create table events (run integer not null references runs, frame integer not null, kind text not null,
                         data text not null);
    create table states (run integer not null references runs, frame integer not null, engine text not null,
                         snapshot blob not null, skip integer not null, overlap integer not null,
                         master_frame integer not null, master blob not null, bytes integer not null);
    create index runs_by_station on runs (station, began);
    create index epochs_by_wall on epochs (run, wall);
    create index events_by_frame on events (run, frame);
    create index states_by_frame on states (run, frame);
    """,
)


@dataclass(frozen=True)
class SavedState:
    """A restore point of the music, with the state of the master."""

    frame: int  # from which the engine's music is heard
    engine: str
    snapshot: bytes  # empty: the engine has no snapshots
    skip: int  # frames to drop after restoring the snapshot
    overlap: int  # length of the crossfade from the previous music, in frames
    master_frame: int  # frame of `master`
    master: bytes


@dataclass(frozen=True)
class Moment:
    """A frame in a run of a station."""

    run: int
    frame: int


@dataclass(frozen=True)
class HistoryEntry:
    """A piece or a change of the prompt."""

    run: int
    frame: int
    wall: float | None  # seconds since 1970
    kind: str  # piece or steer
    data: Mapping[str, Any]
    until: int | None = None  # frame at which the next piece began or the run ended; None for the piece on air


def wall_time(text: str, field: str = "at") -> float:
    """Parse a time: seconds since 1970, or ISO 8601 (local time without an offset). Returns seconds since 1970.

    Raises:
        InvalidInput: names ``field``.
    """
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError, OSError):
            seconds = float("nan")
    if not 0 <= seconds <= time.time() + 10 * 366 * 86400:
        raise InvalidInput(field, text, "a time such as 2025-01-31T22:15:00, or seconds since 1970")
    return seconds


def time_text(wall: float, zone: tzinfo | None = UTC) -> str:
    """ISO 8601 to the millisecond, which ``wall_time`` reads back; ``zone`` None is local time.

    Rounded up: what began at ``wall`` has begun at the time that is written.
    """
    seconds = math.ceil(round(wall * 1000, 3)) / 1000
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone).isoformat(timespec="milliseconds")


class History:
    """The database at ``path``; None: in memory. Thread-safe; every method is one short transaction.

    ``max_bytes`` limits the states; the oldest are deleted first. All methods raise ``StorageUnavailable`` while the
    file cannot be read or written; the next call opens it anew.
    """

    def __init__(self, path: Path | None, max_bytes: float) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._available = True
        self._closed = False
        self._bytes: int | None = None  # of all states; None: to be counted
        self._db = _opened(path)

    @property
    def available(self) -> bool:
        """Whether the last call succeeded."""
        return self._available

    @classmethod
    def open_or_recover(cls, path: Path, max_bytes: float) -> History:
        """Open the history at ``path``. Never raises: the station must play without it.

        A damaged file is moved aside and a new one begun. If there can be no file, the history is kept in memory.
        """
        try:
            try:
                return cls(path, max_bytes)
            except sqlite3.OperationalError:  # locked, read-only or disk full: the file is not damaged
                raise
            except sqlite3.DatabaseError as error:
                _move_aside(path, error)
                return cls(path, max_bytes)
        except (OSError, sqlite3.Error) as error:
            log.error("cannot write the history to %s: %s; it is kept in memory until the server stops", path, error)
            return cls(None, min(max_bytes, IN_MEMORY_BYTES))

    def begin_run(self, station: str, wall: float, rate: int, loudness_lufs: float, ceiling_dbtp: float) -> int:
        """Begin a run of a station; returns its number."""
        with self._transaction() as db:
            cursor = db.execute(
                "insert into runs (station, began, rate, loudness_lufs, ceiling_dbtp) values (?, ?, ?, ?, ?)",
                (station, wall, rate, loudness_lufs, ceiling_dbtp),
            )
            return int(cursor.lastrowid or 0)

    def levels(self, run: int) -> tuple[float, float]:
        """The loudness (LUFS) and the ceiling (dBTP) to which a run was mastered."""
        with self._transaction() as db:
            row = db.execute("select loudness_lufs, ceiling_dbtp from runs where id = ?", (run,)).fetchone()
        if row is None:
            raise NotFound("run", str(run))
        return float(row[0]), float(row[1])

    def add_epoch(self, run: int, frame: int, wall: float) -> None:
        """Add an epoch: ``frame`` went on air at ``wall``, and later frames follow the clock."""
        with self._transaction() as db:
            db.execute("insert into epochs values (?, ?, ?)", (run, frame, wall))

    def add_event(self, run: int, frame: int, kind: str, data: Mapping[str, Any]) -> None:
        """Add a piece, a change of the prompt, or the end of the run."""
        with self._transaction() as db:
            db.execute(
                "insert into events values (?, ?, ?, ?)", (run, frame, kind, json.dumps(dict(data), default=str))
            )

    def add_state(self, run: int, state: SavedState) -> None:
        """Add a state; delete the oldest of all stations while they exceed the limit."""
        snapshot, master = zlib.compress(state.snapshot, 3), zlib.compress(state.master, 3)
        size = len(snapshot) + len(master)
        with self._transaction() as db:
            total = self._bytes
            if total is None:  # reads the whole table
                (total,) = db.execute("select coalesce(sum(bytes), 0) from states").fetchone()
            db.execute(
                "insert into states values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (run, state.frame, state.engine, snapshot, state.skip, state.overlap, state.master_frame, master, size),
            )
            total += size
            while total > self._max_bytes:
                row = db.execute("select rowid, bytes from states order by rowid limit 1").fetchone()
                db.execute("delete from states where rowid = ?", (row[0],))
                total -= row[1]
            self._bytes = total

    def moment(self, station: str, wall: float) -> Moment:
        """The run and frame that a station played at a time.

        Raises:
            NotFound: the station was not on air then.
        """
        with self._transaction() as db:
            row = db.execute(
                "select epochs.run, epochs.frame, epochs.wall, runs.rate from epochs join runs on runs.id = epochs.run"
                " where runs.station = ? and epochs.wall <= ? order by epochs.wall desc, epochs.frame desc limit 1",
                (station, wall),
            ).fetchone()
            if row is not None:
                run, begin, since, rate = row
                frame = begin + round((wall - since) * rate)
                (last,) = db.execute("select max(frame) from events where run = ? and kind = 'end'", (run,)).fetchone()
                (following,) = db.execute(
                    "select min(frame) from epochs where run = ? and frame > ?", (run, begin)
                ).fetchone()
                limits = [limit for limit in (last, following) if limit is not None]
                if not limits or frame < min(limits):
                    return Moment(run, frame)
        raise NotFound("moment", f"{station} at {wall:.3f}")

    def piece(self, moment: Moment) -> Mapping[str, Any]:
        """The data of the piece that was heard at ``moment``; empty if none had begun."""
        with self._transaction() as db:
            row = db.execute(
                "select data from events where run = ? and kind = 'piece' and frame <= ? order by frame desc limit 1",
                (moment.run, moment.frame),
            ).fetchone()
        return json.loads(row[0]) if row is not None else {}

    def states(self, moment: Moment, frames: int) -> list[SavedState]:
        """The states needed to render ``frames`` from ``moment`` on, in order.

        The first lies at or before the ``master_frame`` of the state from which mastering goes on.

        Raises:
            NotFound: its states were deleted, or it was not on air.
        """
        with self._transaction() as db:
            last, rate = db.execute(
                "select max(frame), max(rate) from states join runs on runs.id = states.run where run = ?",
                (moment.run,),
            ).fetchone()
            if last is None or moment.frame + frames > last + REACH_S * rate:
                raise NotFound("moment", f"run {moment.run}, frame {moment.frame}")
            rows = db.execute(
                "select frame, engine, snapshot, skip, overlap, master_frame, master from states"
                " where run = ? and frame < ? order by frame desc, rowid desc",
                (moment.run, moment.frame + frames),
            )
            needed: list[SavedState] = []  # newest first; earlier ones (up to hundreds of MB) are not read
            anchor: SavedState | None = None  # mastering goes on from it
            for r in rows:
                state = SavedState(r[0], r[1], inflate(r[2]), r[3], r[4], r[5], inflate(r[6]))
                needed.append(state)
                if anchor is None and state.master_frame <= moment.frame:
                    anchor = state
                if anchor is not None and state.frame <= anchor.master_frame and not state.overlap:
                    break
        if anchor is None or needed[-1].frame > anchor.master_frame:
            raise NotFound("moment", f"run {moment.run}, frame {moment.frame}")
        return needed[::-1]

    def entries(self, station: str, limit: int = 50, before: float | None = None) -> list[HistoryEntry]:
        """The last ``limit`` pieces and changes of the prompt that began before ``before``, newest first."""
        with self._transaction() as db:
            rows = db.execute(
                "select events.run, events.frame, events.kind, events.data, runs.rate,"
                " (select max(frame) from epochs where run = events.run and frame <= events.frame),"
                " (select min(next.frame) from events next where next.run = events.run and next.frame > events.frame"
                " and next.kind in ('piece', 'end'))"
                " from events join runs on runs.id = events.run"
                " where runs.station = ? and events.kind != 'end' order by events.rowid desc limit ?",
                (station, limit if before is None else 10000),
            ).fetchall()
            found = []
            for run, frame, kind, data, rate, begin, until in rows:
                wall = None
                if begin is not None:
                    (since,) = db.execute(
                        "select wall from epochs where run = ? and frame = ?", (run, begin)
                    ).fetchone()
                    wall = since + (frame - begin) / rate
                if before is None or (wall is not None and wall < before):
                    found.append(HistoryEntry(run, frame, wall, kind, json.loads(data), until))
            return found[:limit]

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, committed as a whole or rolled back.

        Raises:
            StorageUnavailable: the file cannot be read or written; the next call opens it anew.
        """
        with self._lock:
            try:
                if not self._available and not self._closed:
                    self._reopen()
                self._db.execute("begin")
                try:
                    yield self._db
                except BaseException:
                    with suppress(sqlite3.Error):  # SQLite rolled it back by itself
                        self._db.execute("rollback")
                    raise
                self._db.execute("commit")
            except (sqlite3.Error, OSError) as error:
                self._available = self._closed
                self._bytes = None
                raise StorageUnavailable(f"the history cannot be read or written: {error}") from error
            self._available = True

    def _reopen(self) -> None:
        """Open the file again: it may have been repaired or replaced."""
        if self._path is None:
            return
        self._db.close()
        try:
            self._db = _opened(self._path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            _move_aside(self._path, error)
            self._db = _opened(self._path)


def _opened(path: Path | None) -> sqlite3.Connection:
    """A connection to a database, migrated to the newest version."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
    try:
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")
        (version,) = db.execute("pragma user_version").fetchone()
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            db.executescript(f"begin; {script}; pragma user_version = {number}; commit;")
    except BaseException:
        db.close()
        raise
    return db


def _move_aside(path: Path, error: Exception) -> None:
    aside = path.with_name(path.name + ".damaged")
    log.error("the history %s is damaged (%s); moved to %s, starting a new one", path, error, aside)
    path.replace(aside)
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
