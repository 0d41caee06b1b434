"""The history in PostgreSQL: several servers, a server that is away, secrets in messages, versions, limits."""

import os
import signal
import threading

import numpy as np
import pytest
from sine_engine import RATE

from lullwave.archive import history_server
from lullwave.archive.history import COUNTED_EVERY, History, Moment, SavedState
from lullwave.archive.history_server import MIGRATIONS
from lullwave.errors import InvalidInput, MissingExtra, NotFound, SettingsError, StorageUnavailable
from lullwave.settings import load

SECRET = "s3cr3t"


def begin(history, station="a", wall=0.0):
    return history.begin_run(station, wall, RATE, -15.0, -1.0)


def test_servers_share_a_history_and_close_no_run_that_goes_on(postgres_url):
    one, other = History(postgres_url, 1e9), History(postgres_url, 1e9)
    now = 2e9  # later than any clock: a run of now is not old
    threads = [threading.Thread(target=history.database.open) for history in (one, other)]
    for thread in threads:  # both make the tables
        thread.start()
    for thread in threads:
        thread.join()
    assert one.database.kept
    assert other.database.kept
    killed, going = begin(one, "a", now - 300), begin(other, "b", now - 300)
    for history, run in ((one, killed), (other, going)):
        history.add_epoch(run, 0, now - 300)
        history.add_event(run, 0, "piece", {"title": str(run)})
    one.add_aired(killed, 100 * RATE)
    other.add_aired(going, 299 * RATE)
    other.prune(now)
    assert one.moment("b", now - 10).left == 9 * RATE
    assert [entry.until for entry in one.entries("b")] == [None]
    assert [entry.until for entry in one.entries("a")] == [100 * RATE]  # nobody has continued it for 200 s
    with pytest.raises(NotFound):
        other.moment("a", now - 199)
    for history in (one, other):
        history.close()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://radio:{SECRET}@127.0.0.1:1/music",
        f"postgresql://radio:{SECRET}@127.0.0.1:port/music",
        f"postgresql://radio@/music?host=/nowhere&password={SECRET}",
    ],
)
def test_a_server_that_is_away_is_told_without_secrets_and_addresses(url, caplog):
    pytest.importorskip("psycopg")
    history = History(url, 1e9)
    history.database.open()
    assert not history.database.kept
    assert history.database.error == "the history cannot be written: the database does not answer"
    for call in (lambda: begin(history), lambda: history.entries("a")):
        with pytest.raises(StorageUnavailable, match="the database does not answer"):
            call()
    assert SECRET not in caplog.text
    assert "postgresql://" in caplog.text  # the log says which one


def test_a_wrong_address_is_refused_with_the_password_hidden():
    pytest.importorskip("psycopg")
    with pytest.raises(InvalidInput, match="database_url") as raised:
        History(f"postgresql://radio:{SECRET}%zz@host/music", 1e9)
    assert SECRET not in str(raised.value)
    for wrong in (f"mysql://radio:{SECRET}@host/music", f"radio:{SECRET}@host", f"host=x password={SECRET}"):
        with pytest.raises(SettingsError, match="database_url") as refused:
            load({"database_url": wrong})
        assert SECRET not in str(refused.value)
        assert "postgresql://user:password@host:port/name" in str(refused.value)
    assert SECRET not in repr(load({"database_url": f"postgresql://radio:{SECRET}@host/music"}))
    with pytest.raises(SettingsError, match="either store"):
        load({"database_url": "postgresql://host/music", "store": "file:///music"})


def test_without_its_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(MissingExtra, match="cloud"):
        History("postgresql://host/music", 1e9)


def test_after_a_connection_was_lost_the_history_goes_on(postgres_url):
    history = History(postgres_url, 1e9)
    run = begin(history)
    history.add_epoch(run, 0, 1000.0)
    for call in (lambda: history.entries("a"), lambda: history.add_event(run, 0, "piece", {})):
        terminated(history, postgres_url)
        with pytest.raises(StorageUnavailable):
            call()
        assert not history.database.kept
        call()
        history.add_aired(run, RATE)
        assert history.database.kept
    history.close()


def terminated(history, url):
    """End the server's process of a connection, as a restart of the server does."""
    import psycopg

    pid = history.database._db.connection.info.backend_pid
    with psycopg.connect(url, autocommit=True) as db:
        assert db.execute("select pg_terminate_backend(%s, 5000)", (pid,)).fetchone() == (True,)


def test_a_server_that_does_not_answer_holds_nobody_up(postgres_url, monkeypatch):
    monkeypatch.setattr(history_server, "ANSWER_S", 0.2)
    history = History(postgres_url, 1e9, retry_s=100.0)
    run = begin(history)
    pid = history.database._db.connection.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(StorageUnavailable, match="does not answer"):
            history.add_aired(run, RATE)
        with pytest.raises(StorageUnavailable, match="does not answer"):
            history.entries("a")  # it is not even tried: 100 s have not passed
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_newer_schema_is_left_alone_and_a_reader_makes_no_tables(postgres_url):
    with pytest.raises(StorageUnavailable, match="holds no history"):
        History(postgres_url, 1e9, read_only=True).entries("a")
    history = History(postgres_url, 1e9)
    run = begin(history)
    reader = History(postgres_url, 1e9, read_only=True)
    assert reader.levels(run) == (-15.0, -1.0)
    with pytest.raises(StorageUnavailable):
        begin(reader)
    with history.database.writing() as db:
        db.execute("update version set number = ?", (len(MIGRATIONS) + 1,))
    for read_only in (False, True):
        newer = History(postgres_url, 1e9, read_only=read_only)
        with pytest.raises(StorageUnavailable, match="newer version of Lullwave"):
            newer.entries("a")
        assert not newer.database.kept
    history.close()
    reader.close()


def test_a_database_that_only_reads_is_read(postgres_url):
    history = History(postgres_url, 1e9)
    run = begin(history)
    standby = History(f"{postgres_url}&options=-c%20default_transaction_read_only%3Don", 1e9)
    standby.database.open()
    assert not standby.database.kept
    assert "read-only" in standby.database.error
    assert standby.levels(run) == (-15.0, -1.0)
    for one in (history, standby):
        one.close()


def test_states_keep_to_the_limit_while_others_add_and_delete(postgres_url):
    noise = np.random.default_rng(0).bytes(1000)
    one, other = History(postgres_url, 50_000), History(postgres_url, 50_000)
    runs = {history: begin(history) for history in (one, other)}
    for n in range(2 * COUNTED_EVERY):
        for history in (one, other):
            history.add_state(runs[history], SavedState(n, "synth", noise, 0, 0, n, b""))
    with one.database.reading() as db:
        size, oldest = db.execute("select sum(bytes), min(frame) from states").fetchone()
    assert 30_000 < size <= 100_000  # each of the two knows its own states at least
    assert oldest > COUNTED_EVERY  # the newest stay
    found = other.states(Moment(runs[other], 2 * COUNTED_EVERY - 1), 1)
    assert found[-1].snapshot == noise
    for history in (one, other):
        history.close()
