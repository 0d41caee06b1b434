"""The owner adds, changes and removes stations while others play on; a restart keeps it until the file changes."""

import json
import os
from dataclasses import dataclass

import pytest
from radio_server import events, read_exactly, serving
from sine_engine import SineEngine

from lullwave.options import option
from lullwave.server import engine_config
from lullwave.server.engine_config import load_options
from lullwave.server.engine_pool import EnginePool
from lullwave.server.routes import station_settings

MINE = {"Authorization": "Bearer secret"}
STATIONS = [{"id": "main", "prompts": ["a tone"]}, {"id": "other", "prompts": ["a tone"], "engine": "sines"}]
FLAGS = {"stations": STATIONS, "token": "secret", "steer_every_s": 0.0}
NEW = {"id": "new", "name": "Rainy attic", "prompts": ["slow"], "engine": "sines"}


@pytest.fixture
def radio(tmp_path):
    with serving(tmp_path, **FLAGS) as served:
        yield served


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """One server for all requests that change nothing."""
    with serving(tmp_path_factory.mktemp("unchanged"), **FLAGS) as served:
        yield served


def ask(served, method, path, body=None, headers=MINE):
    response, data = served.ask(path, method, body, headers)
    return response.status, json.loads(data)


def ids(served):
    return [one["id"] for one in served.json("/api/stations")["stations"]]


@pytest.mark.parametrize("flags", [{"trusted_proxies": "192.0.2.1"}, {"trusted_proxies": "::1", "open_steering": True}])
def test_only_the_owner_may(tmp_path, flags):
    with serving(tmp_path, **FLAGS, **flags) as served:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert ask(served, "POST", "/api/stations", NEW, headers)[0] in (401, 403)
            assert ask(served, "PATCH", "/api/stations/other", {"name": "x"}, headers)[0] in (401, 403)
            assert ask(served, "DELETE", "/api/stations/other", None, headers)[0] in (401, 403)
        assert ids(served) == ["main", "other"]


def test_a_station_comes_plays_changes_and_goes_and_the_others_hear_nothing_of_it(radio):
    with radio.listening() as main:
        assert ask(radio, "POST", "/api/stations", NEW)[0] == 201
        assert ids(radio) == ["main", "other", "new"]
        with (
            radio.listening("/stations/new/stream.mp3?listener=x") as stream,
            radio.listening("/api/events?station=new") as feed,
        ):
            assert stream.headers["icy-name"] == "Rainy attic"
            radio.clock.advance(8)
            read_exactly(stream, 8 * 24000)
            assert ask(radio, "POST", "/api/stations/new/prompt", {"prompt": "one"})[1]["state"] == "turning"
            status, reply = ask(radio, "PATCH", "/api/stations/new", {"prompts": ["bright"], "name": "Attic"})
            assert (status, reply["station"]["engine"], reply["kept"]) == (200, "sines", True)
            radio.clock.advance(10)
            read_exactly(stream, 9 * 24000)
            told = radio.json("/api/stations/new")
            assert (told["name"], told["prompt"], told["steered"], told["listeners"]) == ("Attic", "bright", False, 1)
            assert ask(radio, "DELETE", "/api/stations/new") == (200, {"removed": "new", "kept": True})
            while stream.read1(65536):  # to the end of the reply, which comes whole
                pass
            assert list(events(feed))
        assert ids(radio) == ["main", "other"]
        for path in ("/stations/new/stream.mp3", "/api/stations/new", "/api/events?station=new"):
            assert radio.ask(path)[0].status == 404
        read_exactly(main, 15 * 24000)
        assert radio.json("/api/stations/main")["listeners"] == 1
        radio.clock.advance(40)
        read_exactly(main, 30 * 24000)
        assert radio.json("/healthz") == {"status": "ok"}
        assert 'station="new"' not in radio.ask("/metrics")[1].decode()
        assert ask(radio, "POST", "/api/stations", NEW)[0] == 201  # the id is free again


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "", {"id": "main"}, "id"),
        ("POST", "", {"id": "Not an id"}, "id"),
        ("POST", "", {**NEW, "prompts": ["(open"]}, "prompts"),
        ("POST", "", {**NEW, "loud": 1}, "loud"),
        ("POST", "", {**NEW, "engine": "nothing"}, "engine"),
        ("POST", "", {**NEW, "engine": "ws://"}, "engine"),
        ("PATCH", "/other", {"id": "another"}, "id"),
        ("PATCH", "/other", {"prompts": []}, "prompts"),
        ("PATCH", "/other", {"hours": {"25-99": "x"}}, "hours"),
        ("PATCH", "/other", {"engine": "nothing"}, "engine"),
        ("PATCH", "/other", [], "body"),
        ("DELETE", "/main", None, "station"),
    ],
)
def test_wrong_settings_are_refused_and_nothing_changes(unchanged, method, path, body, field):
    before = unchanged.json("/api/stations/other")
    status, told = ask(unchanged, method, f"/api/stations{path}", body)
    assert status == 422
    assert field in str(told["error"]["field"])
    after = unchanged.json("/api/stations/other")
    assert ids(unchanged) == ["main", "other"]
    assert (after["name"], after["prompt"]) == (before["name"], before["prompt"])


