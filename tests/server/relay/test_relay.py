"""Origin and relay in one process: the same frames, the fallback without the origin, and whose token goes where."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import SimpleNamespace

import m3u8
import pytest
from radio_server import TIMEOUT_S, Served, events, read_exactly, serving

pytest.importorskip("httpx")

from lullwave.codecs import FrameSplitter, decode
from lullwave.errors import SettingsError
from lullwave.ring import Ring
from lullwave.server.hls.playlists import LISTED, SEGMENT_S
from lullwave.server.relay import origin as relay_origin
from lullwave.server.relay import programme, stations
from lullwave.settings import load

STATIONS = [{"id": "piano"}, {"id": "rain"}]


@pytest.fixture(autouse=True)
def simulated(monkeypatch):
    """Nothing stalls while a simulated clock stands still, and a lost origin is tried again at once."""
    monkeypatch.setattr(programme, "STALL_S", 3 * TIMEOUT_S)
    monkeypatch.setattr(programme, "PATIENCE_S", TIMEOUT_S)
    monkeypatch.setattr("lullwave.station.backoff.FIRST_S", 0.1)
    monkeypatch.setattr("lullwave.station.backoff.LONGEST_S", 0.1)
    monkeypatch.setattr(relay_origin, "AWAY_S", 0.0)


@contextmanager
def relaying(folder, origin: Served, **flags):
    address = f"http://127.0.0.1:{origin.port}"
    with serving(folder, relay=address, stations=STATIONS, reserve_s=8.0, **flags) as served:
        yield served


def eventually(holds) -> None:
    """Wait until the connections between the two servers have done their part."""
    until = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def relay_of(served: Served, name: str = "piano"):
    return served.app.state.services.channels.stations[name].relay


def frames_of(stream, seconds: float) -> list[bytes]:
    return FrameSplitter().feed(read_exactly(stream, int(seconds * 24_000)))


def restarted(origin: Served, folder) -> Served:
    """Another server at the same address."""
    again = Served(load({"data_dir": folder, "log_level": "error", "stations": STATIONS, "stall_s": 60.0}), None)
    again.bound.close()
    from lullwave.server.process.run import listening_socket

    again.bound, again.port = listening_socket("127.0.0.1", origin.port), origin.port
    return again


def test_a_listener_hears_the_origins_frames_over_one_connection(tmp_path):
    with serving(tmp_path / "origin", stations=STATIONS) as origin, relaying(tmp_path / "relay", origin) as relay:
        with origin.listening("/stream.mp3") as direct:
            origin.clock.advance(10)
            with relay.listening("/stream.mp3?listener=ann") as first, relay.listening("/stream.mp3") as second:
                eventually(lambda: relay_of(relay).live)
                origin.clock.advance(10)
                made = frames_of(direct, 19)
                heard, also = frames_of(first, 11), frames_of(second, 9)
                at = made.index(heard[5])
                assert heard[5:300] == made[at : at + 295]  # the first ones are silent, for decoders that begin here
                assert also[5:200] == made[made.index(also[5]) :][:195]
                assert origin.on_loop(lambda: origin.app.state.services.channels.audience.connections("piano")) == 2
                with (
                    relay.listening("/api/events?station=piano&listener=ann") as feed,
                    origin.listening("/api/events?station=piano") as told,
                ):
                    hello = next(data for kind, data in events(feed) if kind == "hello")
                    assert hello["first_frame"] is not None
                    origin.clock.advance(25)
                    piece = next(data for kind, data in events(told) if kind == "piece")
                    assert next(data for kind, data in events(feed) if kind == "piece") == piece
                shown = relay.json("/api/stations/piano")
                assert (shown["state"], shown["listeners"]) == ("on air", 2)
                assert shown["now"]["title"] == origin.json("/api/stations/piano")["now"]["title"]
                assert relay.json("/api/stations/piano/history")["station"] == "piano"
                assert relay.app.state.services.channels.default.station.state != "on air"
        channels = origin.app.state.services.channels
        eventually(lambda: origin.on_loop(lambda: channels.audience.connections("piano")) == 0)


def test_music_goes_on_when_the_origin_is_gone_and_is_its_own_again_when_it_is_back(tmp_path):
    with (
        serving(tmp_path / "origin", stations=STATIONS) as origin,
        relaying(tmp_path / "relay", origin) as relay,
        relay.listening("/stream.mp3") as stream,
    ):
        eventually(lambda: relay_of(relay).live)
        origin.clock.advance(10)
        heard = read_exactly(stream, 9 * 24_000)
        origin.stop()
        eventually(lambda: relay_of(relay).own)
        eventually(lambda: relay.json("/api/stations")["stations"][0]["state"] == "on air")
        assert relay.ask("/api/stations/piano/prompt", "POST", {"prompt": "brighter"})[0].status == 503
        edge = relay.on_loop(lambda: relay_of(relay).edge)
        for _ in range(10):
            relay.clock.advance(1)
        heard += read_exactly(stream, 9 * 24_000)
        assert relay.on_loop(lambda: relay_of(relay).edge) > edge
        back = restarted(origin, tmp_path / "again")
        back.start()
        try:
            eventually(lambda: relay_of(relay).live)
            with back.listening("/stream.mp3") as direct:
                back.clock.advance(10)
                made = frames_of(direct, 9)
                heard += read_exactly(stream, 13 * 24_000)  # 8 s are left of its own music
            frames = FrameSplitter().feed(heard)  # whole frames over both changes
            assert frames[-100] in made
            at = made.index(frames[-100])
            assert frames[-100:-50] == made[at : at + 50]
            assert decode(b"".join(frames)).frames == pytest.approx(len(frames) * 1152, abs=2304)
        finally:
            back.stop()


def test_a_visitor_steers_with_a_token_of_the_origin_and_the_relays_own_stays_here(tmp_path, monkeypatch):
    asked: list[dict[str, str]] = []
    sent = relay_origin.Origin.ask

    async def noted(self, method, path, headers=None, body=b""):
        asked.append(dict(headers or {}))
        return await sent(self, method, path, headers, body)

    monkeypatch.setattr(relay_origin.Origin, "ask", noted)
    public = {"allowed_hosts": "radio.example"}
    with (
        serving(tmp_path / "origin", stations=STATIONS, token="origins", **public) as origin,
        relaying(tmp_path / "relay", origin, token="relays", **public) as relay,
    ):
        steer = ("/api/stations/piano/prompt", "POST", {"prompt": "brighter"})
        assert relay.ask(*steer)[0].status == 401
        assert relay.ask(*steer, {"Authorization": "Bearer relays"})[0].status == 401
        assert all("authorization" not in headers for headers in asked)
        response, data = relay.ask(*steer, {"Authorization": "Bearer origins"})
        assert (response.status, json.loads(data)["prompt"]) == (200, "brighter")
        assert asked[-1]["authorization"] == "Bearer origins"
        foreign = {"Authorization": "Bearer origins", "Origin": "https://evil.example"}
        assert relay.ask(*steer, foreign)[0].status == 403
        assert relay.ask("/api/clients", headers={"Authorization": "Bearer origins"})[0].status == 403
        assert relay.ask("/api/clients", headers={"Authorization": "Bearer relays"})[0].status == 200
        relay.ask("/api/stations", headers={"Authorization": "Bearer relays"})
        assert "authorization" not in asked[-1]
    assert [headers["x-forwarded-for"] for headers in asked] == ["127.0.0.1"] * len(asked)


def test_an_unprotected_origin_does_not_take_a_relay_for_its_owner(tmp_path):
    with serving(tmp_path / "origin", stations=STATIONS) as origin, relaying(tmp_path / "relay", origin) as relay:
        response, data = relay.ask("/api/stations/piano/prompt", "POST", {"prompt": "brighter"})
        assert response.status == 401
        assert "trusted_proxies" in json.loads(data)["error"]["message"]
        assert relay.ask("/api/stations/piano/private", "POST")[0].status == 501


def test_hls_is_passed_on(tmp_path):
    pytest.importorskip("av")
    with (
        serving(tmp_path / "origin", stations=STATIONS) as origin,
        relaying(tmp_path / "relay", origin) as relay,
        origin.listening() as direct,
        relay.listening() as stream,
    ):
        origin.clock.advance(10)
        origin.on_loop(origin.app.state.services.channels.default.hls.hold)
        origin.clock.advance(1)
        eventually(lambda: relay_of(relay).live)
        response, data = relay.ask("/stations/piano/hls/160.m3u8?listener=ben")
        assert response.status == 200
        assert relay.ask("/stations/piano/hls/160.m3u8?listener=ben")[1] == data
        uri = m3u8.loads(data.decode()).segments[-1].uri
        for _ in range(2):  # the second time from what the relay keeps
            assert relay.ask(f"/stations/piano/hls/{uri}")[1] == origin.ask(f"/stations/piano/hls/{uri}")[1]
        assert relay.ask("/stations/piano/hls/0123456789ab-160-7.m4s")[0].status == 404
        assert read_exactly(direct, 1000)
        assert read_exactly(stream, 1000)


def test_numbers_of_hls_never_decrease_when_the_origin_is_lost_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(programme, "PATIENCE_S", 5.0)
    pytest.importorskip("av")
    told: list[tuple[int, int]] = []  # EXT-X-MEDIA-SEQUENCE, EXT-X-DISCONTINUITY-SEQUENCE
    named: dict[int, str] = {}  # the segment of each number

    def drained(stream) -> None:
        while stream.read1(65536):
            pass

    def poll(relay: Served, *playing: Served) -> None:
        """Ask for a playlist while time passes, twice."""
        for _ in range(2):
            with ThreadPoolExecutor(1) as pool:
                asking = pool.submit(relay.ask, "/stations/piano/hls/160.m3u8?listener=ben")
                while not wait([asking], 0.05).done:
                    for served in playing:
                        served.clock.advance(0.2)
                response, data = asking.result()
            assert response.status == 200, data
            found = m3u8.loads(data.decode())
            told.append((found.media_sequence, found.discontinuity_sequence))
            for number, one in enumerate(found.segments, found.media_sequence):
                assert named.setdefault(number, one.uri) == one.uri
            for served in playing:
                served.clock.advance(3.0)

    with (
        ThreadPoolExecutor(1) as reading,
        serving(tmp_path / "origin", stations=STATIONS) as origin,
        relaying(tmp_path / "relay", origin) as relay,
        relay.listening() as stream,
    ):
        reading.submit(drained, stream)
        try:
            for outage in range(2):
                eventually(lambda origin=origin: origin.clock.advance(0.1) or relay_of(relay).live)
                poll(relay, origin)
                origin.stop()
                eventually(lambda: relay_of(relay).own)
                poll(relay, relay)
                assert told[-1][0] >= int(relay.clock.wall() / SEGMENT_S) - LISTED  # by the time of day each time
                relay.clock.advance(5.0)
                origin = restarted(origin, tmp_path / f"again-{outage}")
                origin.start()
            eventually(lambda: origin.clock.advance(0.1) or relay_of(relay).live)
            poll(relay, origin)
        finally:
            origin.stop()
    assert told == sorted(told)
    assert [number for number, _ in told] == sorted(number for number, _ in told)
    runs = [told[at][1] for at in range(0, len(told), 2)]
    assert sorted(set(runs)) == runs  # each change is told as one


def test_who_waits_for_a_segment_is_told_when_the_last_listener_goes():
    class Silent:
        """An origin that says nothing."""

        async def listen(self, station, listener):
            await asyncio.Event().wait()
            yield b""

        async def events(self, station, listener):
            await asyncio.Event().wait()
            yield None

    async def scenario() -> None:
        ignored = dict.fromkeys(("start", "set_listening"), lambda *_: None)
        station = SimpleNamespace(id="piano", playing_engine="synth", **ignored)
        feed = SimpleNamespace(cut=lambda: None)
        relayed = programme.RelayedProgramme(station, Silent(), feed, Ring(8), lambda *_: None, 5.0)
        relayed.set_listening(True)
        waiting = asyncio.create_task(relayed.hls("0123456789ab-160-7.m4s"))
        await asyncio.sleep(0)
        relayed.close()
        assert await asyncio.wait_for(waiting, 5.0) is None

    asyncio.run(scenario())


def test_the_stations_are_the_origins_and_are_kept_for_a_start_without_it(tmp_path):
    with serving(tmp_path / "origin", stations=STATIONS, station="rain", bitrate_kbps=128) as origin:
        settings = load({"data_dir": tmp_path / "relay", "relay": f"http://127.0.0.1:{origin.port}"})
        found = stations.relayed(settings)
    assert [one.id for one in found.stations] == ["piano", "rain"]
    assert (found.default_station, found.bitrate_kbps) == ("rain", 128)
    assert stations.relayed(settings) == found
    with pytest.raises(SettingsError, match="relay"):
        stations.relayed(settings.model_copy(update={"data_dir": tmp_path / "new"}))


def test_frames_are_moved_at_any_depth():
    told = {"frame": 5, "now": {"started_frame": 1, "frames": 9}, "next": [{"frame": 7}], "epoch": None}
    moved = programme.moved_facts(told, 100)
    assert moved == {"frame": 105, "now": {"started_frame": 101, "frames": 9}, "next": [{"frame": 107}], "epoch": None}


def test_a_request_that_fails_or_is_slow_says_nothing_about_the_others(tmp_path, monkeypatch):
    import httpx

    monkeypatch.setattr(relay_origin, "AWAY_S", 60.0)
    monkeypatch.setattr(relay_origin, "ANSWER_S", 0.2)
    faults = {"/slow": None, "/broken": httpx.ReadError("broke off"), "/gone": httpx.ConnectError("refused")}

    async def reply(request: httpx.Request) -> httpx.Response:
        fault = faults.get(request.url.path, ...)
        if fault is None:
            await asyncio.sleep(TIMEOUT_S)
        if isinstance(fault, Exception):
            raise fault
        return httpx.Response(200, content=b"here")

    async def scenario() -> None:
        origin = relay_origin.Origin("http://origin.example")
        await origin._client._http.aclose()
        origin._client._http = httpx.AsyncClient(base_url="http://origin.example", transport=httpx.MockTransport(reply))
        for path in ("/slow", "/broken"):
            assert await origin.ask("GET", path) is None
            assert (await origin.ask("GET", "/other")).body == b"here"
        assert await origin.ask("GET", "/gone") is None
        assert await origin.ask("GET", "/other") is None  # nobody has to wait for another attempt
        await origin.close()

    asyncio.run(scenario())
