"""Endless and repeated input on one connection: it is bounded or closed, and the music and the others go on."""

import asyncio
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import threading
from functools import partial

import pytest
import uvicorn
from inference_servers import inferring
from radio_server import TIMEOUT_S, read_exactly, serving
from sine_engine import SineEngine
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from lullwave.server.process import run, uvicorn_protocols

HEAD = b" HTTP/1.1\r\nHost: 127.0.0.1\r\n"
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
UPGRADE += b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
TOO_MANY = 30_000  # frames; far more than any burst


def frame(opcode: int, text: bytes = b"", fin: bool = True) -> bytes:
    """A frame of a client (RFC 6455, 5.2), masked with zeros."""
    return struct.pack(">BB", (0x80 if fin else 0) | opcode, 0x80 | len(text)) + bytes(4) + text


FLOODS = {
    "listening and paused": frame(1, b"listening") + frame(1, b"paused"),
    "empty messages": frame(1),
    "binary": frame(2, b"x" * 100),
    "pings": frame(9, b"x"),
    "pongs": frame(10),
    "fragments without end": frame(0, b"", fin=False),
}


@pytest.fixture
def radio(tmp_path):
    """A server with a listener, who must have heard everything at the end."""
    with serving(tmp_path) as served, served.listening() as stream:
        yield served
        served.clock.advance(8)
        assert len(read_exactly(stream, 180_000)) == 180_000
        assert served.json("/healthz") == {"status": "ok"}


def flood(port: int, path: str, data: bytes, first: bytes = b"", more: bytes = b"") -> bool:
    """Send ``first`` and then ``data`` again and again; tell whether the server closed before ``TOO_MANY`` frames."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as one:
        one.sendall(b"GET " + path.encode() + HEAD + more + UPGRADE)
        assert one.recv(4096).startswith(b"HTTP/1.1 101")
        one.sendall(first)
        sent = 0
        try:
            while sent < TOO_MANY:
                one.sendall(data * 100)
                sent += 100
            one.shutdown(socket.SHUT_WR)
            while one.recv(65536):
                pass
        except ConnectionError:
            return True
    return False


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_on_the_listeners_socket_is_closed(radio, name):
    first = frame(1, b"x", fin=False) if "fragments" in name else b""
    assert flood(radio.port, "/ws", FLOODS[name], first)
    audience = radio.app.state.services.channels.audience
    while radio.on_loop(lambda: audience.total) != 1:
        pass  # the flooding socket counts no longer


def test_a_flood_on_the_inference_server_is_closed():
    with inferring(SineEngine()) as served:
        protocol = b"Sec-WebSocket-Protocol: lullwave.v1\r\n"
        here = frame(1, b'{"op": "here"}')
        assert flood(served.port, "/", here, more=protocol)
        assert flood(served.port, "/", FLOODS["pings"], more=protocol)
        assert flood(served.port, "/", FLOODS["empty messages"])  # the legacy protocol


def test_pipelined_requests_wait_for_their_turn(tmp_path, monkeypatch):
    never = partial(run.with_paced_requests, per_s=1e-6, burst=3)
    monkeypatch.setattr(run, "with_paced_requests", never)
    with serving(tmp_path) as served:
        request = b"GET /healthz" + HEAD + b"\r\n"
        with socket.create_connection(("127.0.0.1", served.port), timeout=TIMEOUT_S) as one:
            one.sendall(request * 200)
            said = b""
            while said.count(b'{"status":"ok"}') < 3:
                said += one.recv(65536)
            for _ in range(20):  # others are answered while the fourth waits
                assert served.json("/healthz") == {"status": "ok"}
            one.setblocking(False)
            with pytest.raises(BlockingIOError):
                one.recv(65536)
        assert said.count(b"HTTP/1.1 200") == 3


def test_prompts_of_one_address_are_bounded(radio):
    statuses = [radio.ask("/api/stations/piano/prompt", "POST", {"prompt": f"rain {n}"})[0].status for n in range(80)]
    assert statuses[0] == 200
    assert set(statuses) == {200, 429}


def test_idle_connections_make_room(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "SPARE", 6)
    monkeypatch.setattr(run, "REQUESTS_PER_AUDIO", 4)
    with serving(tmp_path, max_per_address=1) as served, served.listening() as stream:
        held = [socket.create_connection(("127.0.0.1", served.port), timeout=TIMEOUT_S) for _ in range(40)]
        assert held[0].recv(10) == b""  # the one that was idle for longest is closed
        assert served.json("/healthz") == {"status": "ok"}
        served.clock.advance(8)
        read_exactly(stream, 180_000)
        for one in held:
            one.close()


PROCESS = textwrap.dedent("""
    import resource, sys
    resource.setrlimit(resource.RLIMIT_NOFILE, (90, 90))
    from lullwave.cli import main
    sys.argv[1:] = ["serve", "--port", "0", "--data-dir", sys.argv[1], "--reserve-s", "4", "--clip-s", "5"]
    main()
