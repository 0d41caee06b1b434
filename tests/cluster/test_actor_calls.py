"""Calls of an actor that hangs, or that a network without an end holds up: the connection still ends in time."""

import asyncio
import threading
import time
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from lullwave.engines.cluster.options import use_token
from lullwave.engines.remote import protocol
from lullwave.errors import EngineLost

use_token()  # for the tests of a cluster in the same process: Ray reads it when it is imported
ray = pytest.importorskip("ray")
calls = pytest.importorskip("lullwave.engines.cluster.calls")
connection = pytest.importorskip("lullwave.engines.cluster.connection")

HELLO = protocol.pack(
    "hello",
    protocol=protocol.SUBPROTOCOL,
    version="1",
    engine={"name": "sines", "summary": "", "rate": 8000, "channels": 1, "rewindable_s": 0.0},
)


def call(made):
    """A method of an actor, which ``made`` returns for its arguments."""
    return SimpleNamespace(remote=made, options=lambda **how: SimpleNamespace(remote=made))


class HangingActor:
    """Says hello, and answers nothing any more."""

    def __init__(self):
        self.delivered = []
        self.connect = call(self._messages)
        self.ping = call(lambda session: SimpleNamespace(future=Future))
        self.deliver = call(lambda session, number, message: self.delivered.append((number, message)))

    async def _messages(self, session):
        hello = asyncio.get_running_loop().create_future()
        hello.set_result(HELLO)
        yield hello
        await asyncio.Event().wait()


class HeldUpActor:
    """What Ray's client has of an actor: ``network`` lets through what is called, and what is asked of a reference."""

    def __init__(self):
        self.network = threading.Event()
        self.network.set()
        self.threads, self.delivered, self.dropped = set(), [], []
        self.fetch = call(lambda session, first: Ref(self, [HELLO] if first else None))
        self.ping = call(lambda session: Ref(self, None))
        self.deliver = call(lambda *message: self.delivered.append(message[1:]) or Ref(self, 0))


class Ref:
    """As in Ray's client, it waits for the network where it is asked for its future, and where it is dropped."""

    def __init__(self, actor, value):
        self._actor, self._value = actor, value

    def future(self):
        self._actor.threads.add(threading.current_thread().name)
        self._actor.network.wait()
        answer = Future()
        if self._value is not None:
            answer.set_result(self._value)
        return answer

    def __del__(self):
        self._actor.network.wait()
        self._actor.dropped.append(threading.current_thread().name)


@pytest.fixture
def joined(monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: True)


@pytest.fixture
def by_client(joined, monkeypatch):
    for module in (calls, connection):
        monkeypatch.setattr(module, "by_client", lambda: True)


def test_a_connection_to_an_actor_that_hangs_ends_with_its_thread(joined):
    actor = HangingActor()
    open_ = connection.ActorConnection(actor, "cluster:sines (sines:1)", 0.2)
    answer = open_.call(lambda id: protocol.pack("understand", id=id, prompt="x"))
    with pytest.raises(EngineLost, match="sent nothing for"):
        answer.result(20.0)
    open_._thread.join(20.0)
    assert not open_._thread.is_alive()
    assert actor.delivered[-1][1] is None  # the session is ended, too


def test_abort_ends_a_wait_for_a_message_that_never_comes():
    async def scenario():
        socket = connection.ActorSocket(HangingActor())
        assert await socket.recv() == HELLO
        waiting = asyncio.create_task(socket.recv())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        socket.transport.abort()
        for receiving in (waiting, socket.recv()):
            with pytest.raises(ConnectionError):
                await receiving

    asyncio.run(asyncio.wait_for(scenario(), 20.0))


def test_who_waits_for_a_message_can_be_cancelled():
    async def scenario():
        socket = connection.ActorSocket(HangingActor())
        await socket.recv()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await socket.recv()

    asyncio.run(asyncio.wait_for(scenario(), 20.0))


def test_a_network_that_carries_nothing_any_more_does_not_hold_up_the_connection(by_client):
    actor = HeldUpActor()
    open_ = connection.ActorConnection(actor, "cluster:sines (sines:1)", 0.3)
    try:
        actor.network.clear()
        answer = open_.call(lambda id: protocol.pack("understand", id=id, prompt="x"))
        with pytest.raises(EngineLost, match="sent nothing for"):
            answer.result(20.0)
        open_._thread.join(20.0)
        assert not open_._thread.is_alive()
    finally:
        actor.network.set()
    until = time.monotonic() + 20.0
    while not actor.delivered or actor.delivered[-1][1] is not None:  # what waited goes out, and then the end
        assert time.monotonic() < until
        time.sleep(0.01)
    assert [number for number, _ in actor.delivered] == list(range(len(actor.delivered)))
    assert actor.threads == set(actor.dropped) == {"ray-client-calls"}


def test_one_call_by_rays_client_has_a_limit_too(monkeypatch):
    network = threading.Event()
    assert calls.within(0.01, lambda: network.wait(0.05)) is False  # only the client's waits have no limit of their own
    monkeypatch.setattr(calls, "by_client", lambda: True)
    with pytest.raises(TimeoutError, match=r"no answer within 0\.01 seconds"):
        calls.within(0.01, network.wait)
    network.set()
    assert calls.within(20.0, network.wait) is True
    with pytest.raises(ValueError, match="no actor"):
        calls.within(20.0, lambda: raised(ValueError("no actor")))


def raised(error):
    raise error
