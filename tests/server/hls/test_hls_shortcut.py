"""What the shortcut answers is what the routes would answer, and what needs a decision is left to them."""

from concurrent.futures import ThreadPoolExecutor

import m3u8
import pytest
from radio_server import serving

from lullwave.server.clients import Clients
from lullwave.server.hls.shortcut import HlsShortcut
from lullwave.server.rate_limits import RateLimits

pytest.importorskip("av")
HLS = "/stations/piano/hls"
BY_ROUTES = "also=1"  # a parameter that nothing reads; the shortcut takes no request with others than the listener


@pytest.fixture
def taken(monkeypatch):
    """Whether the shortcut took each request, in their order."""
    noted = []
    own = HlsShortcut._reply

    def noting(self, scope):
        reply = own(self, scope)
        noted.append(reply is not None)
        return reply

    monkeypatch.setattr(HlsShortcut, "_reply", noting)
    return noted


def awaited(served, path: str):
    """A whole exchange while time passes: a playlist waits for its first segments."""
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(served.ask, path)
        while not asking.done():
            served.clock.advance(0.1)
        return asking.result()


def exchange(served, path: str, method: str = "GET", **headers: str):
    """What a client gets: status, headers, body."""
    response, data = served.ask(path, method, headers={name.replace("_", "-"): text for name, text in headers.items()})
    return response.status, sorted(pair for pair in response.getheaders() if pair[0] != "date"), data


def both_ways(served, path: str, method: str = "GET", **headers: str):
    """The same exchange with and without the shortcut, which must be the same; and its status."""
    longer = f"{path}{'&' if '?' in path else '?'}{BY_ROUTES}"
    found = exchange(served, path, method, **headers)
    assert found == exchange(served, longer, method, **headers)
    return found[0]


def begun(served, prefix: str = "") -> tuple[str, str]:
    """Let ``ann`` listen; the addresses of a segment and its header."""
    playlist = m3u8.loads(awaited(served, f"{prefix}{HLS}/160.m3u8?listener=ann")[1].decode())
    folder = f"{prefix}{HLS}"
    return f"{folder}/{playlist.segments[-1].uri}", f"{folder}/{playlist.segment_map[0].uri}"


def test_it_answers_as_the_routes_do(tmp_path, taken):
    with serving(tmp_path, max_listeners=1) as served:
        segment, init = begun(served)
        taken.clear()
        for path in (f"{HLS}/160.m3u8?listener=ann", f"{HLS}/64.m3u8?listener=ann", segment, init):
            for _ in range(2):  # the second reply is the object that the first one was
                assert both_ways(served, path) == 200
                assert taken == [True, False]
                taken.clear()
        tag = f'"{segment.rpartition("/")[2]}"'
        for status, path, method, headers in (
            (200, segment, "HEAD", {}),
            (200, f"{HLS}/160.m3u8?listener=ann", "HEAD", {}),
            (304, segment, "GET", {"If_None_Match": tag}),
            (206, segment, "GET", {"Range": "bytes=10-19"}),
            (206, segment, "GET", {"Range": "bytes=10-19", "If_Range": tag}),
            (200, segment, "GET", {"Range": "bytes=10-19", "If_Range": '"other"'}),
            (416, segment, "GET", {"Range": "bytes=9999999-"}),
            (404, f"{HLS}/0123456789ab-160-7.m4s", "GET", {}),
            (404, segment.replace("piano", "attic"), "GET", {}),
            (503, f"{HLS}/160.m3u8?listener=ben", "GET", {}),  # there is room for one
            (503, f"{HLS}/160.m3u8", "GET", {}),
            (422, f"{HLS}/160.m3u8?listener=no%20spaces", "GET", {}),
            (404, f"{HLS}/96.m3u8?listener=ann", "GET", {}),
            (405, segment, "POST", {}),
            (413, segment, "GET", {"Content_Length": str(10**9)}),
            (403, segment, "GET", {"Host": "evil.example"}),
        ):
            assert both_ways(served, path, method, **headers) == status, (path, method, headers)
        assert not any(taken)
        response, _ = served.ask(segment, headers={"Range": "bytes=9999999-"})
        assert response.headers["Cache-Control"] == "no-store"
        served.clock.advance(2.5)  # the playlist has changed, and neither way gives the old one
        before = exchange(served, f"{HLS}/160.m3u8?listener=ann")
        served.clock.advance(2.5)
        assert both_ways(served, f"{HLS}/160.m3u8?listener=ann") == 200
        assert exchange(served, f"{HLS}/160.m3u8?listener=ann") != before
        served.on_loop(lambda: served.app.state.services.clients.drop("127.0.0.1", 60.0))
        assert both_ways(served, segment) == 503
        served.on_loop(lambda: served.app.state.services.clients.drop("127.0.0.1", 0.0))


def test_behind_a_prefix_and_for_a_station_behind_a_cdn(tmp_path, taken):
    stations = [{"id": "piano", "always_on": True}]
    with serving(tmp_path, stations=stations, root_path="/radio", allowed_origins="https://a.example") as served:
        served.clock.advance(8)
        segment, init = begun(served, "/radio")
        for path in (segment, init, f"/radio{HLS}/64.m3u8", f"{HLS}/64.m3u8?listener=nobody"):
            taken.clear()
            assert both_ways(served, path, Origin="https://a.example") == 200
            assert taken == [True, False]
        assert served.app.state.services.channels.audience.total == 0


def test_each_request_takes_a_turn_of_its_address_and_counts_as_open(tmp_path, taken, monkeypatch):
    turns, opened = [], []
    own_turn, own_request = RateLimits.of, Clients.request
    monkeypatch.setattr(RateLimits, "of", lambda self, key, now: turns.append(key) or own_turn(self, key, now))
    monkeypatch.setattr(
        Clients, "request", lambda self, scope: opened.append(scope["path"]) or own_request(self, scope)
    )
    with serving(tmp_path) as served:
        segment, _ = begun(served)
        for noted in (turns, opened, taken):
            noted.clear()
        assert exchange(served, segment)[0] == 200
    assert (turns, opened, taken) == (["127.0.0.1"], [segment], [True])


def test_replies_are_forgotten_when_nobody_asks_any_more(tmp_path):
    with serving(tmp_path) as served:
        segment, _ = begun(served)
        services = served.app.state.services
        channel = services.channels.default
        assert both_ways(served, segment) == 200
        assert served.on_loop(lambda: list(services.hls_replies._made(channel).files)) == [segment.rpartition("/")[2]]
        served.on_loop(channel.hls.close)
        assert served.on_loop(lambda: services.hls_replies._made(channel).files) == {}
        assert both_ways(served, segment) == 404
