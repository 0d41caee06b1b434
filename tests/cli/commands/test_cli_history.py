"""``lullwave history``: what was played, with times at which ``replay`` finds it."""

import json

import pytest
from test_cli_replay import BEGAN, kept

from lullwave.archive.history import History
from lullwave.archive.times import wall_time
from lullwave.codecs import decode
from lullwave.engines import load_engine
from lullwave.paths import DataPaths
from lullwave.station import RATE

FRAMES = (0, 1, 12_345, 2 * RATE + 7)


@pytest.fixture
def history(tmp_path):
    """Two stations; one began at a time that is no whole number of milliseconds."""
    history = History(DataPaths(tmp_path).history, 1e9)
    for station, wall in (("piano", BEGAN + 0.123_456_7), ("guitar", BEGAN - 100.0)):
        run = history.begin_run(station, wall, RATE, -15.0, -1.0)
        history.add_epoch(run, 0, wall)
        for number, frame in enumerate(FRAMES):
            history.add_event(run, frame, "piece", {"title": f"{station} {number}", "prompt": "felt"})
    yield history
    history.close()


def test_times_lead_to_the_piece_to_the_millisecond(lullwave, history, tmp_path):
    listed = json.loads(lullwave("history", "piano", "--data-dir", str(tmp_path), "--json").stdout)
    assert [entry["title"] for entry in listed] == [f"piano {number}" for number in (3, 2, 1, 0)]
    for entry, frame in zip(listed, reversed(FRAMES), strict=True):
        moment = history.moment("piano", wall_time(entry["time"]))
        assert 0 <= moment.frame - frame <= RATE / 1000


def test_all_stations_by_time_and_before_a_time(lullwave, history, tmp_path):
    where = ("--data-dir", str(tmp_path), "--json")
    stations = [entry["station"] for entry in json.loads(lullwave("history", *where).stdout)]
    assert stations == ["piano"] * 4 + ["guitar"] * 4
    earlier = json.loads(lullwave("history", *where, "--before", str(BEGAN - 50), "--limit", "2").stdout)
    assert [entry["title"] for entry in earlier] == ["guitar 3", "guitar 2"]
    table = lullwave("history", "guitar", "--data-dir", str(tmp_path)).stdout.decode()
    assert "guitar 3" in table


def test_without_a_history_it_says_so(lullwave, tmp_path):
    ran = lullwave("history", "--data-dir", str(tmp_path))
    assert ran.returncode == 2
    assert b"no history" in ran.stderr


def test_replay_takes_a_listed_time(lullwave, tmp_path):
    kept(tmp_path, load_engine("synth"))
    where = ("--data-dir", str(tmp_path))
    _, piece = json.loads(lullwave("history", *where, "--json").stdout)
    for _ in range(2):
        ran = lullwave("replay", "piano", piece["time"], "--seconds", "1", "-q", *where)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
    for name in ("replay.mp3", "replay-2.mp3"):
        assert decode(tmp_path / name).duration_s == pytest.approx(1.0, abs=1e-3)
    kept_file = lullwave("replay", "piano", piece["time"], "-o", "replay.mp3", *where)
    assert kept_file.returncode == 2
    assert b"--force" in kept_file.stderr
