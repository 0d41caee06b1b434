"""The history of all stations in a database: what played, when, and how to render it again. Knows no engine.

Frames count from 0 in each *run* of a station (from start to stop of the server); ``aired`` is the frame up to which
a run is known to have been on air. ``epochs`` map frames to the time of day: from one epoch to the next, frames follow
the clock. ``states`` hold the engine snapshots that went on air, each with the master's state at the beginning of its
chunk. ``events`` are pieces, changes of the prompt, and the ends at which a station slept or stopped.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import NotFound
from ..storage.packing import inflate
from .database import ABANDONED_S, Connection, HistoryDatabase, close_open_runs
from .history_file import HistoryFile

REACH_S = 120.0  # replay reaches at most this far beyond the last state: states are at most 60 s apart on air
PRUNED_AT_ONCE = 5000  # old events that one transaction deletes
SURPLUS_AT_ONCE = 1000  # the same of events that are too many: 160 kB
COUNTED_EVERY = 64  # states, before those of a shared database are counted again: other servers add and delete, too
LAST = (math.inf, 0)  # the cursor of the newest entries
_WALL = """(select epochs.wall + (:frame - epochs.frame) * 1.0 / runs.rate from epochs join runs on runs.id = epochs.run
            where epochs.run = :run and epochs.frame <= :frame order by epochs.frame desc limit 1)"""


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
    left: int | None = None  # frames until the station slept or stopped; None: it goes on


@dataclass(frozen=True)
class HistoryEntry:
    """A piece or a change of the prompt."""

    id: int  # orders entries of the same time
    run: int
    frame: int
    wall: float  # seconds since 1970
    kind: str  # piece or steer
    data: Mapping[str, Any]
    until: int | None = None  # frame at which the next piece began or the run ended; None for the piece on air


class History:
    """The history in an SQLite file at a path, in memory (None), or in PostgreSQL at an address (a string).

    Thread-safe; every method is one short transaction. All raise ``StorageUnavailable`` while ``database`` cannot be
    read or written. ``max_bytes`` limits the file: beyond it the oldest states are deleted, and the oldest events where
    these have more than half of it. In PostgreSQL it limits the states. ``max_age_s`` is the age up to which ``prune``
    keeps anything.

    Raises:
        MissingExtra: the package for PostgreSQL is not installed.
        InvalidInput: the address is none of PostgreSQL's.
    """

    def __init__(
        self,
        place: Path | str | None,
        max_bytes: float,
        max_age_s: float = math.inf,
        retry_s: float = 0.0,
        read_only: bool = False,
    ) -> None:
        self.database: HistoryDatabase
        if isinstance(place, str):
            from .history_server import HistoryServer

            self.database = HistoryServer(place, retry_s, read_only)
        else:
            self.database = HistoryFile(place, retry_s, read_only)
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._read_only = read_only
        self._bytes: tuple[int, int] | None = None  # (generation of the database, bytes of all states)
        self._uncounted = 0  # states that were added since their bytes were counted

    def close(self) -> None:
        self.database.close()

    def begin_run(self, station: str, wall: float, rate: int, loudness_lufs: float, ceiling_dbtp: float) -> int:
        """Begin a run of a station; returns its number."""
        with self.database.writing() as db:
            return self.database.inserted(
                db,
                "insert into runs (station, began, rate, loudness_lufs, ceiling_dbtp) values (?, ?, ?, ?, ?)",
                (station, wall, rate, loudness_lufs, ceiling_dbtp),
            )

    def end_run(self, run: int, station: str, began: float, frame: int) -> None:
        """End a run at ``frame``, if it is in this database: another one may have its number."""
        with self.database.writing() as db:
            db.execute(
                "insert into events (run, frame, kind, data, station) select id, ?, 'end', '{}', station from runs"
                " where id = ? and station = ? and began = ?",
                (frame, run, station, began),
            )

    def levels(self, run: int) -> tuple[float, float]:
        """The loudness (LUFS) and the ceiling (dBTP) to which a run was mastered."""
        with self.database.reading() as db:
            row = db.execute("select loudness_lufs, ceiling_dbtp from runs where id = ?", (run,)).fetchone()
        if row is None:
            raise NotFound("run", str(run))
        return float(row[0]), float(row[1])

    def add_epoch(self, run: int, frame: int, wall: float) -> None:
        """Add an epoch: ``frame`` went on air at ``wall``, and later frames follow the clock."""
        with self.database.writing() as db:
            db.execute("insert into epochs (run, frame, wall) values (?, ?, ?)", (run, frame, wall))
            _note_aired(db, run, frame)
            for id, at in db.execute(
                "select rowid, frame from events where run = ? and frame >= ?", (run, frame)
            ).fetchall():  # they were announced before the clock was known
                db.execute(f"update events set wall = {_WALL} where rowid = :id", {"run": run, "frame": at, "id": id})

    def add_event(self, run: int, frame: int, kind: str, data: Mapping[str, Any]) -> None:
        """Add a piece, a change of the prompt, or the end of the run."""
        values = {"run": run, "frame": frame, "kind": kind, "data": json.dumps(dict(data), default=str)}
        with self.database.writing() as db:
            db.execute(
                "insert into events (run, frame, kind, data, station, wall) select :run, :frame, :kind, :data, station,"
                f" {_WALL} from runs where id = :run",
                values,
            )
            if kind == "piece":
                _note_aired(db, run, frame + 1)

    def add_aired(self, run: int, frame: int) -> None:
        """Note that everything before ``frame`` was on air: where the run ends if the server is killed."""
        with self.database.writing() as db:
            _note_aired(db, run, frame)

    def add_state(self, run: int, state: SavedState) -> None:
        """Add a state; delete the oldest of all stations while the file exceeds its limit."""
        snapshot, master = zlib.compress(state.snapshot, 3), zlib.compress(state.master, 3)
        size = len(snapshot) + len(master)
        with self.database.writing() as db:
            total = self._state_bytes(db) + size
            db.execute(
                "insert into states (run, frame, engine, snapshot, skip, overlap, master_frame, master, bytes)"
                " values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (run, state.frame, state.engine, snapshot, state.skip, state.overlap, state.master_frame, master, size),
            )
            _note_aired(db, run, state.frame)
            room = max(self._max_bytes / 2, self._max_bytes - max(0, self.database.used_bytes(db) - total))
            if total > room:
                self.database.delete_alone(db)
            while total > room:
                row = db.execute("select rowid, bytes from states order by rowid limit 1").fetchone()
                if row is None:  # other servers have deleted them
                    break
                db.execute("delete from states where rowid = ?", (row[0],))
                total -= row[1]
            self._bytes, self._uncounted = (self.database.generation, total), self._uncounted + 1

    def prune(self, now: float) -> None:
        """Delete what is too old or too much, in many short transactions.

        That is what began more than ``max_age_s`` before ``now``, and the oldest events of all stations while the file
        exceeds its limit. Its free pages are used again; where many were left, it is made shorter.
        """
        if self.database.shared:
            with self.database.writing() as db:
                close_open_runs(db, self.database.greatest, now - ABANDONED_S)
        if math.isfinite(self._max_age_s):
            self._delete_before(now - self._max_age_s)
        deleted = SURPLUS_AT_ONCE
        while deleted == SURPLUS_AT_ONCE:
            with self.database.writing() as db:
                used, states = self.database.used_bytes(db), self._state_bytes(db)
                if used <= self._max_bytes or used - states <= self._max_bytes / 2:  # the next state makes room
                    break
                oldest = db.execute(
                    "select rowid, wall from events where kind != 'end' order by rowid limit ?", (SURPLUS_AT_ONCE,)
                ).fetchall()
                deleted = len(oldest)
                if deleted == SURPLUS_AT_ONCE:
                    db.execute("delete from events where kind != 'end' and rowid <= ?", (oldest[-1][0],))
                    if _delete_empty_runs(db, oldest[-1][1] or now):
                        self._bytes = None
        self.database.shorten(self._max_bytes)

    def _state_bytes(self, db: Connection) -> int:
        """The bytes of all states; counted once, since that reads the whole table."""
        old = self.database.shared and self._uncounted >= COUNTED_EVERY
        if self._bytes is None or self._bytes[0] != self.database.generation or old:
            (total,) = db.execute("select coalesce(sum(bytes), 0) from states").fetchone()
            self._bytes, self._uncounted = (self.database.generation, int(total)), 0
        return self._bytes[1]

    def _delete_before(self, oldest: float) -> None:
        deleted = PRUNED_AT_ONCE
        while deleted == PRUNED_AT_ONCE:
            with self.database.writing() as db:
                self.database.delete_alone(db)
                stations = [name for (name,) in db.execute("select distinct station from runs")]
                deleted = 0
                for station in stations:
                    deleted += db.execute(
                        "delete from events where rowid in (select rowid from events"
                        " where station = ? and kind != 'end' and wall < ? limit ?)",
                        (station, oldest, PRUNED_AT_ONCE - deleted),
                    ).rowcount
        with self.database.writing() as db:
            self.database.delete_alone(db)
            if _delete_empty_runs(db, oldest):
                self._bytes = None

    def moment(self, station: str, wall: float) -> Moment:
        """The moment at which a station was at a time of day.

        Raises:
            NotFound: the station was not on air then, or is not known to have been.
        """
        with self.database.reading() as db:
            row = db.execute(
                "select epochs.run, epochs.frame, epochs.wall, runs.rate, runs.aired from epochs"
                " join runs on runs.id = epochs.run"
                " where runs.station = ? and epochs.wall <= ? order by epochs.wall desc, epochs.frame desc limit 1",
                (station, wall),
            ).fetchone()
            if row is not None:
                run, begin, since, rate, aired = row
                frame = begin + round((wall - since) * rate)
                (end,) = db.execute(
                    "select min(frame) from events where run = ? and kind = 'end' and frame > ?", (run, begin)
                ).fetchone()
                (following,) = db.execute(
                    "select min(frame) from epochs where run = ? and frame > ?", (run, begin)
                ).fetchone()
                if end is None and (self._read_only or self.database.shared):  # another server writes it, or was killed
                    end = aired
                limits = [limit for limit in (end, following) if limit is not None]
                if not limits or frame < min(limits):
                    return Moment(run, frame, None if end is None else end - frame)
        raise NotFound("moment", f"{station} at {wall:.3f}")

    def piece(self, moment: Moment) -> Mapping[str, Any]:
        """The data of the piece that was heard at ``moment``; empty if none had begun."""
        with self.database.reading() as db:
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
        with self.database.reading() as db:
            last, rate = db.execute(
                "select max(frame), max(rate) from states join runs on runs.id = states.run where run = ?",
                (moment.run,),
            ).fetchone()
            if last is None or moment.frame + frames > last + REACH_S * rate:
                raise NotFound("moment", f"run {moment.run}, frame {moment.frame}")
            needed: list[SavedState] = []  # newest first; earlier ones (up to hundreds of MB) are not read
            anchor: SavedState | None = None  # mastering goes on from it
            with self.database.each(
                db,
                "select frame, engine, snapshot, skip, overlap, master_frame, master from states"
                " where run = ? and frame < ? order by frame desc, rowid desc",
                (moment.run, moment.frame + frames),
            ) as rows:
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

    def entries(
        self,
        station: str,
        limit: int = 50,
        before: float | None = None,
        cursor: tuple[float, int] = LAST,
    ) -> list[HistoryEntry]:
        """The last ``limit`` pieces and changes of the prompt that began before ``before``, newest first.

        To read on, pass the (wall, id) of the last entry as ``cursor``: no entry is lost or given twice, also among
        those of the same time.
        """
        if before is not None:
            cursor = min(cursor, (before, 0))
        with self.database.reading() as db:
            rows = db.execute(
                "select rowid, run, frame, wall, kind, data,"
                " (select next.frame from events next where next.run = events.run and next.frame > events.frame"
                " and next.kind in ('piece', 'end') order by next.frame limit 1)"
                " from events where station = ? and kind != 'end' and (wall, rowid) < (?, ?)"
                " order by wall desc, rowid desc limit ?",
                (station, *cursor, limit),
            ).fetchall()
        return [
            HistoryEntry(id, run, frame, wall, kind, json.loads(data), until)
            for id, run, frame, wall, kind, data, until in rows
        ]


def _note_aired(db: Connection, run: int, frame: int) -> None:
    db.execute("update runs set aired = ? where id = ? and aired < ?", (frame, run, frame))


def _delete_empty_runs(db: Connection, oldest: float) -> int:
    """Delete the runs that began before ``oldest`` and have no events left, but the last one of each station."""
    runs = db.execute(
        "select id from runs where began < ? and id not in (select max(id) from runs group by station)"
        " and not exists (select 1 from events where run = runs.id and kind != 'end')",
        (oldest,),
    ).fetchall()
    for (run,) in runs:
        for table in ("states", "epochs", "events"):
            db.execute(f"delete from {table} where run = ?", (run,))
        db.execute("delete from runs where id = ?", (run,))
    return len(runs)
