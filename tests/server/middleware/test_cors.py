"""What a browser may read from a page of another origin, by the rules of the Fetch standard (CORS protocol)."""

import pytest
from radio_server import serving

PLAYER = "https://player.example"
OTHER = "https://other.example"
SOUND = ["/stream.mp3", "/stations/piano/stream.mp3", "/current.mp3"]


@pytest.fixture(scope="module")
def radio(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("cors"), allowed_origins=f"{PLAYER}, https://second.example") as served:
        yield served


def readable(headers, origin: str) -> bool:
    """Tell whether the browser lets a page of ``origin`` read a reply to a request without credentials."""
    assert "Access-Control-Allow-Credentials" not in headers
    return headers.get_all("Access-Control-Allow-Origin") in (["*"], [origin])


def may_ask(served, path: str, method: str, origin: str, *names: str) -> bool:
    """Tell whether a preflight lets a page of ``origin`` send a request with these headers."""
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    asked["Access-Control-Request-Headers"] = ",".join(names)
    response, _ = served.ask(path, "OPTIONS", headers=asked)
    methods = (response.headers["Access-Control-Allow-Methods"] or "").split(", ")
    allowed = {name.lower() for name in (response.headers["Access-Control-Allow-Headers"] or "").split(", ")}
    return (
        200 <= response.status < 300
        and readable(response.headers, origin)
        and method in methods
        and set(names) <= allowed
    )


@pytest.mark.parametrize("path", SOUND)
def test_every_page_may_read_the_sound(radio, path):
    for origin in (PLAYER, OTHER, "null"):
        with radio.listening(path, {"Origin": origin}) as reply:
            assert reply.status == 200
            assert readable(reply.headers, origin)
        assert may_ask(radio, path, "GET", origin, "range", "icy-metadata")
        assert not may_ask(radio, path, "POST", origin)
    response, _ = radio.ask(path, "OPTIONS")
    assert response.status == 204
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert readable(radio.ask("/stations/attic/stream.mp3", headers={"Origin": OTHER})[0].headers, OTHER)


def test_a_listed_origin_may_read_steer_and_follow(radio):
    origin = {"Origin": PLAYER}
    for path in ("/api/stations", "/api/stations/piano", "/listen.m3u", "/api/stations/attic"):
        assert readable(radio.ask(path, headers=origin)[0].headers, PLAYER)
    assert may_ask(radio, "/api/stations/piano/prompt", "POST", PLAYER, "content-type", "authorization")
    response, _ = radio.ask("/api/stations/piano/prompt", "POST", {"prompt": "rain"}, origin)
    assert response.status == 200
    assert readable(response.headers, PLAYER)
    with radio.listening("/api/events", origin) as feed:
        assert feed.status == 200
        assert readable(feed.headers, PLAYER)


def test_other_origins_may_neither_read_nor_steer(radio):
    origin = {"Origin": OTHER}
    for path in ("/api/stations", "/api/events", "/metrics", "/api/engines"):
        with radio.listening(path, origin) as reply:
            assert not readable(reply.headers, OTHER)
    assert not may_ask(radio, "/api/stations/piano/prompt", "POST", OTHER, "content-type")
    assert radio.ask("/api/stations/piano/prompt", "POST", {"prompt": "x"}, origin)[0].status == 403
    asked = {**origin, "Access-Control-Request-Method": "POST"}
    preflight, _ = radio.ask("/run_inference/", "OPTIONS", headers=asked)  # open to every page, as Riffusion's is
    assert (preflight.status, preflight.headers["Access-Control-Allow-Origin"]) == (204, "*")


def test_without_the_setting_nothing_but_the_sound_is_open(tmp_path):
    with serving(tmp_path) as served:
        assert not readable(served.ask("/api/stations", headers={"Origin": PLAYER})[0].headers, PLAYER)
        assert not may_ask(served, "/api/stations/piano/prompt", "POST", PLAYER)
        with served.listening(headers={"Origin": PLAYER}) as reply:
            assert readable(reply.headers, PLAYER)


def test_events_pass_a_proxy_that_compresses_and_one_that_is_impatient(tmp_path, monkeypatch):
    from lullwave.server import streaming

    assert streaming.HEARTBEAT_S <= 5  # half of the shortest timeout that proxies are known to have
    monkeypatch.setattr(streaming, "HEARTBEAT_S", 0.05)
    with serving(tmp_path) as served, served.listening("/api/events", {"Accept-Encoding": "gzip"}) as feed:
        assert feed.headers["Content-Encoding"] == "identity"
        assert "no-transform" in feed.headers["Cache-Control"]
        assert feed.headers["X-Accel-Buffering"] == "no"
        beats = 0
        while beats < 3:
            beats += feed.readline() == b": still here\n"
