"""Both parsers of HTTP serve alike: old players, heads without end, pipelines, hosts."""

import asyncio
import socket
from functools import partial

import pytest
from radio_server import TIMEOUT_S, serving
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from lullwave.server.process import http_protocols, run
from lullwave.server.process.http_protocols import HEAD_BYTES, PARSED_BYTES, HeadWithBody

HOST = b"Host: 127.0.0.1\r\n"
ASK = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"


def protocol(name: str):
    if name == "h11":
        return H11Protocol
    pytest.importorskip("httptools")
    return http_protocols.http_protocol()


@pytest.fixture(scope="module", params=["h11", "httptools"])
def radio(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "http_protocol", partial(protocol, request.param))
        protocol(request.param)
        with serving(tmp_path_factory.mktemp("http")) as served:
            yield served


def said(served, *parts: bytes, body: bool = False) -> bytes:
    """All that a server says to ``parts`` until it closes the connection; or until its ``body`` has begun."""
    got = b""
    with socket.create_connection(("127.0.0.1", served.port), timeout=TIMEOUT_S) as one:
        try:
            for part in parts:
                one.sendall(part)
            while not (body and got.partition(b"\r\n\r\n")[2]) and (more := one.recv(65536)):
                got += more
        except ConnectionError:  # it closed before all was sent
            pass
    return got


def test_replies_in_http_1_0_are_not_chunked_and_end_with_the_connection(radio):
    head, _, body = said(radio, b"GET /healthz HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")
    assert (b" 200 " in head, body) == (True, b'{"status":"ok"}')
    with radio.listening():
        radio.clock.advance(4)
        for version, chunked in ((b"1.0", False), (b"1.1", True)):
            ask = b" HTTP/" + version + b"\r\n" + HOST + b"\r\n"
            head, _, body = said(radio, b"GET /stream.mp3" + ask, body=True).partition(b"\r\n\r\n")
            assert (b"chunked" in head.lower()) == chunked
            assert (body[0] == 0xFF) == (not chunked)  # an MP3 frame, or the size of a chunk
            head, _, body = said(radio, b"GET /api/events" + ask, body=True).partition(b"\r\n\r\n")
            assert (b"chunked" in head.lower()) == chunked
            assert body.startswith(b"retry:") == (not chunked)


def test_a_request_names_one_host(radio):
    assert b" 400 " in said(radio, b"GET /healthz HTTP/1.1\r\n\r\n")[:20]
    assert b" 400 " in said(radio, b"GET /healthz HTTP/1.1\r\n" + HOST * 2 + b"\r\n")[:20]
    assert b" 200 " in said(radio, b"GET /healthz HTTP/1.0\r\n\r\n")[:20]


