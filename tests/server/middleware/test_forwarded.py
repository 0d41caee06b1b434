"""Requests that a proxy passed on: a stranger's from an untrusted one, from a trusted one as the browser made them."""

import json
import socket

import pytest
from inference_servers import inferring
from radio_server import serving
from sine_engine import SineEngine
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from lullwave.errors import SettingsError
from lullwave.hosts import TrustedProxies, is_loopback
from lullwave.server.inference.auth import AccessGuard
from lullwave.server.middleware.forwarded import PORTLESS, VIA_PROXY, Forwarded
from lullwave.settings import load

TRACES = [
    {"X-Forwarded-For": "192.0.2.1"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Host": "radio.example"},
    {"x-forwarded": "1"},
    {"Forwarded": "for=192.0.2.1"},
    {"Via": "1.1 caddy"},
    {"X-Real-IP": "192.0.2.1"},
    {"CF-Connecting-IP": "192.0.2.1"},
]
PROMPT = ("/api/stations/piano/prompt", "POST", {"prompt": "brighter"})


def seen(peer: str, headers: dict[str, str], trusted: str = "127.0.0.1", prefix: str = "", **scope):
    """The scope that an application behind the middleware gets."""
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": "/", "scheme": "http", "http_version": "1.1", "client": (peer, 5), **scope}
    scope["headers"] = raw
    return Forwarded(None, TrustedProxies.parse(trusted), prefix)._seen(scope)


def host_in(scope) -> str:
    return dict(scope["headers"])[b"host"].decode()


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """A server on loopback that nobody has told of a proxy."""
    with serving(tmp_path_factory.mktemp("local")) as served:
        yield served


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """A server of a public name behind a proxy on this machine."""
    flags = {"trusted_proxies": "127.0.0.1", "allowed_hosts": "radio.example", "open_steering": True}
    with serving(tmp_path_factory.mktemp("behind"), steer_every_s=0.0, **flags) as served:
        yield served


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: next(iter(trace)))
def test_who_comes_by_a_proxy_that_nobody_named_needs_the_token(local, trace):
    for path, method, body in (PROMPT, ("/api/generate", "POST", {"prompt": "x", "duration_s": 1})):
        response, data = local.ask(path, method, body, trace)
        assert response.status == 401
        assert b"trusted_proxies" in data
    assert local.ask("/listen.m3u", headers=trace)[0].status == 200
    with local.listening(headers=trace) as stream:
        assert stream.status == 200


def test_http_1_0_is_a_proxys_except_to_listen(local):
    def ask(line: bytes, body: bytes = b"") -> bytes:
        with socket.create_connection(("127.0.0.1", local.port), 30) as one:
            length = b"Content-Length: %d\r\nContent-Type: application/json\r\n" % len(body)
            one.sendall(line + b" HTTP/1.0\r\nHost: 127.0.0.1\r\n" + length + b"\r\n" + body)
            return one.recv(200)

    assert b" 401 " in ask(b"POST /api/stations/piano/prompt", b'{"prompt": "x"}')
    for path in (b"/stream.mp3", b"/listen.pls", b"/healthz"):
        assert b" 200 " in ask(b"GET " + path)
    with socket.create_connection(("127.0.0.1", local.port), 30) as oldest:
        oldest.sendall(b"GET /stream.mp3 HTTP/1.0\r\n\r\n")
        assert b" 200 " in oldest.recv(200)


def test_who_comes_straight_from_this_machine_needs_none(local):
    assert local.ask(*PROMPT)[0].status == 200
    assert local.ask(*PROMPT, {"User-Agent": "curl/8"})[0].status == 200


