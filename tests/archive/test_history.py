"""History and replay, in a file and in PostgreSQL: any past moment is rendered again as it went on air."""

import itertools
import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from recorded_station import RecordedStation
from sine_engine import RATE, SineEngine

from lullwave.archive.history import History, Moment, SavedState
from lullwave.archive.history_schema import MIGRATIONS
from lullwave.errors import NotFound
from lullwave.server.engine_pool import EnginePool
from lullwave.server.live.history_recorder import AIRED_EVERY_S, HistoryRecorder
from lullwave.settings import load
from lullwave.station.output import OutputLevels
from lullwave.station.replay import replay, replay_moment

pytestmark = pytest.mark.usefixtures("no_encoder")


def recorded(tape, place, executor=None):
    history = History(place, 1e9)
    executor = executor or ThreadPoolExecutor(1)
    HistoryRecorder(tape.station, history, executor, load(), tape.clock)
    return history, executor


class AtOnce:
    def submit(self, work, *args):
        work(*args)


class Late:
    """Does everything at the end, like a database that does not answer for a while."""

    def __init__(self):
        self._waiting = []

    def submit(self, work, *args):
        self._waiting.append((work, args))

    def shutdown(self):
        for work, args in self._waiting:
            work(*args)


def begin(history, station="a", wall=0.0):
    return history.begin_run(station, wall, RATE, -15.0, -1.0)


def filled(place, events):
    """A history with a run that has pieces and states."""
    history = History(place, 1e9)
    run = begin(history)
    history.add_epoch(run, 0, 1000.0)
    for n in range(events):
        history.add_event(run, n * RATE, "piece", {"title": f"piece {n}"})
        history.add_state(run, SavedState(n * RATE, "synth", b"state", 0, 0, n * RATE, b""))
    return history, run


def counted(history, table, condition):
    with history.database.reading() as db:
        return db.execute(f"select count(*) from {table} where {condition}").fetchone()[0]


def mastered(tape) -> np.ndarray:
    assert tape.steps[0].mastered_frame < 0
    whole = np.concatenate([a.mastered for a in tape.steps])
    return whole[-tape.steps[0].mastered_frame :]


def compare(history, tape, frame, engines, seconds=3.0):
    wall = tape.steps[0].epoch.wall + frame / RATE
    moment = history.moment("test", wall)
    assert moment.frame == frame
    frames = round(seconds * RATE)
    states = history.states(moment, frames + RATE)
    sound, exact = replay(states, moment.frame, frames, OutputLevels(), EnginePool(engines).get)
    assert exact
    np.testing.assert_array_equal(sound.samples, mastered(tape)[frame : frame + frames])


def test_random_moments_are_rendered_again_sample_for_sample(place):
    draw, whole = random.Random(5), not isinstance(place, str)  # states come back alike from both: fewer will do
    tape = RecordedStation()
    history, executor = recorded(tape, place)
    with tape:
        for n in range(4 if whole else 1):
            tape.play(draw.uniform(15, 45))
            tape.station.steer(f"turn {n}", over_s=3.0).result(30)
        tape.play(40)
    executor.shutdown()
    length = len(mastered(tape))
    steers = [e.frame for e in tape.events if e.kind == "steer"]
    moments = [draw.randrange(length - 4 * RATE) for _ in range(5 if whole else 1)] + [steers[0] - RATE, steers[-1], 0]
    for frame in moments:
        compare(history, tape, frame, {"synth": SineEngine})


def test_the_crossfade_from_a_failed_engine_is_rendered_again(place):
    from sine_engine import BrokenEngine

    tape = RecordedStation("broken")
    history, executor = recorded(tape, place)
    with tape:
        tape.play(30)
    executor.shutdown()
    for frame in (3 * RATE, round(7.5 * RATE), 12 * RATE):
        compare(history, tape, frame, {"synth": SineEngine, "broken": BrokenEngine})


