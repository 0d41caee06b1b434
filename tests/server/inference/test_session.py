"""The server's side of lullwave.v1, spoken by a plain client: credits, junk, silence, turns; and who may come in."""

from __future__ import annotations

import gc
import json
import os
import socket
import threading
import time
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest
from inference_servers import inferring
from sine_engine import RATE, SineEngine
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from lullwave.engines.remote import protocol as wire
from lullwave.server.inference.session import MAX_STREAMS
from lullwave.server.inference.streams import BLOCK_S

FOREVER = 2**62


@pytest.fixture(scope="module")
def served():
    with inferring(SineEngine()) as served:
        yield served


class Client:
    """A connection and what to say on it."""

    def __init__(self, url: str, protocol: str = wire.SUBPROTOCOL, **how) -> None:
        self._stack = ExitStack()
        self.socket = self._stack.enter_context(
            connect(url, subprotocols=[protocol], compression=None, close_timeout=1, **how)
        )
        self.hello = json.loads(self.socket.recv(30)) if protocol == wire.SUBPROTOCOL else None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._stack.close()

    def say(self, op: str, **fields) -> None:
        self.socket.send(wire.pack(op, **fields))

    def hear(self, op: str) -> dict:
        """The next message of a kind; all others are skipped."""
        while True:
            message = self.socket.recv(30)
            if isinstance(message, str) and json.loads(message)["op"] == op:
                return json.loads(message)

    def block(self) -> wire.BinaryMessage:
        while True:
            if isinstance(message := self.socket.recv(30), bytes):
                return wire.unpack(message)

    def open(self, stream: int = 1, **fields) -> dict:
        self.say("open", stream=stream, id=stream, request={"prompt": "x", "seed": 1}, **fields)
        return self.hear("done")

    def closed(self) -> tuple[int, str]:
        """How the server ends the connection."""
        with pytest.raises(ConnectionClosed) as ended:  # noqa: PT012
            while True:
                self.socket.recv(30)
        return ended.value.rcvd.code, ended.value.rcvd.reason


def lives(served) -> None:
    """The server is well, and nobody is left behind."""
    connection = HTTPConnection("127.0.0.1", served.port, timeout=30)
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        connection.request("GET", "/healthz")
        health = json.loads(connection.getresponse().read())
        if health["clients"] == 0:
            break
        time.sleep(0.02)
    assert (health["status"], health["clients"], health["waiting"]) == ("ok", 0, 0)
    connection.close()


def test_it_says_what_it_is(served):
    with Client(served.url) as client:
        engine = client.hello["engine"]
        assert (client.hello["protocol"], engine["name"], engine["rate"]) == ("lullwave.v1", "sines", RATE)
        assert client.socket.subprotocol == "lullwave.v1"


def test_blocks_come_as_far_as_there_is_credit_and_no_further(served):
    with Client(served.url) as client:
        client.open()
        client.say("credit", stream=1, to=25000)
        got = 0
        while got < 25000:
            block = client.block()
            assert (block.stream, block.epoch, block.frame, block.rate, block.channels) == (1, 0, got, RATE, 2)
            got += block.audio().frames
        assert got == 25000
        client.say("understand", id=9, prompt="x")  # answered after whatever else would have been sent
        assert isinstance(client.socket.recv(30), str)


def test_a_client_that_takes_nothing_costs_little_memory(served):
    with Client(served.url, max_queue=1) as client:
        client.open()
        client.say("credit", stream=1, to=FOREVER)
        scheduler, before = served.app.state.scheduler, -1
        while (made := furthest(scheduler)) != before or not made:
            before = made
            with scheduler._changed:  # every turn ends with a notice; a second without one is a stop
                scheduler._changed.wait(1.0)
        assert made < 60 * RATE  # a small backlog and what the kernel holds, of an endless credit


def furthest(scheduler) -> int:
    with scheduler._changed:
        jobs = [job for jobs in scheduler._jobs.values() for job in jobs]
    return max([job._stream.position for job in jobs if getattr(job, "_stream", None)], default=0)