def test_an_untrusted_proxy_is_named_once_and_its_listeners_are_not(caplog):
    middleware = Forwarded(None, TrustedProxies.parse(""))
    scope = {"type": "http", "path": "/", "http_version": "1.1", "headers": [(b"via", b"1.1 a")]}
    for peer in ("127.0.0.1", "127.0.0.1", "8.8.8.8", *(f"10.0.0.{n}" for n in range(100))):
        middleware._seen({**scope, "client": (peer, 1)})
    old = {**scope, "http_version": "1.0", "headers": [], "client": ("127.0.0.2", 1)}
    assert middleware._seen({**old, "path": "/stream.mp3"})[VIA_PROXY] == "HTTP/1.0"
    said = [record.getMessage() for record in caplog.records]
    assert "set trusted_proxies to 127.0.0.1" in said[0]
    assert len(said) <= 8
    assert not any("8.8.8.8" in line or "127.0.0.2" in line for line in said)


def test_403_says_which_settings_to_look_at(local):
    data = local.ask("/api/stations", headers={"Host": "radio.example"})[1]
    assert all(name in data for name in (b"radio.example", b"allowed_hosts", b"trusted_proxies"))
    data = local.ask(*PROMPT, {"Origin": "https://radio.example"})[1]
    assert all(name in data for name in (b"allowed_origins", b"allowed_hosts", b"trusted_proxies"))


@pytest.mark.parametrize("origin", ["http://[::1", "null", "", "http://", "://", "file://", "http://127.0.0.1:x"])
def test_odd_origins_are_refused_and_break_nothing(local, origin):
    assert local.ask(*PROMPT, {"Origin": origin})[0].status == 403


def test_a_public_name_makes_the_server_public(tmp_path):
    for names, public in (("radio.example", True), ("10.0.0.5", True), ("localhost, [::1]", False), ("", False)):
        assert load({"allowed_hosts": names}).public is public
    with serving(tmp_path, allowed_hosts="Radio.Example., münchen.example", token="secret") as served:
        for host in ("radio.example", "RADIO.example:8443", "xn--mnchen-3ya.example", f"127.0.0.1:{served.port}"):
            assert served.ask(*PROMPT, {"Host": host})[0].status == 401
            assert served.ask(*PROMPT, {"Host": host, "Authorization": "Bearer secret"})[0].status == 200
        assert served.ask("/api/stations", headers={"Host": "evil.example"})[0].status == 403
        assert served.ask("/healthz", headers={"Host": "10.1.2.3:8000"})[0].status == 200  # as probes ask


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ({"Host": "radio.example"}, "radio.example"),  # nginx's $host drops the port
        ({"Host": "radio.example", "X-Forwarded-Port": "8443"}, "radio.example:8443"),
        ({"Host": "radio.example", "X-Forwarded-Host": "radio.example:8443"}, "radio.example:8443"),
        ({"Host": "127.0.0.1:8000", "X-Forwarded-Host": "radio.example:8443"}, "radio.example:8443"),
        (
            {"Host": "127.0.0.1:8000", "X-Forwarded-Host": "radio.example", "X-Forwarded-Port": "8443"},
            "radio.example:8443",
        ),
    ],
)
def test_the_pages_origin_fits_behind_an_odd_port(behind, headers, host):
    said = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", **headers}
    ours, theirs = {"Origin": "https://radio.example:8443"}, {"Origin": "https://evil.example:8443"}
    assert behind.ask(*PROMPT, said | ours)[0].status == 200
    assert behind.ask(*PROMPT, said | theirs)[0].status == 403
    assert f"https://{host}/stations/piano/stream.mp3" in behind.ask("/listen.m3u", headers=said)[1].decode()
    del said["Host"]
    with connect(
        f"ws://127.0.0.1:{behind.port}/ws", additional_headers=said | {"X-Forwarded-Host": "radio.example"} | ours
    ) as socket:
        assert socket.recv(timeout=30)


def test_a_forwarded_prefix_is_in_every_address(tmp_path):
    with serving(tmp_path, trusted_proxies="127.0.0.1") as served:
        said = {"X-Forwarded-Host": "radio.example", "X-Forwarded-Prefix": "/music/"}
        assert "http://radio.example/music/stations/" in served.ask("/listen.m3u", headers=said)[1].decode()
        listed = json.loads(served.ask("/music/api/stations", headers=said)[1])["stations"]
        assert listed[0]["stream"] == "/music/stations/piano/stream.mp3"
        for wrong in ("//evil.example", "music", "/a?b", "/a b", '/"'):
            listed = served.json("/api/stations", headers={"X-Forwarded-Prefix": wrong})["stations"]
            assert listed[0]["stream"] == "/stations/piano/stream.mp3"


