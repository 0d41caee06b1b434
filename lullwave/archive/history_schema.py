"""The schema of the history's SQLite file, version by version."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

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
    # 2: events know their station and time, so that old ones are found by an index; runs know what was on air.
    """
    create index epochs_by_frame on epochs (run, frame);
    alter table events add column station text not null default '';
    alter table events add column wall real;
    update events set
        station = (select station from runs where id = events.run),
        wall = (select epochs.wall + (events.frame - epochs.frame) * 1.0 / runs.rate
                from epochs join runs on runs.id = epochs.run
                where epochs.run = events.run and epochs.frame <= events.frame order by epochs.frame desc limit 1);
    create index events_by_time on events (station, wall) where kind != 'end';
    alter table runs add column aired integer not null default 0;
    update runs set aired = max(
        coalesce((select max(frame) from states where run = runs.id), 0),
        coalesce((select max(frame) from epochs where run = runs.id), 0),
        coalesce((select max(frame) + 1 from events where run = runs.id and kind = 'piece'), 0));
    """,
)


def migrate(db: sqlite3.Connection) -> None:
    """Bring a database to the newest version, each step as a whole or not at all."""
    (version,) = db.execute("pragma user_version").fetchone()
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        try:
            db.executescript(f"begin immediate; {script}; pragma user_version = {number}; commit;")
        except BaseException:
            with suppress(sqlite3.Error):
                db.execute("rollback")
            raise
