"""The ways on which the radio is reached besides plain HTTP: its own TLS, a proxy that is trusted, a path prefix."""

import json
import socket
import ssl
from http.client import HTTPConnection, HTTPSConnection

import pytest
from certificates import make_certificate
from radio_server import TIMEOUT_S, events, read_exactly, serving
from reverse_proxy import proxied
from websockets.sync.client import connect

from lullwave.codecs import decode
from lullwave.errors import SettingsError
from lullwave.server.process.run import check_tls
from lullwave.settings import load

FROM_AFAR = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_everything_works_over_tls(tmp_path, certificate):
    cert, key = certificate
    trust = ssl.create_default_context(cafile=cert)
    with serving(tmp_path, tls_cert=cert, tls_key=key) as served:
        connection = HTTPSConnection("127.0.0.1", served.port, timeout=TIMEOUT_S, context=trust)
        connection.request("GET", "/listen.m3u?station=piano")
        playlist = connection.getresponse().read().decode()
        assert f"https://127.0.0.1:{served.port}/stations/piano/stream.mp3" in playlist

        connection.request("GET", "/stream.mp3")
        stream = connection.getresponse()
        served.clock.advance(6)
        assert decode(read_exactly(stream, 120_000)).duration_s > 4.5
        with connect(f"wss://127.0.0.1:{served.port}/ws", ssl=trust) as counts:
            assert counts.recv(timeout=TIMEOUT_S) == "1"

            # Whoever speaks plain HTTP, or nothing at all, is shown out, and the music plays on.
            for junk in (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(70000), b""):
                with socket.create_connection(("127.0.0.1", served.port), timeout=TIMEOUT_S) as plain:
                    try:
                        plain.sendall(junk)
                        plain.shutdown(socket.SHUT_WR)
                        assert b"200" not in plain.recv(1000)
                    except ConnectionError:
                        pass
            served.clock.advance(5)
            assert len(read_exactly(stream, 100_000)) == 100_000
        connection.close()


@pytest.mark.parametrize("wrong", ["cert", "key"])
def test_files_that_do_not_do_are_named_before_anything_listens(tmp_path, certificate, wrong):
    files = dict(zip(("cert", "key"), certificate, strict=True))
    files[wrong] = tmp_path / "junk.pem"
    files[wrong].write_text("-----BEGIN NONSENSE-----\n")
    with pytest.raises(SettingsError, match="tls_cert"):
        check_tls(load({"tls_cert": files["cert"], "tls_key": files["key"]}))


def test_a_trusted_proxy_says_for_whom_it_asks(tmp_path):
    with serving(tmp_path, trusted_proxies="127.0.0.1", max_per_address=1) as served:
        assert b"https://127.0.0.1" in served.ask("/listen.m3u", headers=FROM_AFAR)[1]
        with served.listening(headers=FROM_AFAR), served.listening(headers={"X-Forwarded-For": "192.0.2.2"}):
            assert served.ask("/stream.mp3", headers=FROM_AFAR)[0].status == 503
            assert served.ask("/stream.mp3", "HEAD", headers={"X-Forwarded-For": "192.0.2.3"})[0].status == 200


def test_nobody_else_is_believed(tmp_path):
    with serving(tmp_path, max_per_address=1) as served:
        assert b"http://127.0.0.1" in served.ask("/listen.m3u", headers=FROM_AFAR)[1]
        with served.listening(headers=FROM_AFAR):
            assert served.ask("/stream.mp3", headers={"X-Forwarded-For": "192.0.2.2"})[0].status == 503


def test_behind_a_proxy_everybody_comes_from_loopback_and_needs_the_token(tmp_path):
    with serving(tmp_path, trusted_proxies="127.0.0.1", token="secret", allowed_hosts="radio.example") as served:
        host = {"Host": "radio.example", **FROM_AFAR}
        assert served.ask("/api/stations", headers=host)[0].status == 200
        assert served.ask("/api/stations", headers=FROM_AFAR | {"Host": "evil.example"})[0].status == 403
        path, body = "/api/stations/piano/prompt", {"prompt": "x"}
        assert served.ask(path, "POST", body, host)[0].status == 401
        assert served.ask(path, "POST", body, host | {"Authorization": "Bearer secret"})[0].status == 200


def test_every_address_is_below_the_prefix(tmp_path):
    with (
        serving(tmp_path, root_path="/radio", trusted_proxies="127.0.0.1", open_steering=True) as served,
        proxied(served.port, "/radio", "https") as proxy,
    ):

        def ask(path: str, method: str = "GET", body: bytes | None = None):
            connection = HTTPConnection("127.0.0.1", proxy.port, timeout=TIMEOUT_S)
            connection.request(method, path, body, {"Content-Type": "application/json"})
            return connection.getresponse()

        base = f"https://127.0.0.1:{proxy.port}/radio"
        assert f"{base}/stations/piano/stream.mp3" in ask("/radio/listen.m3u").read().decode()
        assert f"File1={base}/stations/piano/stream.mp3" in ask("/radio/listen.pls").read().decode()
        sources = json.load(ask("/radio/status-json.xsl"))["icestats"]["source"]
        assert sources[0]["listenurl"] == f"{base}/stations/piano/stream.mp3"
        assert json.load(ask("/radio/openapi.json"))["servers"] == [{"url": "/radio"}]
        for path in ("/radio/", "/radio/static/radio/app.js", "/radio/docs", "/radio/docs/docs.js", "/radio/healthz"):
            assert ask(path).status == 200
        assert served.json("/radio/healthz") == {"status": "ok"}  # a proxy that leaves the prefix on
        stations = json.load(ask("/radio/api/stations"))["stations"]
        assert stations[0]["stream"] == "/radio/stations/piano/stream.mp3"
        steered = ask("/radio/api/stations/piano/prompt", "POST", b'{"prompt": "brighter"}')
        assert json.load(steered)["state"] == "turning"

        told = events(ask("/radio/api/events?listener=ann"))
        assert next(told)[0] == "hello"
        stream = ask(stations[0]["stream"] + "?listener=ann")
        served.clock.advance(5)
        assert decode(read_exactly(stream, 100_000)).duration_s > 4
        assert next(data for kind, data in told if kind == "first")["listener"] == "ann"
        with connect(f"ws://127.0.0.1:{proxy.port}/radio/ws") as counts:
            assert counts.recv(timeout=TIMEOUT_S) == "1"
