"""Connections that ask nothing, or never to the end, are let go; one address cannot hold all of them."""

import socket
from functools import partial

import pytest
from radio_server import read_exactly, serving
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from lullwave.server.middleware import body_limit
from lullwave.server.middleware.address_limit import REQUESTS_PER_AUDIO
from lullwave.server.process import run

PATIENCE_S = 0.3


@pytest.fixture
def impatient(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "with_head_timeout", partial(run.with_head_timeout, head_s=PATIENCE_S))
    monkeypatch.setattr(body_limit, "BODY_S", PATIENCE_S)
    with serving(tmp_path) as served:
        yield served


def opened(server, *sent):
    one = socket.create_connection(("127.0.0.1", server.port), 20)
    for part in sent:
        one.sendall(part)
    return one


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTTP/1.1\r\nHo"])
def test_who_does_not_ask_to_the_end_is_let_go(impatient, begun):
    with opened(impatient, begun) as one:
        assert one.recv(1000) == b""


def test_half_a_head_after_a_whole_one_is_let_go(impatient):
    with opened(impatient, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") as one:
        assert one.recv(1000).startswith(b"HTTP/1.1 200")
        one.sendall(b"GET /healthz HTT")
        while one.recv(1000):
            pass


def test_a_body_that_does_not_come_is_408(impatient):
    head = b"POST /api/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    head += b"Content-Length: 20\r\n\r\n"
    with opened(impatient, head, b'{"prompt"') as one:
        said = one.recv(2000)
        assert said.startswith(b"HTTP/1.1 408")
        while part := one.recv(2000):
            said += part
        assert b"nothing of the body arrived" in said


def test_who_listens_is_not_let_go(impatient):
    with impatient.listening() as stream, connect(f"ws://127.0.0.1:{impatient.port}/ws") as counted:
        read_exactly(stream, 1000)
        asked = opened(impatient)  # opened later than those, and let go for asking nothing
        assert asked.recv(10) == b""
        asked = opened(impatient)
        assert asked.recv(10) == b""
        read_exactly(stream, 1000)
        counted.send("listening")
        while counted.recv(20) != "2":
            pass


def test_one_address_holds_no_more_than_its_share(tmp_path):
    with serving(tmp_path, max_per_address=1) as server:
        events = b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        held = [opened(server, events) for _ in range(REQUESTS_PER_AUDIO)]
        for one in held:
            assert one.recv(1000).startswith(b"HTTP/1.1 200")
        assert server.ask("/healthz")[0].status == 200  # a monitor at that address still sees the truth
        response, data = server.ask("/api/stations")
        assert response.status == 503
        assert response.headers["Retry-After"]
        assert b"4 requests open" in data
        with pytest.raises(InvalidStatus), connect(f"ws://127.0.0.1:{server.port}/ws"):
            pass
        held.pop().close()
        while server.ask("/api/stations")[0].status == 503:
            pass
        for one in held:
            one.close()