def test_missing_stations_are_missing_and_there_are_so_many_at_most(radio, monkeypatch):
    monkeypatch.setattr(station_settings, "MAX_STATIONS", 4)
    for method in ("PATCH", "DELETE"):
        assert ask(radio, method, "/api/stations/nowhere", {})[0] == 404
    statuses = [ask(radio, "POST", "/api/stations", {"id": f"s{n}"})[0] for n in range(4)]
    assert statuses == [201] * 2 + [422] * 2


def test_nobody_adds_a_station_that_nobody_could_steer(tmp_path):
    with serving(tmp_path, stations=STATIONS) as served:
        status, told = ask(served, "POST", "/api/stations", {"id": "mine", "policy": "owner"})
        assert (status, told["error"]["field"]) == (422, "policy")


def test_a_token_in_an_engines_address_is_not_told(radio, tmp_path):
    address = "ws://127.0.0.1:9/?token=hunter2"
    status, reply = ask(radio, "POST", "/api/stations", {**NEW, "engine": address})
    assert (status, "hunter2" in str(reply)) == (201, False)
    assert "hunter2" not in str(radio.json("/api/stations/new"))
    assert radio.json("/api/stations/new")["wanted"] == "remote"
    kept = tmp_path / "changes.json"
    assert "hunter2" in kept.read_text()  # a restart needs it
    assert os.name != "posix" or kept.stat().st_mode & 0o077 == 0


def test_a_restart_keeps_it_until_the_settings_of_that_station_change(tmp_path):
    with serving(tmp_path, **FLAGS) as served:
        ask(served, "POST", "/api/stations", NEW)
        ask(served, "PATCH", "/api/stations/main", {"prompts": ["calm"]})
        ask(served, "DELETE", "/api/stations/other")
    with serving(tmp_path, **FLAGS) as served:
        assert ids(served) == ["main", "new"]
        assert served.json("/api/stations")["default"] == "main"
        assert served.json("/api/stations/main")["prompt"] == "calm"
        assert ask(served, "PATCH", "/api/stations/new", {"name": "Attic"})[1]["station"]["prompts"] == ["slow"]
    edited = [{"id": "main", "prompts": ["edited"]}, {"id": "other", "prompts": ["edited"]}]
    with serving(tmp_path, **{**FLAGS, "stations": edited}) as served:
        assert ids(served) == ["main", "other", "new"]
        assert served.json("/api/stations/main")["prompt"] == "edited"
        assert served.json("/api/stations/new")["name"] == "Attic"


@dataclass(frozen=True)
class SineLoadOptions:
    pitch: int = option(1, "an option of the engine", low=0, high=9)


class Tuned(SineEngine):
    """Sines with a load option."""

    load_options = SineLoadOptions

    def __init__(self, **given):
        self.given = given


def test_engine_options_count_for_an_engine_that_is_first_used_now(tmp_path, monkeypatch):
    kinds = {"synth": SineEngine, "sines": SineEngine, "tuned": Tuned}
    monkeypatch.setattr(engine_config, "engine_facts", lambda name: kinds[name])
    with serving(tmp_path, engines=kinds, engine_options="pitch=7", **FLAGS | {"stations": STATIONS[:1]}) as served:
        pool, changes = served.app.state.services.engines, served.app.state.services.changes
        pool._options = lambda name, kind: load_options(changes.settings)(name, kind)  # as without engines of a test
        status, told = ask(served, "POST", "/api/stations", {**NEW, "engine": "sines"})
        assert (status, told["error"]["field"]) == (422, "engine_options")
        assert ids(served) == ["main"]
        status, told = ask(served, "POST", "/api/stations", {**NEW, "engine": "tuned"})
        assert (status, told["after_restart"]) == (201, [])
        assert pool.get("tuned").given == {"pitch": 7}


def test_engines_that_load_otherwise_after_a_restart_are_named(tmp_path):
    pool = EnginePool({"synth": Tuned, "sines": Tuned}, lambda name, kind: {"pitch": pitch} if name == "synth" else {})
    pitch = 1
    pool.get("synth"), pool.get("sines")
    assert pool.outdated() == []
    pitch = 2
    assert pool.outdated() == ["synth"]