""")


def test_without_file_descriptors_the_log_stays_short_and_the_server_answers(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        try:
            port = next(int(line.split(":")[2].split("/")[0]) for line in server.stdout if "http://" in line)
            held = []
            for _ in range(300):
                held.append(socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S))
            for one in held:
                one.close()
            with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as one:
                one.sendall(b"GET /healthz" + HEAD + b"\r\n")
                assert one.recv(4096).startswith(b"HTTP/1.1 200")
        finally:
            server.send_signal(signal.SIGTERM)
            said = server.stdout.read()
        assert server.wait(TIMEOUT_S) == -signal.SIGTERM
    assert "Traceback" not in said
    assert len(said.splitlines()) < 20


HANGING = textwrap.dedent("""
    import asyncio, sys, threading
    import uvicorn
    from lullwave.server.process import bounded_server
    bounded_server.STOP_S = 0.5

    async def app(scope, receive, send):
        assert scope["type"] == "lifespan"
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("stopping", flush=True)
        await asyncio.Event().wait()  # never ends

    server = bounded_server.BoundedServer(uvicorn.Config(app, port=0, log_config=None))
    server.ready = lambda: print("ready", flush=True)
    asyncio.run(server.serve())
""")


@pytest.mark.parametrize("unread", [0, 1 << 24])
def test_a_stop_while_a_listener_closes_its_websocket_ends_as_always(unread):
    """The listener may not read what is still on its way to it."""
    seen, leaving = [], threading.Event()

    async def app(scope, receive, send):
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "bytes": bytes(unread)})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            leaving.set()
            await asyncio.Event().wait()  # as an application that has not ended yet
        for stage in ("startup", "shutdown"):
            await receive()
            seen.append(stage)
            await send({"type": f"lifespan.{stage}.complete"})

    bound = socket.create_server(("127.0.0.1", 0))
    ws = uvicorn_protocols.limited_websocket(WebSocketsSansIOProtocol, None, 40.0, 80)
    server = uvicorn.Server(uvicorn.Config(app, ws=ws, timeout_graceful_shutdown=1, log_config=None))
    thread = threading.Thread(target=partial(server.run, [bound]))
    thread.start()
    with socket.create_connection(bound.getsockname(), timeout=TIMEOUT_S) as one:
        one.sendall(b"GET /" + HEAD + UPGRADE)
        assert one.recv(512).startswith(b"HTTP/1.1 101")
        one.sendall(frame(8, struct.pack(">H", 1000)))
        assert leaving.wait(TIMEOUT_S)
        server.should_exit = True
        thread.join(TIMEOUT_S)
    bound.close()
    assert seen == ["startup", "shutdown"]


def test_a_stop_that_hangs_ends_within_its_limit():
    with subprocess.Popen([sys.executable, "-c", HANGING], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout.readline() == "ready\n"
        server.send_signal(signal.SIGTERM)
        assert server.stdout.readline() == "stopping\n"
        assert server.wait(TIMEOUT_S) == 128 + signal.SIGTERM