def test_a_head_without_end_is_refused(radio):
    begin = b"GET /healthz HTTP/1.1\r\n" + HOST
    for endless in (b"X: " + b"y" * 400_000, b"X: 1\r\n" * 60_000):
        assert b" 200 " not in said(radio, begin + endless, b"\r\n\r\n")[:20]
    assert b" 200 " in said(radio, begin + b"X: " + b"y" * (HEAD_BYTES // 2) + b"\r\nConnection: close\r\n\r\n")[:20]


def test_trailers_without_end_close_the_connection(radio):
    begin = b"POST /api/stations/piano/undo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    assert said(radio, begin, b"X: 1\r\n" * 60_000, b"\r\n" + ASK).count(b" 200 ") < 2


def test_a_pipeline_is_answered_in_order(radio):
    asked = b"".join(b"GET /healthz?%d HTTP/1.1\r\n" % n + HOST + b"\r\n" for n in range(90))
    last = b"GET /api/stations/attic/history?limit=0 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    replies = said(radio, asked + last)
    assert replies.count(b'{"status":"ok"}') == 90
    assert replies.rpartition(b"HTTP/1.1 ")[2].startswith((b"404", b"422"))


def test_requests_behind_one_that_waits_are_not_parsed(tmp_path, monkeypatch):
    pytest.importorskip("httptools")
    monkeypatch.setattr(run, "with_paced_requests", partial(run.with_paced_requests, per_s=1e-6, burst=1))
    with serving(tmp_path) as served, socket.create_connection(("127.0.0.1", served.port), TIMEOUT_S) as one:
        one.sendall(ASK * 3000)
        answered = b""
        while b"ok" not in answered:  # the first one
            answered += one.recv(65536)

        def waiting() -> int:
            return sum(len(each.pipeline) for each in served.server.server_state.connections)

        while not served.on_loop(waiting):
            pass
        for _ in range(20):
            assert served.on_loop(waiting) <= PARSED_BYTES // len(ASK) + 1


class Written:
    """A transport that notes what is done to it."""

    def __init__(self):
        self.done = []

    def write(self, data):
        self.done.append(data)

    def close(self):
        self.done.append("closed")

    def is_closing(self):
        return "closed" in self.done


def test_a_head_is_written_with_its_body_or_soon_alone():
    async def replies():
        loop, head = asyncio.get_running_loop(), b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n"
        whole, slow, none, over, endless = (Written() for _ in range(5))
        reply = HeadWithBody(whole, loop)
        for part in (head, b"body", b"more"):
            reply.write(part)
        first = HeadWithBody(slow, loop)
        first.write(head)
        HeadWithBody(none, loop).write(head)
        last = HeadWithBody(over, loop)
        last.write(head)
        last.close()
        stream = HeadWithBody(endless, loop)
        for part in (b"HTTP/1.1 200 OK\r\n\r\n", b"a part"):
            stream.write(part)
        assert endless.done == [b"HTTP/1.1 200 OK\r\n\r\n", b"a part"]
        assert (slow.done, none.done, over.done, last.is_closing()) == ([], [], [head, "closed"], True)
        await asyncio.sleep(0)
        assert (slow.done, none.done) == ([head], [head])
        first.write(b"body")
        assert (whole.done, slow.done) == ([head + b"body", b"more"], [head, b"body"])
        assert (none.done, over.done) == ([head], [head, "closed"])

    asyncio.run(replies())


class Wire(Written):
    """A connection without a network."""

    protocol = None

    def get_extra_info(self, name, default=None):
        return {"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 2)}.get(name, default)

    def write(self, data):
        assert not self.is_closing()
        super().write(data)

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass

    def get_protocol(self):
        return self.protocol

    def set_protocol(self, protocol):
        self.protocol = protocol


GET = b" HTTP/1.1\r\n" + HOST + b"\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
WEBSOCKET = b"GET /socket HTTP/1.1\r\n" + HOST + UPGRADE + b"dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"


@pytest.mark.parametrize("name", ["h11", "httptools"])
@pytest.mark.parametrize(
    ("first", "then", "last"),
    [
        (b"GET /stream" + GET + b"GET /a" + GET, b"", b"sound"),
        (b"GET /stream" + GET, b"GET /a" + GET, b"sound"),
        (b"GET /stream" + GET, WEBSOCKET, b"sound"),
        (b"GET /stream" + GET, b"\0garbage\r\n\r\n", b"sound"),
        (b"HEAD /a" + GET, b"\0garbage\r\n\r\n", b"request received."),
        (b"GET /a" + GET, b"\0garbage\r\n\r\n", b"request received."),
    ],
)
def test_whatever_follows_a_request_its_reply_stays_whole_and_it_hears_of_the_end(name, first, then, last):
    told = []

    async def app(scope, receive, send):
        assert scope["type"] == "http"
        length = [] if scope["path"] == "/stream" else [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        if scope["path"] == "/stream":
            await send({"type": "http.response.body", "body": b"sound", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
            told.append(scope["path"])
        else:
            await send({"type": "http.response.body", "body": b"body"})

    async def connection():
        config, wire = Config(app, ws=WebSocketsSansIOProtocol, log_config=None), Wire()
        config.load()
        wire.protocol = protocol(name)(config=config, server_state=ServerState(), app_state={})
        wire.protocol.connection_made(wire)
        wire.protocol.data_received(first)
        for _ in range(10):
            await asyncio.sleep(0)
        if then:
            wire.protocol.data_received(then)
        for _ in range(10):
            await asyncio.sleep(0)
        said = b"".join(part for part in wire.done if part != "closed")
        wire.done.append("closed")
        wire.protocol.connection_lost(None)
        for _ in range(10):
            await asyncio.sleep(0)
        return said

    said = asyncio.run(connection())
    assert said.count(b"HTTP/1.1 ") == (1 if last == b"sound" else 2)
    assert last in said
    assert told == (["/stream"] if last == b"sound" else [])