@pytest.mark.parametrize("writing", [lambda: ThreadPoolExecutor(1), Late], ids=["at once", "late"])
def test_no_moment_lies_in_a_sleep_and_pieces_have_times(place, writing):
    tape = RecordedStation(sleep_after_s=5.0)
    history, executor = recorded(tape, place, writing())
    with tape:
        tape.play(45)
        tape.station.set_listening(False)
        tape.play(1000)
        tape.station.set_listening(True)
        tape.play(30)
    executor.shutdown()
    began = tape.steps[0].epoch.wall
    with pytest.raises(NotFound):
        history.moment("test", began + 500)
    with pytest.raises(NotFound):
        history.moment("test", began - 1)
    with pytest.raises(NotFound):
        history.moment("other", began + 1)
    woken = history.moment("test", began + 3 + 1045 + 10)
    assert woken.frame == tape.steps[-1].epoch.frame + 10 * RATE
    pieces = [p for p in history.entries("test") if p.kind == "piece"]
    slept = woken.frame - 10 * RATE  # in the middle of a piece: until then it was heard
    assert [p.until for p in pieces[1:]] == [
        slept if p.frame < slept < following.frame else following.frame for following, p in itertools.pairwise(pieces)
    ]
    assert [p.frame for p in reversed(pieces)] == [n * 20 * RATE for n in range(len(pieces))]
    assert pieces[-1].wall == pytest.approx(began)
    assert pieces[0].wall - pieces[-1].wall > 1000
    assert len(history.entries("test", limit=2)) == 2
    assert all(p.wall < began + 30 for p in history.entries("test", before=began + 30))


def test_states_are_limited_and_migrations_run_once(tmp_path):
    history = History(tmp_path / "h.sqlite3", 3000)
    run = history.begin_run("a", 0.0, RATE, -15.0, -1.0)
    noise = np.random.default_rng(1).bytes(500)
    for n in range(10):
        history.add_state(run, SavedState(n, "synth", noise, 0, 0, n, b""))
    history.close()
    db = sqlite3.connect(tmp_path / "h.sqlite3")
    assert db.execute("select count(*) from states").fetchone()[0] == 2  # half of the limit, the rest is the tables
    assert db.execute("pragma user_version").fetchone()[0] == len(MIGRATIONS)
    db.close()
    again = History(tmp_path / "h.sqlite3", 3000)
    assert again.begin_run("a", 1.0, RATE, -15.0, -1.0) == run + 1
    again.close()


def test_a_long_history_costs_no_more_than_a_short_one(monkeypatch):
    history = History(None, 1e6)
    run = history.begin_run("a", 0.0, RATE, -15.0, -1.0)
    asked, unpacked = [], []
    history.database._db.set_trace_callback(asked.append)
    for n in range(300):
        history.add_state(run, SavedState(60 * n * RATE, "synth", b"state", 0, 0, 60 * n * RATE, b"master"))
    assert sum("sum(bytes)" in statement for statement in asked) == 1

    monkeypatch.setattr("lullwave.archive.history.inflate", lambda data: unpacked.append(data) or data)
    found = history.states(Moment(run, (60 * 298 + 5) * RATE), 30 * RATE)
    assert [state.frame for state in found] == [60 * 298 * RATE]
    assert len(unpacked) == 2, "states that are not needed are not read"
    history.close()


# What was on air


def test_a_killed_server_s_run_ends_where_it_was_last_on_air(place):
    tape = RecordedStation()
    history = History(place, 1e9)
    HistoryRecorder(tape.station, history, AtOnce(), load(), tape.clock)
    with tape:
        tape.play(33)
        history.close()  # nothing is written from here on, as after a kill
    on_air = tape.steps[-1].block.frame
    began = tape.steps[0].epoch.wall
    engines = EnginePool({"synth": SineEngine})
    reader, killed = History(place, 1e9, read_only=True), History(place, 1e9)
    killed.database.open()
    for found in (reader, killed):
        moment = found.moment("test", began + 20)
        end = moment.frame + moment.left
        assert on_air - (AIRED_EVERY_S + 3) * RATE <= end <= on_air + RATE
        sound, exact = replay_moment(found, "test", began + 20, 300.0, engines.get)
        assert exact
        assert sound.frames == moment.left  # not one sample more than was on air
        for later in (end / RATE + 0.5, 40.0, 100.0):
            with pytest.raises(NotFound):
                found.moment("test", began + later)
    run = begin(killed, "test", began + 1000.0)
    killed.add_epoch(run, 0, began + 1000.0)
    killed.add_aired(run, 3 * RATE)
    on_air = killed.moment("test", began + 1001.0)
    assert (on_air.run, on_air.frame) == (run, RATE)
    assert on_air.left == (2 * RATE if killed.database.shared else None)  # another server's run is known so far


