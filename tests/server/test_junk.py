"""Junk on every route and on both kinds of socket: a 4xx or a clean close, while the music plays on."""

import json
import random
import socket
import struct

import pytest
from radio_server import TIMEOUT_S, read_exactly, serving
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

GIANT = 3_000_000  # bytes; far more than any limit but Riffusion's
HEAD = b" HTTP/1.1\r\nHost: 127.0.0.1\r\n"
RAW = [
    b"",
    b"\0" * 5000,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS hello
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"get nothing\r\n\r\n",
    b"GET /stream.mp3 HTTP/1.1\r\n\r\n",  # no Host
    b"GET /stream.mp3 HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nX",
    b"GET /%ff%fe%00" + HEAD + b"\r\n",
    b"GET //stream.mp3" + HEAD + b"\r\n",
    b"GET http://evil.example/" + HEAD + b"\r\n",
    b"GET /" + b"a" * 100_000 + HEAD + b"\r\n",
    b"GET /" + HEAD + b"X: " + b"y" * 200_000,
    b"GET /" + HEAD + b"X: 1\r\n" * 20_000,
    b"POST /api/generate" + HEAD + b"Content-Length: -1\r\n\r\n{}",
    b"POST /api/generate" + HEAD + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    b"POST /api/generate" + HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    b"POST /api/generate" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    b"POST /api/generate" + HEAD + b"Content-Length: 10\r\n\r\n{}",  # and no more
    b"GET /ws" + HEAD + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
    b"GET /ws" + HEAD + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    b"GET /stream.mp3" + HEAD + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    random.Random(5).randbytes(50_000),
]
FRAMES = [  # of a websocket (RFC 6455, 5.2), not masked or wrong in other ways
    b"\x81\x05hello",
    b"\xff\x80\0\0\0\0",
    b"\x81\xff" + struct.pack(">Q", 1 << 62) + bytes(100),
    b"\x8b\x80\0\0\0\0",
    b"\x89\xfe\x0f\xff" + bytes(4100),  # a ping that is too long
    b"\x81\x82\0\0\0\0\xff\xfe",  # not UTF-8
    b"\x80\x80\0\0\0\0",  # goes on with nothing
    random.Random(6).randbytes(20_000),
]


@pytest.fixture
def radio(tmp_path):
    """A server with a listener, who must have heard everything at the end."""
    with serving(tmp_path, max_generate_s=1.0) as served, served.listening() as stream:
        yield served
        served.clock.advance(8)
        assert len(read_exactly(stream, 180_000)) == 180_000
        audience = served.app.state.services.channels.audience
        while served.on_loop(lambda: audience.connections("piano")) != 1:
            pass  # whoever was counted for a while is gone
        assert served.json("/healthz") == {"status": "ok"}


def say(port: int, data: bytes) -> bytes:
    """Send ``data`` and the end, and read until the other side closes or has begun its answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as one:
        try:
            one.sendall(data)
            one.shutdown(socket.SHUT_WR)
            return one.recv(65536)
        except ConnectionError:
            return b""


def test_junk_on_tcp(radio):
    for data in RAW:
        said = say(radio.port, data)
        assert not said or said.split(b" ")[1][:1] in b"234", (data[:80], said[:200])
    for at in range(0, 200, 7):  # a request that breaks off anywhere
        whole = b"POST /api/stations/piano/prompt" + HEAD + b"Content-Length: 15\r\n\r\n" + b'{"prompt": "x"}'
        assert not say(radio.port, whole[:at]).startswith(b"HTTP/1.1 5")


def test_junk_on_a_websocket(radio):
    hello = b"GET /ws" + HEAD + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    hello += b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    for data in FRAMES:
        with socket.create_connection(("127.0.0.1", radio.port), timeout=TIMEOUT_S) as one:
            one.sendall(hello)
            assert one.recv(4096).startswith(b"HTTP/1.1 101")
            try:
                one.sendall(data)
                one.shutdown(socket.SHUT_WR)
                while one.recv(65536):
                    pass
            except ConnectionError:
                pass
    with connect(f"ws://127.0.0.1:{radio.port}/ws") as counts:
        for junk in ("", "LISTENING", "listening\0", "{" * 5000, b"\xff" * 5000, "paused", "listening", "listening"):
            counts.send(junk)
        while counts.recv(timeout=TIMEOUT_S) != "2":
            pass
        counts.send("x" * 1_000_000)
        with pytest.raises(ConnectionClosed):
            counts.recv(timeout=TIMEOUT_S), counts.recv(timeout=TIMEOUT_S), counts.recv(timeout=TIMEOUT_S)
    for path in ("/wss", "/", "/stream.mp3", "/ws/../api/stations"):
        with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{radio.port}{path}"):
            pass
        assert refused.value.response.status_code in (403, 404)


def test_path_tricks_and_giant_bodies_on_every_route(radio):
    document = radio.json("/openapi.json")["paths"]
    for path, methods in document.items():
        named = path.replace("{station}", "piano")
        for wrong in (f"{named}%00", f"{named}/..%2f..%2fetc%2fpasswd", f"{named}/%2e%2e/%2e%2e/x", f"{named};x=y"):
            if "{" not in path:
                assert radio.ask(wrong)[0].status in (404, 405), wrong
        for trick in ("%2e%2e", "..%2f..", "%00", "%ff%fe", "a" * 5000, "%25%2e", "%F0%9F%8E%B5"):
            if "{" in path:
                asked = path.replace("{station}", trick).replace("{id}", trick).replace("{clip}", trick)
                for method in methods:
                    status = radio.ask(asked, method.upper(), {} if method == "post" else None)[0].status
                    assert 400 <= status < 500, (method, asked, status)
        for method in methods:
            if method == "post":
                too_much(radio.port, named)


WITHOUT_BODY = ("/api/models/pull/cancel",)


def too_much(port: int, path: str) -> None:
    """A body far over the limit, announced, and not."""
    limited = not path.startswith(("/run_inference", "/generate", "/api/riffusion", "/api/jobs/"))
    for field in (b"Content-Length: %d\r\n\r\n" % GIANT, b"Transfer-Encoding: chunked\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as one:
            one.sendall(b"POST " + path.encode() + HEAD + b"Content-Type: application/json\r\n" + field)
            try:
                for _ in range(GIANT // 100_000):
                    piece = b"[" * 100_000
                    one.sendall(piece if field.startswith(b"Content") else b"186a0\r\n" + piece + b"\r\n")
                if field.startswith(b"Transfer"):
                    one.sendall(b"0\r\n\r\n")
            except ConnectionError:
                pass
            try:
                said = one.recv(65536)
            except ConnectionError:
                continue  # closed on us while we were still sending
        status = int(said.split(b" ")[1])
        if path in WITHOUT_BODY and status == 200:
            continue  # answered before any of the body was read
        assert status == 413 if limited else 400 <= status < 500, (path, said[:300])
        assert json.loads(said.partition(b"\r\n\r\n")[2] or b'{"error": 1}')["error"]