def test_a_turn_begins_a_new_epoch_at_the_frame_asked_for(served):
    with Client(served.url) as client:
        client.open()
        client.say("credit", stream=1, to=RATE)
        while client.block().frame + round(BLOCK_S * RATE) < RATE:
            pass
        client.say("steer", stream=1, id=5, epoch=1, at=20000, prompt="y", over_s=1)
        reply = client.hear("done")
        assert (reply["epoch"], reply["from"]) == (1, 20000)
        block = client.block()
        assert (block.epoch, block.frame) == (1, 20000)


@pytest.mark.parametrize(
    ("junk", "code"),
    [
        ("{", wire.BAD_MESSAGE),
        ('{"op":"open","stream":1', wire.BAD_MESSAGE),
        ("[" * 100000, wire.BAD_MESSAGE),
        ('"x"', wire.BAD_MESSAGE),
        ('{"op":"fly"}', wire.BAD_MESSAGE),
        ('{"op":"open","stream":-1,"id":1}', wire.BAD_MESSAGE),
        ('{"op":"steer","stream":7,"id":1}', wire.BAD_MESSAGE),
        ('{"op":"credit","stream":1,"to":1e99}', wire.BAD_MESSAGE),
        (b"", wire.BAD_MESSAGE),
        (b"\xff" * 64, wire.BAD_MESSAGE),
        (wire.pack_snapshot(1, 1, b"a state")[:-1] + b"f", wire.BAD_MESSAGE),
        (wire.pack("open", padding="x" * wire.MAX_TEXT_BYTES), wire.TOO_LARGE),
    ],
    ids=[
        "cut off",
        "cut off later",
        "deep",
        "no object",
        "unknown op",
        "wrong number",
        "no stream",
        "wrong credit",
        "empty",
        "unknown kind",
        "other than its checksum",
        "long",
    ],
)
def test_junk_ends_the_connection_with_a_reason(served, junk, code):
    with Client(served.url) as client:
        if b"credit" in (junk if isinstance(junk, bytes) else junk.encode()):
            client.open()
        client.socket.send(junk)
        assert client.closed()[0] == code
    lives(served)


def test_a_giant_frame_is_refused_by_its_header_alone(served):
    with Client(served.url) as client:
        client.socket.socket.sendall(b"\x82\xff" + (2**40).to_bytes(8, "big") + bytes(4))
        assert client.closed()[0] == wire.TOO_LARGE
    lives(served)


def test_wrong_requests_are_answered_and_the_connection_lives(served):
    with Client(served.url) as client:
        for wrong in ({"prompt": "("}, {"prompt": 1}, {"seed": "x"}, {"tempo": 1}, 7, {"options": {"hz": -1}}):
            client.say("open", stream=3, id=3, request=wrong)
            assert client.hear("failed")["error"] in ("InvalidInput", "PromptError")
            client.say("cancel", stream=3)
        client.socket.send(wire.pack_snapshot(4, 4, b"no snapshot"))
        assert client.hear("failed")["error"] == "SnapshotError"
        client.open()


def test_one_client_has_so_many_streams(served):
    with Client(served.url) as client:
        for number in range(1, MAX_STREAMS + 1):
            client.open(number)
        client.say("open", stream=999, id=999, request={})
        assert client.hear("failed")["error"] == "Busy"
        client.say("cancel", stream=1)
        client.open(1000)
    lives(served)


def test_what_never_began_takes_nobodys_place(served):
    with Client(served.url) as client:
        client.open(1)
        for number in range(2, 2 + 2 * MAX_STREAMS):
            client.say("open", stream=number, id=number, request={"options": {"hz": -1}})
            assert client.hear("failed")["error"] == "InvalidInput"
        client.socket.send(wire.pack_snapshot(500, 500, b"no snapshot"))
        assert client.hear("failed")["error"] == "SnapshotError"
        for number in range(501, 500 + MAX_STREAMS):
            client.open(number)
    lives(served)


def test_another_version_is_named_and_closed(served):
    with Client(served.url, "lullwave.v9") as client:
        assert client.closed() == (wire.WRONG_VERSION, "this server speaks lullwave.v1, not lullwave.v9")