def test_what_was_announced_and_never_heard_is_forgotten_and_a_wake_without_sound_too(place):
    history, run = filled(place, 2)
    history.add_aired(run, 3 * RATE)
    history.add_event(run, 9 * RATE, "steer", {"prompt": "never heard"})
    slept = begin(history, "b")
    history.add_epoch(slept, 0, 1000.0)
    history.add_aired(slept, 5 * RATE)
    history.add_event(slept, 5 * RATE, "end", {})
    history.add_epoch(slept, 5 * RATE, 2000.0)  # it woke, and the server was killed at once
    history.close()
    again = History(place, 1e9)
    again.database.open()
    assert [entry.kind for entry in again.entries("a")] == ["piece", "piece"]
    assert again.moment("a", 1002.0).left == RATE
    assert again.moment("b", 1004.0).left == RATE
    for station, wall in (("a", 1003.0), ("b", 1006.0), ("b", 2000.0), ("b", 2010.0)):
        with pytest.raises(NotFound):
            again.moment(station, wall)
    again.close()
    once_more = History(place, 1e9)
    once_more.database.open()
    assert counted(once_more, "events", "kind = 'end'") == 2


def test_a_station_that_woke_again_is_found_while_it_is_on_air(place):
    history, run = filled(place, 1)
    history.add_event(run, 5 * RATE, "end", {})
    history.add_epoch(run, 5 * RATE, 2000.0)
    history.add_aired(run, 7 * RATE)
    assert history.moment("a", 2001.0).frame == 6 * RATE
    assert history.moment("a", 1004.0).left == RATE


def test_the_end_of_a_run_in_a_database_that_was_replaced_ends_no_other_run(place):
    history = History(place, 1e9)
    run = begin(history, "a", 7.0)
    history.end_run(run, "b", 7.0, 5)
    history.end_run(run, "a", 8.0, 5)
    history.add_epoch(run, 0, 7.0)
    history.add_aired(run, 5 * RATE)
    assert history.moment("a", 8.0).left == (4 * RATE if history.database.shared else None)
    history.end_run(run, "a", 7.0, 5)
    with pytest.raises(NotFound):
        history.moment("a", 8.0)


# Pages, age


def test_every_entry_is_reached_once_and_no_page_reads_the_others(place):
    history = History(place, 1e9)
    runs = {station: begin(history, station) for station in "ab"}
    for run in runs.values():
        history.add_epoch(run, 0, 1000.0)
    with history.database.writing() as db:
        db.execute(
            "insert into events (run, frame, kind, data, station, wall) with recursive number (n) as"
            " (select 0 union all select n + 1 from number where n < 29999)"
            " select case when (n & 1) = 0 then ? else ? end,"
            " n / 6 * 8000, 'piece', '{}', case when (n & 1) = 0 then 'a' else 'b' end, 1000.0 + n / 6 from number",
            (runs["a"], runs["b"]),
        )
        if history.database.shared:
            db.execute("analyze events")  # PostgreSQL does so by itself, after a minute
    found, last = [], {}
    while entries := history.entries("a", 500, **last):
        found += entries
        last = {"cursor": (entries[-1].wall, entries[-1].id)}
    assert len({entry.id for entry in found}) == len(found) == 15_000  # three at each second, across all pages
    assert [entry.wall for entry in found] == sorted((entry.wall for entry in found), reverse=True)
    assert {entry.wall for entry in history.entries("a", 3, before=2000.0)} == {1999.0}
    if history.database.shared:
        return  # the rest counts steps of SQLite's machine
    read = []
    history.database._db.set_progress_handler(lambda: read.append(1) and None, 100)
    history.entries("a", 50)
    newest, read[:] = len(read), []
    history.entries("a", 50, before=1100.0)
    assert max(newest, len(read)) < 100  # ten thousand steps of SQLite's machine; reading all takes half a million


def test_what_is_older_than_the_setting_is_deleted_with_its_runs(place):
    history = History(place, 1e9, max_age_s=100.0)
    old, lasting = begin(history, "a", 0.0), begin(history, "b", 0.0)
    newest = begin(history, "a", 950.0)
    for run in (old, lasting, newest):
        history.add_epoch(run, 0, 950.0 if run == newest else 0.0)
        for n in range(20):
            history.add_event(run, n * 50 * RATE if run == lasting else n * RATE, "piece", {"title": str(n)})
        history.add_state(run, SavedState(0, "synth", b"state", 0, 0, 0, b""))
    history.add_event(old, 20 * RATE, "end", {})
    history.prune(1000.0)
    assert len(history.entries("a")) == 20
    assert [entry.wall for entry in history.entries("b")] == [950.0, 900.0]
    with pytest.raises(NotFound):
        history.levels(old)
    for table in ("epochs", "events", "states"):
        assert counted(history, table, f"run = {old}") == 0
    History(None, 1e9).prune(1e12)  # without a limit nothing is even looked for
