"""A station by HLS over HTTP: playlists, segments, limits, counts, and how long it stays awake."""

import json
from concurrent.futures import ThreadPoolExecutor

import m3u8
import numpy as np
import pytest
from pyav_decoder import decoded
from radio_server import serving
from sine_engine import RATE

from lullwave.codecs import fragmented_mp4
from lullwave.server.hls import listeners as hls_listeners
from lullwave.server.hls.playlists import SEGMENT_FRAMES

pytest.importorskip("av")


@pytest.fixture(scope="module")
def radio(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("hls"), sleep_after_s=30.0) as served:
        yield served


def awaited(served, path: str, **how):
    """A whole exchange while time passes: a playlist waits for its first segments."""
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(served.ask, path, **how)
        while not asking.done():
            served.clock.advance(0.1)
        return asking.result()


def playlist(served, path: str) -> m3u8.M3U8:
    response, data = awaited(served, path)
    assert response.status == 200, data
    assert response.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    return m3u8.loads(data.decode())


def listeners(served, station: str = "piano") -> int:
    return next(one["listeners"] for one in served.json("/api/stations")["stations"] if one["id"] == station)


def test_a_player_follows_the_playlists_and_hears_the_programme(radio):
    index = playlist(radio, "/stream.m3u8")
    assert len(index.playlists) == 2
    variant = f"/{index.playlists[0].uri}"
    folder = variant.rpartition("/")[0]
    files: dict[str, bytes] = {}
    numbers: list[int] = []
    for _ in range(5):
        found = playlist(radio, variant)
        numbers.append(found.media_sequence)
        for uri in [found.segment_map[0].uri, *(one.uri for one in found.segments)]:
            if uri not in files:
                response, files[uri] = radio.ask(f"{folder}/{uri}")
                assert response.status == 200
                assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
                assert response.headers["Content-Type"] == "audio/mp4"
                assert response.headers["Access-Control-Allow-Origin"] == "*"
        radio.clock.advance(6)
    assert numbers == sorted(numbers)
    heard = decoded(b"".join(files.values()))
    assert len(heard) == (len(files) - 1) * SEGMENT_FRAMES > 25 * RATE
    mono = heard[2 * RATE :, 0]
    level = np.sqrt(np.mean(mono[: len(mono) // 441 * 441].reshape(-1, 441) ** 2, axis=1))
    assert level.min() > 0.02  # no gap of even 10 ms
    turn = np.exp(-2j * np.pi * 220.0 * np.arange(len(mono)) / RATE)
    seconds = len(mono) // RATE
    phase = np.unwrap(np.angle((mono * turn)[: seconds * RATE].reshape(seconds, RATE).sum(axis=1)))
    assert np.ptp(phase) < 2 * np.pi * 220.0 / RATE  # not one frame was lost or doubled
    (piece, *_) = found.segments[0].dateranges
    assert piece.x_client_attrs[0][1].startswith('"Tone ')


def test_each_player_is_counted_while_it_asks(tmp_path, monkeypatch):
    with serving(tmp_path) as served:
        variants = [playlist(served, "/stations/piano/hls/index.m3u8").playlists[0].uri for _ in range(2)]
        assert listeners(served) == 0  # a first playlist is not listening yet
        for uri in variants:
            playlist(served, f"/stations/piano/hls/{uri}")
        playlist(served, f"/stations/piano/hls/{variants[0]}")
        assert listeners(served) == 2
        for _ in range(2):
            playlist(served, "/stations/piano/hls/64.m3u8")
        assert listeners(served) == 3  # those without an id are one
        channel = served.app.state.services.channels.default
        assert channel.station.state == "on air"
        monkeypatch.setattr(hls_listeners, "HOLD_S", 0.0)
        for uri in [*variants, "64.m3u8"]:
            playlist(served, f"/stations/piano/hls/{uri}")
        while listeners(served) or served.on_loop(lambda: channel.wanted):  # stations are told of changes together
            pass
        served.on_loop(channel.hls.close)
        served.clock.advance(61)
        assert channel.station.state == "asleep"


def test_playlists_are_for_a_second_and_the_first_one_is_private(radio):
    assert radio.ask("/stream.m3u8")[0].headers["Cache-Control"] == "private, no-store"
    response, _ = awaited(radio, "/stations/piano/hls/160.m3u8")
    assert response.headers["Cache-Control"] == "public, max-age=1"
    assert radio.json("/api/stations")["stations"][0]["hls"] == "/stations/piano/hls/index.m3u8"


def test_heads_wake_nobody_and_what_is_not_there_is_not_found(radio):
    for path in ("/stations/organic/hls/index.m3u8", "/stations/organic/hls/160.m3u8"):
        response, data = radio.ask(path, "HEAD")
        assert (response.status, data) == (200, b"")
    assert radio.json("/api/stations/organic")["state"] == "asleep"
    for name in ("96.m3u8", "x-160-1.m4s", "..%2findex.m3u8", "index.m3u"):
        response, _ = radio.ask(f"/stations/organic/hls/{name}")
        assert (response.status, response.headers["Cache-Control"]) == (404, "no-store")  # no cache keeps "not yet"
    assert radio.ask("/stations/attic/hls/index.m3u8")[0].status == 404
    assert radio.ask("/stream.m3u8?listener=no%20spaces")[0].status == 422
    assert radio.ask("/stations/piano/hls/160.m3u8", headers={"Host": "evil.example"})[0].status == 403


def test_it_is_refused_where_there_is_no_room(tmp_path):
    with serving(tmp_path, max_listeners=1, max_awake=1) as served:
        response, _ = served.ask("/stations/organic/hls/index.m3u8")  # only the default station may be awake
        assert (response.status, response.headers["Cache-Control"]) == (503, "no-store")
        playlist(served, "/stations/piano/hls/160.m3u8?listener=ann")
        response, data = served.ask("/stations/piano/hls/160.m3u8?listener=ben")
        assert (response.status, "full" in json.loads(data)["error"]["message"]) == (503, True)
        assert served.ask("/stream.mp3")[0].status == 503
        playlist(served, "/stations/piano/hls/64.m3u8?listener=ann")  # the same listener at another bit rate
    with serving(tmp_path / "more", max_per_address=1) as served:
        playlist(served, "/stations/piano/hls/160.m3u8?listener=ann")
        assert served.ask("/stations/organic/hls/160.m3u8?listener=ben")[0].status == 503


def test_a_station_behind_a_cdn_is_always_on_and_counts_nobody(tmp_path):
    stations = [{"id": "piano", "always_on": True}, {"id": "attic"}]
    with serving(tmp_path, stations=stations, sleep_after_s=5.0) as served:
        served.clock.advance(12)
        states = {one["id"]: one["state"] for one in served.json("/api/stations")["stations"]}
        assert states == {"piano": "on air", "attic": "asleep"}
        response, data = served.ask("/stations/piano/hls/index.m3u8")
        assert response.headers["Cache-Control"] == "public, max-age=1"
        assert b"listener" not in data
        assert len(m3u8.loads(served.ask("/stations/piano/hls/160.m3u8")[1].decode()).segments) >= 5  # ready at once
        assert listeners(served) == 0
        for name, always_on in (("attic", True), ("piano", False)):
            response, _ = served.ask(f"/api/stations/{name}", "PATCH", {"always_on": always_on})
            assert response.status == 200
        served.clock.advance(8)
        states = {one["id"]: one["state"] for one in served.json("/api/stations")["stations"]}
        assert states == {"piano": "asleep", "attic": "on air"}


def test_without_the_extra_the_routes_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(fragmented_mp4, "installed", lambda: False)
    with serving(tmp_path) as served:
        for path in ("/stream.m3u8", "/stations/piano/hls/index.m3u8", "/stations/piano/hls/160.m3u8"):
            response, data = served.ask(path)
            assert response.status == 501
            assert "lullwave[media]" in json.loads(data)["error"]["message"]
        assert served.json("/api/stations")["stations"][0]["hls"] is None
        with served.listening() as stream:
            served.clock.advance(1)
            assert stream.status == 200