@pytest.mark.parametrize(
    ("trusted", "chain", "client"),
    [
        ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "6.6.6.6, 192.0.2.1", "192.0.2.1"),  # the first is the client's invention
        ("127.0.0.1,10.0.0.0/8", "6.6.6.6, 192.0.2.1, 10.1.2.3", "192.0.2.1"),
        ("127.0.0.1,::ffff:10.0.0.0/104", "6.6.6.6, 192.0.2.1, 10.1.2.3", "192.0.2.1"),
        ("[::ffff:127.0.0.1], ::ffff:10.1.2.3", "192.0.2.1, 10.1.2.3", "192.0.2.1"),
        ("127.0.0.1,::ffff:10.0.0.0/104", "192.0.2.1, 11.1.2.3", "11.1.2.3"),
        ("127.0.0.1", "192.0.2.1:4711", "192.0.2.1"),
        ("127.0.0.1", '"[2001:db8::1]:4711"', "2001:db8::1"),
        ("127.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("::1, 127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("*", "192.0.2.1, 192.0.2.2", "192.0.2.1"),
    ],
)
def test_the_client_is_the_last_that_no_trusted_proxy_is(trusted, chain, client):
    assert seen("127.0.0.1", {"X-Forwarded-For": chain}, trusted)["client"][0] == client
    assert seen("::ffff:127.0.0.1", {"X-Forwarded-For": chain}, trusted)["client"][0] in (client, "::ffff:127.0.0.1")


def test_each_proxy_of_a_chain_is_believed_about_its_own_client():
    chain = {"X-Forwarded-For": "192.0.2.1, 10.0.0.1", "X-Forwarded-Host": "evil.example, radio.example, inner"}
    scope = seen("127.0.0.1", chain | {"X-Forwarded-Proto": "https, http"}, "127.0.0.1, 10.0.0.1")
    assert (host_in(scope), scope["scheme"]) == ("radio.example", "https")


@pytest.mark.parametrize(
    ("said", "scheme", "host"),
    [
        ({"X-Forwarded-Proto": "https", "X-Forwarded-Port": "443"}, "https", "a"),
        ({"X-Forwarded-Port": "443"}, "https", "a"),
        ({"X-Forwarded-Proto": "http", "X-Forwarded-Port": "8080"}, "http", "a:8080"),
        ({"X-Forwarded-Proto": "WSS"}, "https", "a"),
        ({"X-Forwarded-Proto": "gopher"}, "http", "a"),
        ({"X-Forwarded-Host": "b:9", "X-Forwarded-Port": "8080"}, "http", "b:9"),
        ({"X-Forwarded-Host": "[2001:db8::1]:9"}, "http", "[2001:db8::1]:9"),
        ({"X-Forwarded-Host": "b/../c"}, "http", "a"),
        ({"X-Forwarded-Host": "b\tc"}, "http", "a"),
        ({"X-Forwarded-Port": "99999999"}, "http", "a"),
    ],
)
def test_scheme_and_host_are_as_the_browser_made_them(said, scheme, host):
    scope = seen("127.0.0.1", {"Host": "a", **said})
    assert (scope["scheme"], host_in(scope)) == (scheme, host)
    socket = seen("127.0.0.1", {"Host": "a", **said}, type="websocket", scheme="ws")
    assert socket["scheme"] == scheme.replace("http", "ws")
    other = seen("127.0.0.2", {"Host": "a", **said})
    assert (other["scheme"], host_in(other), PORTLESS in other) == ("http", "a", False)


