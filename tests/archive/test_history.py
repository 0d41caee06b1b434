"""History and replay: any past moment is rendered again as it went on air, sample for sample."""

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
from lullwave.server.live.history_recorder import HistoryRecorder
from lullwave.settings import load
from lullwave.station.playout import OutputLevels
from lullwave.station.replay import replay


def recorded(tape, tmp_path):
    history = History(tmp_path / "h.sqlite3", 1e9)
    executor = ThreadPoolExecutor(1)
    HistoryRecorder(tape.station, history, executor, load(), tape.clock)
    return history, executor


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


def test_random_moments_are_rendered_again_sample_for_sample(tmp_path):
    draw = random.Random(5)
    tape = RecordedStation()
    history, executor = recorded(tape, tmp_path)
    with tape:
        for n in range(4):
            tape.play(draw.uniform(15, 45))
            tape.station.steer(f"turn {n}", over_s=3.0).result(30)
        tape.play(40)
    executor.shutdown()
    length = len(mastered(tape))
    steers = [e.frame for e in tape.events if e.kind == "steer"]
    moments = [draw.randrange(length - 4 * RATE) for _ in range(5)] + [steers[0] - RATE, steers[-1], 0]
    for frame in moments:
        compare(history, tape, frame, {"synth": SineEngine})


def test_the_crossfade_from_a_failed_engine_is_rendered_again(tmp_path):
    from sine_engine import BrokenEngine

    tape = RecordedStation("broken")
    history, executor = recorded(tape, tmp_path)
    with tape:
        tape.play(30)
    executor.shutdown()
    for frame in (3 * RATE, round(7.5 * RATE), 12 * RATE):
        compare(history, tape, frame, {"synth": SineEngine, "broken": BrokenEngine})


def test_no_moment_lies_in_a_sleep_and_pieces_have_times(tmp_path):
    tape = RecordedStation(sleep_after_s=5.0)
    history, executor = recorded(tape, tmp_path)
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
    history.file._db.set_trace_callback(asked.append)
    for n in range(300):
        history.add_state(run, SavedState(60 * n * RATE, "synth", b"state", 0, 0, 60 * n * RATE, b"master"))
    assert sum("sum(bytes)" in statement for statement in asked) == 1

    monkeypatch.setattr("lullwave.archive.history.inflate", lambda data: unpacked.append(data) or data)
    found = history.states(Moment(run, (60 * 298 + 5) * RATE), 30 * RATE)
    assert [state.frame for state in found] == [60 * 298 * RATE]
    assert len(unpacked) == 2, "states that are not needed are not read"
    history.close()
