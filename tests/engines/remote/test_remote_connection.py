"""Every way in which a connection can go: who waits gets ``EngineLost``, and the engine can be asked again."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import websockets.asyncio.server
from inference_servers import Wire, inferring
from sine_engine import SineEngine

from lullwave import Request, load_engine
from lullwave.engines.remote import protocol
from lullwave.errors import EngineLost, InvalidInput, StreamClosed

REQUEST = Request("rainy night piano", 7)
HELLO = protocol.pack(
    "hello",
    protocol=protocol.SUBPROTOCOL,
    version="1",
    engine={"name": "x", "summary": "", "rate": 44100, "channels": 2, "rewindable_s": 9.0},
)


@pytest.fixture
def line():
    """An engine of tones at the other end of a wire."""
    with inferring(SineEngine()) as served:
        between = Wire(served.port)
        with load_engine(between.url, deadline_s=1.0) as engine:
            yield between, engine
        between.close()


def read_until_lost(stream) -> EngineLost:
    with pytest.raises(EngineLost) as lost:  # noqa: PT012
        while True:
            stream.read(44100)
    return lost.value


def test_a_cut_connection_is_made_again(line):
    between, engine = line
    stream = engine.stream(REQUEST)
    stream.read(1000)
    snapshot = stream.snapshot()
    between.cut()
    read_until_lost(stream)
    with pytest.raises(EngineLost):
        stream.steer("too late")
    stream.close()
    with engine.restore(snapshot) as again, SineEngine().restore(snapshot) as local:
        assert np.array_equal(again.read(5000).samples, local.read(5000).samples)


def test_silence_is_noticed_by_who_waits_and_by_who_asks(line):
    between, engine = line
    stream, other = engine.stream(REQUEST), engine.stream(REQUEST)
    between.stop()
    assert "the server sent nothing" in str(read_until_lost(stream))
    with pytest.raises(EngineLost):
        other.snapshot()
    between.cut()
    between.flow()
    with engine.stream(REQUEST) as again:
        assert again.read(100).frames == 100


def test_what_has_arrived_is_heard_before_the_loss(line):
    between, engine = line
    stream = engine.stream(REQUEST)
    stream.read(100)
    with stream._changed:
        stream._changed.wait_for(lambda: stream._arrived >= 44100)
    between.cut()
    with stream._changed:
        stream._changed.wait_for(lambda: stream._error is not None)
    assert stream.read(44000).frames == 44000


def test_nobody_there_wrong_token_and_wrong_addresses():
    with inferring(SineEngine(), token="right") as served:
        with load_engine(served.url, token="wrong") as engine, pytest.raises(EngineLost, match=r"401.*token"):
            engine.stream(REQUEST)
        with load_engine(served.url) as engine, pytest.raises(EngineLost, match="401"):
            engine.stream(REQUEST)
        with load_engine(served.url, token="right") as engine, engine.stream(REQUEST) as stream:
            stream.read(10)
        gone = served.url
    with load_engine(gone) as engine, pytest.raises(EngineLost):
        engine.stream(REQUEST)
    for address in ("ws://", "ws://host:99999", "ws://user:secret@host", "wss://[::"):
        with pytest.raises(InvalidInput, match="url"):
            load_engine(address)


@contextmanager
def strange_server(handler, subprotocols=(protocol.SUBPROTOCOL,)):
    """A server that does what ``handler`` does with its connections."""
    loop, ready, port = asyncio.new_event_loop(), threading.Event(), []

    async def main():
        stop = loop.create_future()
        async with websockets.asyncio.server.serve(
            handler, "127.0.0.1", 0, subprotocols=subprotocols, close_timeout=1, compression=None
        ) as server:
            port.append(server.sockets[0].getsockname()[1])
            port.append(lambda: loop.call_soon_threadsafe(stop.set_result, None))
            ready.set()
            await stop

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    ready.wait()
    try:
        yield f"ws://127.0.0.1:{port[0]}"
    finally:
        port[1]()
        thread.join()
        loop.close()


def opened(id: int, stream: int) -> str:
    return protocol.pack("done", id=id, stream=stream, rate=44100, channels=2, position=0, request={"prompt": ""})


def block(stream: int, epoch: int = 0, frame: int = 0, channels: int = 2, sample: float = 0.0) -> bytes:
    from lullwave import Audio

    audio = Audio.silence(1000, 44100, channels)
    audio.samples[500, 0] = sample
    return protocol.pack_audio(stream, epoch, frame, audio, "float32")


@pytest.mark.parametrize(
    "greeting",
    ["junk", '{"op":"hello"}', b"\1\2\3", '{"op":"hello","protocol":"lullwave.v9"}', HELLO.replace("44100", '"x"')],
    ids=["junk", "poor", "binary", "other version", "wrong types"],
)
def test_a_garbled_greeting_is_a_lost_engine(greeting):
    async def handler(socket):
        await socket.send(greeting)
        await socket.wait_closed()

    with strange_server(handler) as url, load_engine(url) as engine, pytest.raises(EngineLost):
        engine.stream(REQUEST)


@pytest.mark.parametrize(
    "garbage",
    [
        lambda n: "{",
        lambda n: "[1]",
        lambda n: b"short",
        lambda n: b"\7" * 100,
        lambda n: block(n)[:-1],
        lambda n: block(n)[:2000] + b"\1" + block(n)[2001:],
        lambda n: block(n, frame=5),
        lambda n: block(n, channels=1),
        lambda n: block(n, sample=float("nan")),
        lambda n: block(n, sample=1e30),
        lambda n: protocol.pack("notes", stream=n, epoch=0, marks=[{"frame": "x"}], beats=[]),
        lambda n: protocol.pack("done", id=-1),
    ],
    ids=[
        "truncated JSON",
        "no object",
        "short",
        "unknown",
        "half a frame",
        "one sample, hardly changed",
        "gap",
        "mono",
        "no number",
        "no sound",
        "marks",
        "id",
    ],
)
def test_garbage_in_the_middle_is_a_lost_engine(garbage):
    async def handler(socket):
        await socket.send(HELLO)
        asked = json.loads(await socket.recv())
        await socket.send(opened(asked["id"], asked["stream"]))
        assert json.loads(await socket.recv())["op"] == "credit"
        await socket.send(block(asked["stream"], epoch=3))  # of an epoch that is none: dropped
        await socket.send(garbage(asked["stream"]))
        await socket.wait_closed()

    with strange_server(handler) as url, load_engine(url) as engine:
        assert "an invalid message" in str(read_until_lost(engine.stream(REQUEST)))


def test_a_flood_beyond_the_credit_is_a_lost_engine():
    async def handler(socket):
        await socket.send(HELLO)
        asked = json.loads(await socket.recv())
        await socket.send(opened(asked["id"], asked["stream"]))
        assert json.loads(await socket.recv())["op"] == "credit"
        for n in range(1000):
            await socket.send(block(asked["stream"], frame=n * 1000))
        await socket.wait_closed()

    with strange_server(handler) as url, load_engine(url) as engine:
        stream = engine.stream(REQUEST)
        assert "credit" in str(read_until_lost(stream))
        assert stream._arrived < 10 * 44100


def test_a_server_of_another_version_says_so():
    async def handler(socket):
        await socket.close(protocol.WRONG_VERSION, "this server speaks lullwave.v7")

    with strange_server(handler) as url, load_engine(url) as engine, pytest.raises(EngineLost, match=r"lullwave\.v7"):
        engine.stream(REQUEST)


class ForksLater(SineEngine):
    """A fork takes until it is let."""

    def __init__(self) -> None:
        self.forking, self.let = threading.Event(), threading.Event()

    def open(self, request):
        stream = super().open(request)
        fork = stream.fork

        def later(at_frame=None):
            self.forking.set()
            assert self.let.wait(60)
            return fork(at_frame)

        stream.fork = later
        return stream


def test_a_fork_that_nobody_waits_for_any_more_is_ended_at_the_other_end():
    with inferring(slow := ForksLater()) as served, load_engine(served.url) as engine:
        stream = engine.stream(REQUEST)
        stream.read(100)
        forked = []

        def fork():
            with pytest.raises(StreamClosed):
                stream.fork(50)
            forked.append(True)

        forking = threading.Thread(target=fork)
        forking.start()
        assert slow.forking.wait(60)
        stream.close()
        forking.join()
        slow.let.set()
        engine.understand("x")  # answered after what was said before
        scheduler = served.app.state.scheduler
        with scheduler._changed:
            assert scheduler._changed.wait_for(lambda: all(len(j) <= 1 for j in scheduler._jobs.values()), 30)
        assert forked
