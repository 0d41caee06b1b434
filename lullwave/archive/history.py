"""What every station played, in SQLite: when, what, and from what it can be made again; knows no engine.

Frames count from 0 in each *run* of a station (from start to stop of the server). ``epochs`` tie frames to the time
of day: between two of them frames follow the clock. ``states`` hold the engine's snapshots as they went on air, with
the master's state at the chunk that they came in. Pieces and steering are ``events``.
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

REACH_S = 120.0  # nothing is made again further after the last state: it was not heard

IN_MEMORY_BYTES = 16e6  # of states, where there is no file

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
    """One state as it was kept."""

    frame: int
    engine: str
    snapshot: bytes
    skip: int
    overlap: int
    master_frame: int
    master: bytes


@dataclass(frozen=True)
class Moment:
    """A frame of a run."""

    run: int
    frame: int


@dataclass(frozen=True)
class HistoryEntry:
    """Something that was heard."""

    run: int
    frame: int
    wall: float | None
    kind: str
    data: Mapping[str, Any]
    until: int | None = None  # the frame at which the next piece began, or the station ended; None while it goes on


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
    """The file. Thread-safe; every call is one short transaction.

    ``path`` None keeps it in memory.
    """

    def __init__(self, path: Path | None, max_bytes: float) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._works = True
        self._closed = False
        self._bytes: int | None = None  # of all states; None until it is asked for, and after a failure
        self._db = _opened(path)

    @property
    def works(self) -> bool:
        """Whether the last thing that was wanted of it could be done."""
        return self._works

    @classmethod
    def open_or_recover(cls, path: Path, max_bytes: float) -> History:
        """The history at ``path``, whatever is there: music must not wait for it.

        A damaged file is moved aside and a new one begun. Where no file can be, it is kept in memory until the end.
        """
        try:
            try:
                return cls(path, max_bytes)
            except sqlite3.OperationalError:  # locked, read-only, no space: nothing is wrong with the file
                raise
            except sqlite3.DatabaseError as error:
                _move_aside(path, error)
                return cls(path, max_bytes)
        except (OSError, sqlite3.Error) as error:
            log.error("no history can be kept in %s: %s; what plays is remembered until the server ends", path, error)
            return cls(None, min(max_bytes, IN_MEMORY_BYTES))

    def begin(self, station: str, wall: float, rate: int, loudness_lufs: float, ceiling_dbtp: float) -> int:
        """A new run of a station; gives its number."""
        with self._transaction() as db:
            cursor = db.execute(
                "insert into runs (station, began, rate, loudness_lufs, ceiling_dbtp) values (?, ?, ?, ?, ?)",
                (station, wall, rate, loudness_lufs, ceiling_dbtp),
            )
            return int(cursor.lastrowid or 0)

    def levels(self, run: int) -> tuple[float, float]:
        """The loudness and the ceiling that a run was mastered to."""
        with self._transaction() as db:
            row = db.execute("select loudness_lufs, ceiling_dbtp from runs where id = ?", (run,)).fetchone()
        if row is None:
            raise NotFound("run", str(run))
        return float(row[0]), float(row[1])

    def epoch(self, run: int, frame: int, wall: float) -> None:
        """From ``frame`` on, frames follow the clock from ``wall``."""
        with self._transaction() as db:
            db.execute("insert into epochs values (?, ?, ?)", (run, frame, wall))

    def event(self, run: int, frame: int, kind: str, data: Mapping[str, Any]) -> None:
        """A piece or a steering that was heard at ``frame``."""
        with self._transaction() as db:
            db.execute(
                "insert into events values (?, ?, ?, ?)", (run, frame, kind, json.dumps(dict(data), default=str))
            )

    def state(self, run: int, state: SavedState) -> None:
        """Keep a state; the oldest of all stations go when there is too much."""
        snapshot, master = zlib.compress(state.snapshot, 3), zlib.compress(state.master, 3)
        size = len(snapshot) + len(master)
        with self._transaction() as db:
            total = self._bytes
            if total is None:  # it reads the whole file
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
        """What was on air at a time of day.

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

    def states(self, moment: Moment, frames: int) -> list[SavedState]:
        """All that is needed to make ``frames`` from ``moment`` on: in order, from before the moment.

        The first lies at or before the second's ``master_frame``, from which mastering goes on.

        Raises:
            NotFound: it is not kept any more.
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
            kept: list[SavedState] = []  # newest first; a run may have hundreds of megabytes before them
            anchor: SavedState | None = None  # from which mastering goes on
            for r in rows:
                state = SavedState(r[0], r[1], zlib.decompress(r[2]), r[3], r[4], r[5], zlib.decompress(r[6]))
                kept.append(state)
                if anchor is None and state.master_frame <= moment.frame:
                    anchor = state
                if anchor is not None and state.frame <= anchor.master_frame and not state.overlap:
                    break
        if anchor is None or kept[-1].frame > anchor.master_frame:
            raise NotFound("moment", f"run {moment.run}, frame {moment.frame}")
        return kept[::-1]

    def past(self, station: str, limit: int = 50, before: float | None = None) -> list[HistoryEntry]:
        """Pieces and steering that were heard, newest first."""
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
        """One transaction, all of it or nothing.

        Raises:
            StorageUnavailable: the disk or the file does not let us; the next call tries with the file opened anew.
        """
        with self._lock:
            try:
                if not self._works and not self._closed:
                    self._reopen()
                self._db.execute("begin")
                try:
                    yield self._db
                except BaseException:
                    with suppress(sqlite3.Error):  # sqlite has undone it by itself
                        self._db.execute("rollback")
                    raise
                self._db.execute("commit")
            except (sqlite3.Error, OSError) as error:
                self._works = self._closed
                self._bytes = None
                raise StorageUnavailable(f"the history cannot be read or written at present: {error}") from error
            self._works = True

    def _reopen(self) -> None:
        """The file may be whole again, or another one."""
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
    """A connection to a file of the newest version."""
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
    log.error("the history %s is damaged (%s); it is moved to %s and a new one begins", path, error, aside)
    path.replace(aside)
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
