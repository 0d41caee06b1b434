"""The history's file: read-only, locked, damaged, of another version, too large."""

import sqlite3
import time
from contextlib import closing

import numpy as np
import pytest
from sine_engine import RATE

from lullwave.archive.history import History, Moment, SavedState
from lullwave.archive.history_schema import MIGRATIONS
from lullwave.archive.times import time_text, wall_time
from lullwave.errors import StorageUnavailable


class AtOnce:
    def submit(self, work, *args):
        work(*args)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "h.sqlite3"


def begin(history, station="a", wall=0.0):
    return history.begin_run(station, wall, RATE, -15.0, -1.0)


def filled(path, events=200):
    """A history with a run that has pieces and states."""
    history = History(path, 1e9)
    run = begin(history)
    history.add_epoch(run, 0, 1000.0)
    for n in range(events):
        history.add_event(run, n * RATE, "piece", {"title": f"piece {n} " + "x" * 200})
        history.add_state(run, SavedState(n * RATE, "synth", np.random.default_rng(n).bytes(500), 0, 0, n * RATE, b""))
    return history, run


# What is kept


def test_a_file_that_cannot_be_written_is_not_said_to_be_kept_but_is_read(path, monkeypatch):
    history, _ = filled(path, 3)
    assert history.database.kept
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")  # another process has locked it
        late = History(path, 1e9)
        late.database.open()
        assert not late.database.kept
        assert "locked" in late.database.error
        assert len(late.entries("a")) == 3
        assert not late.database.kept  # reading proves nothing
        other.execute("rollback")
    begin(late)
    assert late.database.kept
    assert not late.database.error


def test_read_only_and_missing_folders_are_told_and_tried_again(tmp_path):
    (tmp_path / "folder").write_text("")
    history = History(tmp_path / "folder" / "x" / "h.sqlite3", 1e9)
    history.database.open()
    assert not history.database.kept
    assert "cannot be written: Not a directory" in history.database.error
    assert str(tmp_path) not in history.database.error  # strangers read it
    for call in (lambda: begin(history), lambda: history.entries("a"), lambda: history.moment("a", 1.0)):
        with pytest.raises(StorageUnavailable):
            call()
    (tmp_path / "folder").unlink()
    begin(history)
    assert history.database.kept


def test_a_file_in_use_by_nobody_who_may_write_is_not_kept(path, monkeypatch):
    filled(path, 2)[0].close()
    real = sqlite3.connect

    def read_only(address, *args, **options):
        if not options.get("uri"):
            address, options = f"{path.as_uri()}?mode=ro", {**options, "uri": True}
        return real(address, *args, **options)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    history = History(path, 1e9)
    history.database.open()
    assert not history.database.kept
    assert "readonly" in history.database.error
    assert len(history.entries("a")) == 2