def test_a_silent_client_is_sent_away(served, monkeypatch):
    monkeypatch.setattr("lullwave.server.inference.session.SILENCE_S", 0.3)
    with Client(served.url) as client:
        assert client.closed()[0] == wire.TIMED_OUT
    lives(served)


class Slow(SineEngine):
    """Takes turns of a known length, and writes down whose they were."""

    def __init__(self) -> None:
        self.turns: list[str] = []

    def open(self, request):
        stream = super().open(request)
        read = stream.read

        def slow(frames):
            time.sleep(0.005)
            self.turns.append(request.prompt)
            return read(frames)

        stream.read = slow
        return stream


def test_who_has_many_streams_gets_no_more_than_who_has_one():
    with inferring(engine := Slow(), workers=1) as served, Client(served.url) as many, Client(served.url) as one:
        for number in range(1, 9):
            many.say("open", stream=number, id=number, request={"prompt": "many"})
            many.hear("done")
        one.say("open", stream=1, id=1, request={"prompt": "one"})
        one.hear("done")
        for number in range(1, 9):
            many.say("credit", stream=number, to=100 * RATE)
        many.block()
        one.say("credit", stream=1, to=5 * RATE)
        while one.block().frame < 4.5 * RATE:
            pass
        began = engine.turns.index("one")
        shared = engine.turns[began:][:30]
        assert 14 <= shared.count("one") <= 16


def test_pings_are_answered_while_music_is_made():
    with inferring(engine := Slow(), workers=1) as served, Client(served.url, ping_interval=None) as client:
        client.open()
        client.say("credit", stream=1, to=FOREVER)
        client.block()
        for _ in range(5):
            before = len(engine.turns)
            assert client.socket.ping().wait(30)
            while len(engine.turns) == before:
                client.block()  # the first may have been made before


def test_clients_that_come_and_go_leave_nothing_behind():
    def open_things() -> tuple[int, int]:
        gc.collect()
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    with inferring(SineEngine()) as served:
        counts = []
        for _ in range(3):
            for n in range(20):
                with Client(served.url) as client:
                    client.open()
                    client.say("credit", stream=1, to=RATE if n % 2 else FOREVER)
                    client.block()
                    if n % 3 == 0:
                        client.socket.socket.shutdown(socket.SHUT_RDWR)  # no farewell
                with connect(served.url) as old:
                    old.send("generate")
            lives(served)
            assert len(served.app.state.scheduler._jobs) == 1  # the batches of the legacy clients
            counts.append(open_things())
        until = time.monotonic() + 20
        while any(now > before for now, before in zip(counts[2], counts[1], strict=True)):
            assert time.monotonic() < until, counts  # the last connections may still be closing
            time.sleep(0.05)
            counts[2] = open_things()


def test_the_gate(tmp_path):
    import hashlib

    hashed = "sha256:" + hashlib.sha256(b"right").hexdigest()
    with inferring(SineEngine(), token=hashed) as served:
        for headers, query, status in (
            ({}, "", 401),
            ({"Authorization": "Bearer wrong"}, "", 401),
            ({}, "?token=wrong", 401),
            ({"Authorization": "Bearer right"}, "", None),
            ({"Authorization": "key right"}, "", None),
            ({}, "?token=right", None),
            ({"Authorization": "Bearer right", "Origin": "https://elsewhere.example"}, "", 403),
            ({"Authorization": "Bearer right", "Origin": f"http://127.0.0.1:{served.port}"}, "", None),
        ):
            for protocols in ([wire.SUBPROTOCOL], None):
                url = served.url + "/" + query
                if status is None:
                    with connect(url, subprotocols=protocols, additional_headers=headers):
                        pass
                else:
                    with (
                        pytest.raises(InvalidStatus) as refused,
                        connect(url, subprotocols=protocols, additional_headers=headers),
                    ):
                        pass
                    assert refused.value.response.status_code == status
                    assert b"error" in refused.value.response.body
    with inferring(SineEngine(), token="right", legacy_open=True) as served:  # old clients may come as they are
        with connect(served.url):
            pass
        with pytest.raises(InvalidStatus), connect(served.url, subprotocols=[wire.SUBPROTOCOL]):
            pass
