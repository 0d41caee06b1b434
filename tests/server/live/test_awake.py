"""Only as many stations are awake as the machine plays; the default one has its place; others have to come later."""

import json
import socket
from contextlib import ExitStack

import pytest
from radio_server import ENGINES, TIMEOUT_S, events, read_exactly, serving

from lullwave.server.live import capacity

NAMES = ["main", "a", "b", "c", "d", "e"]
STATIONS = [{"id": name, "prompts": ["a tone"]} for name in NAMES]


@pytest.fixture
def radio(tmp_path):
    with serving(tmp_path, stations=STATIONS, max_awake=3) as served:
        yield served


def path(name):
    return f"/stations/{name}/stream.mp3"


def busy(served):
    return [one["id"] for one in served.json("/api/stations")["stations"] if one["busy"]]


def test_beyond_the_limit_stations_are_busy_and_the_default_one_never_is(radio):
    with ExitStack() as listeners:
        for name in "ab":
            assert listeners.enter_context(radio.listening(path(name))).status == 200
        for method in ("GET", "HEAD"):
            response, data = radio.ask(path("c"), method)
            assert response.status == 503
            assert int(response.headers["Retry-After"]) > 0
        said = json.loads(radio.ask(path("c"))[1])["error"]["message"]
        assert "as many stations as it can (3)" in said
        assert "main, a, b" in said
        response, data = radio.ask("/api/stations/c/prompt", "POST", {"prompt": "x"})
        assert (response.status, b"sleeps" in data) == (503, True)
        assert busy(radio) == ["c", "d", "e"]
        main = listeners.enter_context(radio.listening())
        assert main.status == 200
        assert listeners.enter_context(radio.listening(path("a"))).status == 200  # awake already
        radio.clock.advance(5)
        read_exactly(main, 50_000)
        told = radio.json("/readyz")
        assert (told["awake"], told["max_awake"]) == (["main", "a", "b"], 3)
        metrics = radio.ask("/metrics")[1].decode()
        assert "lullwave_max_awake_stations 3.0" in metrics
        assert "lullwave_busy_total 4.0" in metrics


def test_a_station_whose_listeners_left_gives_its_place_at_once(radio):
    with radio.listening("/api/events?station=c") as feed, radio.listening(path("a")) as stays:
        told = events(feed)

        def until(wanted):
            while next(told) != ("busy", {"frame": 0, "busy": wanted}):
                pass

        until(False)
        with radio.listening(path("b")) as leaves:
            read_exactly(leaves, 20_000)
            until(True)
        until(False)
        b = radio.app.state.services.channels.stations["b"].station
        with radio.listening(path("c")) as comes:
            assert comes.status == 200
            read_exactly(comes, 20_000)  # the clock stands still: b has not slept by itself
            while b.state != "asleep":
                radio.clock.settle()
        assert stays.status == 200


def test_all_at_once_wake_no_more(radio):
    """Requests that arrive together are counted as they come, before their audio begins."""
    asked = [socket.create_connection(("127.0.0.1", radio.port), TIMEOUT_S) for _ in NAMES]
    for one, name in zip(asked, NAMES, strict=True):
        one.sendall(f"GET {path(name)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    statuses = [one.recv(12)[9:] for one in asked]
    for one in asked:
        one.close()
    assert sorted(statuses) == [b"200"] * 3 + [b"503"] * 3
    assert statuses[0] == b"200"


def test_requests_make_no_more_stations_work_than_listeners(radio):
    statuses = [radio.ask(f"/api/stations/{name}/prompt", "POST", {"prompt": "x"})[0].status for name in NAMES[::-1]]
    assert statuses == [200, 200, 503, 503, 503, 200]  # the last one is the default station
    assert busy(radio) == ["a", "b", "c"]
    assert radio.ask("/api/stations/e/prompt", "POST", {"prompt": "y"})[0].status == 200


def test_with_one_place_there_is_the_default_station(tmp_path):
    with serving(tmp_path, stations=STATIONS, max_awake=1, station="b") as served:
        assert busy(served) == ["main", "a", "c", "d", "e"]
        with served.listening() as main:
            assert main.status == 200
            assert served.ask(path("main"))[0].status == 503


def test_the_limit_is_measured_after_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr(capacity, "stations_at", lambda cost, available: 7 if 0 < cost < 10 else 0)
    with serving(tmp_path, stations=STATIONS, max_awake=0) as served:
        while served.json("/readyz")["max_awake"] != 7:
            served.clock.settle()
    assert not (tmp_path / "memory-synth.json").exists()


def test_a_speed_that_cannot_be_measured_leaves_a_low_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(capacity, "stations_at", lambda cost, available: 1 / 0)
    with serving(tmp_path, engines=ENGINES, stations=STATIONS, max_awake=0) as served:
        measuring = served.app.state.services.channels._measuring
        measuring.join(TIMEOUT_S)
        assert served.json("/readyz")["max_awake"] == capacity.PROVISIONAL
