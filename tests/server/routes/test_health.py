"""What a server says while something is broken: health, readiness, stations, events, metrics; and that it plays on."""

import json
import sqlite3
import time

import pytest
from faulty_engine import LIGHTER_HZ, Fault, faulty
from radio_server import ENGINES, events, read_exactly, serving

from lullwave.clock import SimulatedClock
from lullwave.errors import CheckpointError, EngineLost
from lullwave.settings.stations import StationSettings

STATIONS = (StationSettings(id="model", engine="faulty", seed=1), StationSettings(id="band", seed=2))


@pytest.fixture
def broken(tmp_path):
    """A server whose default station is to play an engine that does what the fault says."""
    fault = Fault(SimulatedClock())
    engines = {**ENGINES, "faulty": faulty(fault)}

    def start(**flags):
        return serving(tmp_path, clock=fault.clock, engines=engines, stations=STATIONS, **flags)

    return fault, start


def on_rung(served, rung: str, limit_s: float = 120.0) -> dict:
    """Let time pass until the default station is on a rung."""
    for _ in range(round(limit_s / 0.5)):
        told = served.json("/api/stations/model")
        if told["rung"] == rung:
            return told
        served.clock.advance(0.5)
    raise AssertionError(f"never on {rung}")


def test_a_model_that_cannot_be_loaded_is_told_everywhere_and_music_plays(broken):
    fault, start = broken
    fault.load_error = CheckpointError("model.safetensors is damaged")
    with start() as served, served.listening("/stream.mp3") as stream:
        served.clock.advance(2)
        read_exactly(stream, 50_000)
        told = on_rung(served, "embedded")
        assert (told["cause"], told["wanted"], told["engine"]) == ("failed", "faulty", "synth")
        assert told["detail"] == "model.safetensors is damaged"
        response, data = served.ask("/readyz")
        ready = json.loads(data)
        assert (response.status, ready["status"], ready["degraded"]) == (200, "ready", ["model"])
        assert ready["stations"]["model"]["detail"] == "model.safetensors is damaged"
        assert ready["history"] == "kept"
        assert served.json("/healthz") == {"status": "ok"}
        metrics = served.ask("/metrics")[1].decode()
        assert 'lullwave_station_rung{rung="embedded",station="model"} 1.0' in metrics
        assert 'lullwave_station_rung{rung="engine",station="model"} 0.0' in metrics
        assert 'lullwave_rung_changes_total{rung="embedded",station="model"} 1.0' in metrics
        assert 'lullwave_late_seconds{station="model"} 0.0' in metrics
        with served.listening("/api/events?station=model") as news:
            rung = next(data for kind, data in events(news) if kind == "rung")
            assert (rung["rung"], rung["cause"], rung["engine"]) == ("embedded", "failed", "synth")


def test_a_lost_engine_is_told_as_it_goes_and_as_it_comes_back(broken):
    fault, start = broken
    with start(first_clip=None) as served, served.listening("/stream.mp3"):
        told = []
        served.app.state.services.channels.default.station.subscribe(
            on_event=lambda e: e.kind == "rung" and told.append(e)
        )
        served.ask("/current.mp3")  # waits for the first clip of a new installation
        served.clock.advance(20)
        fault.error = EngineLost("connection refused")
        on_rung(served, "recycled")
        fault.error = None
        on_rung(served, "engine")
        served.clock.advance(10)
        rungs = [event.data["rung"] for event in told]
        steps = [rung for n, rung in enumerate(rungs) if n == 0 or rungs[n - 1] != rung]
        assert steps[-3:] == ["reserve", "recycled", "engine"]
        assert "lullwave_engine_lost_total" in served.ask("/metrics")[1].decode()
        assert served.json("/readyz")["degraded"] == []


class Breaks:
    """A connection to a database whose disk is full."""

    def __init__(self, real):
        self.real = real

    def execute(self, *args):
        raise sqlite3.OperationalError("database or disk is full")

    def close(self):
        self.real.close()


def settled(served, wanted) -> None:
    """Wait until what the server wrote in the background is there."""
    for _ in range(600):
        if wanted():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def played_until(served, wanted) -> None:
    """Let the stations play until something holds; ten minutes at most."""
    for _ in range(60):
        if wanted():
            return
        served.clock.advance(10)
    raise AssertionError("it did not happen")