def test_after_a_failure_nothing_is_tried_for_a_while(path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    tried = []

    def full(path):
        tried.append(path)
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("lullwave.archive.history_file.open_for_writing", full)
    history = History(path, 1e9, retry_s=5.0)
    for _ in range(50):
        with pytest.raises(StorageUnavailable, match="disk is full"):
            begin(history)
    assert len(tried) == 1
    now[0] += 5.0
    monkeypatch.undo()
    begin(history)


# Damage and other versions


def damaged(path, table):
    """Overwrite the first page of a table: SQLite opens the file, and complains when it comes there."""
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("select rootpage from sqlite_master where name = ?", (table,)).fetchone()
        (size,) = db.execute("pragma page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


@pytest.mark.parametrize(
    ("table", "call"),
    [
        ("events_by_time", lambda history, run: history.entries("a")),
        ("events_by_time", lambda history, run: history.add_event(run, 5, "piece", {})),
        ("states", lambda history, run: history.states(history.moment("a", 1001.0), RATE)),
        ("states", lambda history, run: history.add_state(run, SavedState(9, "synth", b"", 0, 0, 9, b""))),
        ("epochs_by_wall", lambda history, run: history.moment("a", 1001.0)),
    ],
)
def test_damage_that_shows_later_is_moved_aside_and_a_new_file_begun(path, table, call, caplog):
    history, run = filled(path, 20)
    history.close()
    damaged(path, table)
    history = History(path, 1e9)
    history.database.open()
    assert history.database.kept  # nothing was noticed yet
    with pytest.raises(StorageUnavailable, match="malformed"):
        call(history, run)
    assert path.with_name("h.sqlite3.damaged").read_bytes()[:16] == b"SQLite format 3\0"
    run = begin(history)
    history.add_epoch(run, 0, 6000.0)
    history.add_event(run, 0, "piece", {"title": "new"})
    assert [entry.data["title"] for entry in history.entries("a")] == ["new"]
    assert history.database.kept
    assert len([r for r in caplog.records if "damaged" in r.getMessage()]) == 1


def test_damage_that_shows_at_the_start_costs_no_call(path):
    history, _ = filled(path, 20)
    history.close()
    damaged(path, "events")  # where runs that were left open are looked for
    history = History(path, 1e9)
    history.database.open()
    assert history.database.kept
    assert history.entries("a") == []


def test_a_file_that_is_no_database_is_moved_aside(path, caplog):
    path.write_text("this is no database\n" * 100)
    history = History(path, 1e6)
    history.database.open()
    assert history.database.kept
    run = begin(history)
    history.close()
    assert path.with_name("h.sqlite3.damaged").read_text().startswith("this is no database")
    assert len(caplog.records) == 1
    assert History(path, 1e6).levels(run) == (-15.0, -1.0)


def test_a_reader_changes_no_damaged_file(path):
    path.write_text("this is no database\n" * 100)
    with pytest.raises(StorageUnavailable, match="not a database"):
        History(path, 1e6, read_only=True).entries("a")
    assert path.read_text().startswith("this is no database")
    assert [one.name for one in path.parent.iterdir()] == ["h.sqlite3"]


def test_a_newer_file_is_left_alone_with_a_word(path):
    filled(path, 2)[0].close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"pragma user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes()
    for read_only in (False, True):
        history = History(path, 1e9, read_only=read_only)
        history.database.open() if not read_only else None
        assert not history.database.kept
        for _ in range(2):
            with pytest.raises(StorageUnavailable, match="newer version of Lullwave"):
                history.entries("a")
        with pytest.raises(StorageUnavailable):
            begin(history)
        history.close()
    assert path.read_bytes() == before


def test_a_file_of_the_first_version_is_read_beside_its_server_and_brought_up_by_ours(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(f"begin; {MIGRATIONS[0]}; pragma user_version = 1; commit;")
        db.execute("insert into runs values (1, 'a', 0.0, 44100, -15.0, -1.0)")
        db.execute("insert into epochs values (1, 0, 1000.0), (1, 441000, 5000.0)")
        for frame in (0, 44100, 441000, 485100):
            db.execute("insert into events values (1, ?, 'piece', '{}')", (frame,))
    for history in (History(path, 1e9, read_only=True), History(path, 1e9)):
        assert [entry.wall for entry in history.entries("a")] == [5001.0, 5000.0, 1001.0, 1000.0]
        history.close()
        with closing(sqlite3.connect(path)) as db:
            read_only = history.database._read_only
            assert db.execute("pragma user_version").fetchone() == (1 if read_only else len(MIGRATIONS),)


# Times, size


@pytest.mark.parametrize("zone", ["+", " ", "Z"])
def test_times_in_addresses_are_read_whether_or_not_their_plus_is_escaped(zone):
    text = time_text(1_738_361_700.1234)
    assert text.endswith(".124+00:00")
    said = text.replace("+00:00", "Z") if zone == "Z" else text.replace("+", zone)
    assert wall_time(said) == 1_738_361_700.124


def in_use(path):
    return sum(file.stat().st_size for file in path.parent.glob(path.name + "*"))


def test_the_whole_file_keeps_to_its_limit_states_and_events_alike(path):
    limit = 1e6
    history = History(path, limit)
    run = begin(history, "a", 0.0)
    history.add_epoch(run, 0, 0.0)
    noise = np.random.default_rng(0).bytes(20_000)
    for n in range(100):  # 2 MB
        history.add_state(run, SavedState(n, "synth", noise, 0, 0, n, b""))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        (kept,) = db.execute("select count(*) from states").fetchone()
        assert 35 < kept < 50
        assert db.execute("select min(frame) from states").fetchone() == (100 - kept,)  # the newest
        db.execute("begin")
        rows = [(run, n * RATE, float(n), "x" * 100) for n in range(20_000)]  # 4 MB with their indexes
        db.executemany(
            "insert into events (run, frame, wall, data, kind, station) values (?, ?, ?, json_quote(?), 'piece', 'a')",
            rows,
        )
        db.execute("commit")
    history.add_state(run, SavedState(100, "synth", noise, 0, 0, 100, b""))
    history.prune(30_000.0)
    with closing(sqlite3.connect(path)) as db:
        (states,), (events, oldest) = (
            db.execute("select count(*) from states").fetchone(),
            db.execute("select count(*), min(wall) from events").fetchone(),
        )
    assert states >= 20  # events never take the room of all states
    assert oldest == 20_000 - events > 0  # the newest stay
    assert in_use(path) < 1.6 * limit
    assert history.entries("a", 1)[0].wall == 19_999.0


def test_a_lowered_limit_makes_the_file_shorter(path):
    noise = np.random.default_rng(0).bytes(20_000)
    with closing(History(path, 1e9)) as history:
        run = begin(history, "a", 0.0)
        for n in range(200):
            history.add_state(run, SavedState(n, "synth", noise, 0, 0, n, b""))
    assert in_use(path) > 4e6
    with closing(History(path, 1e6)) as history:
        history.add_state(run, SavedState(200, "synth", noise, 0, 0, 200, b""))
        history.prune(1.0)
        assert in_use(path) < 1.6e6
        assert history.states(Moment(run, 200), 1)[0].snapshot == noise