@pytest.mark.parametrize("wrong", ["proxy.local", "10.0.0.0/33", "127.0.0.1;10.0.0.1", "127.0.0.1 10.0.0.1", ";", ","])
def test_wrong_proxies_are_refused_at_the_start(wrong):
    with pytest.raises(SettingsError, match=r"trusted_proxies.*10\.0\.0\.0/8"):
        load({"trusted_proxies": wrong})


@pytest.mark.parametrize("wrong", ["https://radio.example", "radio.example:8443", "a/b", "a b", "-", "..", "*"])
def test_wrong_hosts_are_refused_at_the_start(wrong):
    with pytest.raises(SettingsError, match=r"allowed_hosts.*radio\.example\.com"):
        load({"allowed_hosts": wrong})


def test_which_names_are_this_machines():
    for host in ("localhost", "LOCALHOST.", "radio.localhost", "127.1.2.3", "::1", "[::1]", "::ffff:127.0.0.1"):
        assert is_loopback(host)
    for host in ("", "0.0.0.0", "::", "127.0.0.1.nip.example", "localhost.example", "10.0.0.1", "127.x"):
        assert not is_loopback(host)
    assert load({"host": "[::1]"}).host == "::1"


@pytest.mark.parametrize("trace", TRACES[:6], ids=lambda trace: next(iter(trace)))
def test_an_inference_server_on_loopback_asks_a_proxys_clients_for_a_token(trace):
    with inferring(SineEngine()) as served:
        for protocols in (["lullwave.v1"], None):
            with connect(served.url, subprotocols=protocols):
                pass
            with (
                pytest.raises(InvalidStatus) as refused,
                connect(served.url, subprotocols=protocols, additional_headers=trace),
            ):
                pass
            assert refused.value.response.status_code == 401
            assert b"--trusted-proxies" in refused.value.response.body


def test_the_inference_server_behind_a_trusted_proxy():
    guard = AccessGuard("secret", True, False, "music.example")

    def refusal(headers: dict[str, str], token: str = "", guard: AccessGuard = guard) -> int:
        scope = seen("127.0.0.1", {"Host": "127.0.0.1", **headers}, query_string=token.encode())
        answers = {guard.refusal(scope, legacy) for legacy in (False, True)}
        assert len(answers) == 1  # one rule for every client
        answer = answers.pop()
        return answer[0] if answer else 200

    there = {"X-Forwarded-Host": "music.example:8443", "X-Forwarded-For": "192.0.2.1"}
    assert refusal(there) == 401
    assert refusal(there, "token=secret") == 200
    assert refusal(there | {"Origin": "https://music.example:8443"}, "token=secret") == 200
    assert refusal(there | {"Origin": "http://[::1"}, "token=secret") == 403
    assert refusal(there | {"X-Forwarded-Host": "evil.example"}, "token=secret") == 403
    for token in ("", "secret"):  # without one the server makes its own
        unset = AccessGuard(token, True, allowed_hosts="music.example")
        for trace in (there, {}):
            assert refusal(trace, guard=unset) == refusal(trace, "token=wrong", unset) == 401
            assert refusal(trace, f"token={token or unset.made}", unset) == 200
            assert refusal(trace | {"Authorization": f"key {token or unset.made}"}, guard=unset) == 200


def test_legacy_clients_are_let_in_on_request_or_directly():
    for headers in ({}, {"X-Forwarded-For": "192.0.2.1"}):
        scope = seen("127.0.0.1", {"Host": "127.0.0.1", **headers}, trusted="", query_string=b"")
        assert AccessGuard("secret", True, legacy_open=True).refusal(scope, legacy=True) is None
        assert AccessGuard("secret", True, legacy_open=True).refusal(scope) is not None
        direct = AccessGuard("", True, legacy_direct=True)  # a public server without a token of the owner's
        assert direct.refusal(scope) is not None
        refused = direct.refusal(scope, legacy=True)
        assert refused is None if not headers else refused[0] == 401
        refused = AccessGuard("", False).refusal(scope, legacy=True)
        assert refused is None if not headers else refused[0] == 401