@pytest.mark.usefixtures("bare_playout")
def test_a_history_that_breaks_is_told_and_heals_by_itself(broken, monkeypatch, caplog):
    _, start = broken
    from lullwave.archive import history_file as module

    monkeypatch.setattr("lullwave.server.live.channels.HISTORY_RETRY_S", 0.0)
    with start() as served, served.listening("/stream.mp3") as stream:
        served.clock.advance(30)
        history = served.app.state.services.channels.history
        settled(served, lambda: len(history.entries("model")) == 2)
        opened = module.open_for_writing, module.open_for_reading

        def full(path):
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(module, "open_for_writing", full)
        monkeypatch.setattr(history.database, "_db", Breaks(history.database._db))
        for _ in range(4):
            served.clock.advance(20)
            read_exactly(stream, 400_000)
        settled(served, lambda: served.json("/readyz")["history"] == "cannot be kept")
        assert "disk is full" in served.json("/readyz")["history_error"]
        assert "lullwave_history_kept 0.0" in served.ask("/metrics")[1].decode()
        kept = served.json("/api/stations/model/history")
        assert kept["kept"] is False
        assert len(kept["history"]) == 2  # what was written before can still be read, which makes it no better:
        assert served.json("/readyz")["history"] == "cannot be kept"
        assert served.ask("/healthz")[0].status == 200
        monkeypatch.setattr(module, "open_for_reading", full)
        monkeypatch.setattr(history.database, "_db", Breaks(history.database._db))
        for path in ("history", "replay?at=1700000001"):
            served.ask(f"/api/stations/model/{path}")  # notices that the file is gone
            response, data = served.ask(f"/api/stations/model/{path}")
            assert (response.status, response.headers["Retry-After"]) == (503, "30")
            assert "disk is full" in json.loads(data)["error"]["message"]
        monkeypatch.setattr(module, "open_for_writing", opened[0])
        monkeypatch.setattr(module, "open_for_reading", opened[1])
        served.clock.advance(60)
        settled(served, lambda: len({p["run"] for p in served.json("/api/stations/model/history")["history"]}) == 2)
        assert served.json("/readyz")["history"] == "kept"
        assert "history_error" not in served.json("/readyz")
        assert "lullwave_history_kept 1.0" in served.ask("/metrics")[1].decode()
    said = [r for r in caplog.records if "history cannot" in r.getMessage() and r.levelname == "ERROR"]
    assert len(said) == 1


def test_a_disk_that_is_full_costs_files_and_nothing_else(broken, caplog):
    _, start = broken
    with start(first_clip=None, clip_s=10.0) as served, served.listening("/stream.mp3") as stream:
        served.clock.advance(5)
        first = served.ask("/current.mp3")[0].headers["ETag"]
        clips = served.app.state.services.channels.clips
        folder = clips.folder
        clips.folder = folder / "00000000" / "no" / "such"
        (folder / "00000000").write_text("a file where a folder should be")
        for _ in range(4):
            served.clock.advance(10)
            read_exactly(stream, 200_000)
        settled(served, lambda: served.ask("/current.mp3")[0].headers["ETag"] != first)
        settled(served, lambda: clips.newest.number >= 2)
        clips.folder = folder
        number = clips.newest.number
        served.clock.advance(20)
        settled(served, lambda: clips.newest.number > number and len(clips.files()) >= 2)
    assert len([r for r in caplog.records if "cannot write clips" in r.getMessage()]) == 1


@pytest.mark.usefixtures("bare_playout")
def test_what_is_asked_less_of_a_slow_engine_is_told_everywhere_until_it_is_over(broken):
    fault, start = broken
    with start(first_clip=None, clip_s=20.0) as served, served.listening("/stream.mp3"):
        served.ask("/current.mp3")  # waits for the first clip of a new installation
        served.clock.advance(20)
        assert served.json("/api/stations/model")["asked"] == {}
        fault.speed, fault.speeds = 0.6, {LIGHTER_HZ: 1.5}
        served.clock.advance(50)
        told = served.json("/api/stations/model")
        assert (told["rung"], told["cause"], told["asked"]) == ("engine", "none", {"hz": LIGHTER_HZ})
        ready = served.json("/readyz")
        assert ready["degraded"] == ["model"]
        assert (ready["stations"]["model"]["asked"], ready["stations"]["model"]["stretch_s"]) == (told["asked"], 0.0)
        metrics = served.ask("/metrics")[1].decode()
        assert 'lullwave_lighter_steps{station="model"} 1.0' in metrics
        assert 'lullwave_stretch_seconds{station="model"} 0.0' in metrics
        with served.listening("/api/events?station=model") as news:
            assert next(data for kind, data in events(news) if kind == "rung")["asked"] == {"hz": LIGHTER_HZ}
        fault.speeds = {}
        played_until(served, lambda: served.json("/readyz")["stations"]["model"]["stretch_s"] > 0)
        stretch_s = served.json("/readyz")["stations"]["model"]["stretch_s"]
        assert 0 < stretch_s <= 30
        metrics = served.ask("/metrics")[1].decode()
        assert 'lullwave_lighter_steps{station="model"} 2.0' in metrics
        assert 'lullwave_governed{station="model"} 1.0' in metrics
        assert f'lullwave_stretch_seconds{{station="model"}} {stretch_s}' in metrics
        fault.speed = 20.0
        played_until(served, lambda: served.json("/readyz")["degraded"] == [])
        assert 'lullwave_lighter_steps{station="model"} 0.0' in served.ask("/metrics")[1].decode()
