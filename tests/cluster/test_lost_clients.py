"""Clients that die or cannot join at once, and actors that could not start; without a cluster."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from sine_engine import SineEngine

from lullwave.engines.cluster.options import use_token
from lullwave.engines.remote import protocol
from lullwave.errors import EngineLost, UnknownEngine

use_token()  # for the tests of a cluster in the same process: Ray reads it when it is imported
ray = pytest.importorskip("ray")
actors = pytest.importorskip("lullwave.cluster.actors")
engine_actor = pytest.importorskip("lullwave.cluster.engine_actor")
engine = pytest.importorskip("lullwave.engines.cluster.engine")
calls = pytest.importorskip("lullwave.engines.cluster.calls")


@pytest.fixture
def actor(monkeypatch):
    monkeypatch.setattr(engine_actor, "load_engine", lambda name, **options: SineEngine())
    one = []

    def made():
        one.append(engine_actor.EngineActor("sines", {}))
        return one[0]

    yield made
    one[0]._scheduler.close()


def open_message(stream: int) -> str:
    return protocol.pack("open", stream=stream, id=stream, request={"prompt": "x", "seed": 1})


async def until(true) -> None:
    while not true():
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("fetching", [True, False])
def test_the_streams_of_a_client_that_neither_pings_nor_speaks_end(actor, monkeypatch, fetching):
    monkeypatch.setattr(engine_actor, "SILENT_S", 60.0)

    async def scenario():
        served = actor()
        messages = served.connect("one")
        assert "hello" in await anext(messages)
        await served.deliver("one", 0, open_message(1))
        session = served._sessions["one"][1]
        await until(lambda: session.streams == 1)
        monkeypatch.setattr(engine_actor, "SILENT_S", 0.0)
        await served.ping("one")  # nothing is heard of it from now on
        if fetching:
            async for _ in messages:
                pass
        await until(lambda: not served._sessions)
        await served.deliver("one", 1, open_message(2))  # too late
        assert not served._sessions
        assert not served._waiting
        await messages.aclose()

    asyncio.run(asyncio.wait_for(scenario(), 20.0))


@pytest.mark.parametrize("fetching", [True, False])
def test_the_streams_of_rays_client_that_neither_pings_nor_speaks_end(actor, monkeypatch, fetching):
    async def scenario():
        served = actor()
        assert "hello" in (await served.fetch("one", True))[0]
        await served.deliver("one", 0, open_message(1))
        session = served._sessions["one"][1]
        await until(lambda: session.streams == 1)
        monkeypatch.setattr(engine_actor, "SILENT_S", 0.0)
        await served.ping("one")  # nothing is heard of it from now on
        while fetching and None not in await served.fetch("one", False):
            pass
        await until(lambda: not served._sessions)
        await until(lambda: not served._fetched)
        assert await served.fetch("one", False) == [None]  # too late: this begins no other session of that name
        assert not served._sessions

    asyncio.run(asyncio.wait_for(scenario(), 20.0))


def test_rays_client_fetches_all_that_waits_and_then_the_end(actor):
    async def scenario():
        served = actor()
        await served.deliver("one", 0, open_message(1))  # may overtake the call that begins the session
        await served.fetch("one", True)
        socket, session = served._sessions["one"]
        await served.deliver("one", 1, open_message(2))
        await until(lambda: socket._outbox.qsize() == session.streams == 2)
        opened = [json.loads(message)["stream"] for message in await served.fetch("one", False)]
        assert sorted(opened) == [1, 2]
        await served.deliver("one", 2, None)
        while (last := (await served.fetch("one", False))[-1]) is not None:
            assert isinstance(last, str | bytes)

    asyncio.run(asyncio.wait_for(scenario(), 20.0))


def test_messages_whose_session_never_begins_are_dropped(actor, monkeypatch):
    monkeypatch.setattr(engine_actor, "SILENT_S", 0.0)

    async def scenario():
        served = actor()
        await served.deliver("one", 0, open_message(1))
        assert served._waiting
        await until(lambda: not served._waiting)
        await served.deliver("one", 1, open_message(2))
        assert not served._waiting

    asyncio.run(asyncio.wait_for(scenario(), 20.0))


@pytest.mark.parametrize("waiting", ["close", "send"])
def test_a_session_whose_messages_nobody_fetches_ends_although_there_is_no_room_for_another_one(waiting):
    async def scenario():
        gone = []
        socket = engine_actor.ActorSessionSocket(lambda: gone.append(True))
        for _ in range(engine_actor.OUTBOX):
            await socket.send({"text": "x"})
        last = asyncio.create_task(socket.close() if waiting == "close" else socket.send({"text": "y"}))
        await asyncio.sleep(0)
        assert not last.done()
        socket.end()
        await last
        for _ in range(2 * engine_actor.OUTBOX):  # there is always room from now on
            await socket.send({"text": "z"})
        await socket.close()
        assert (await socket.all_sent())[0] is None
        assert gone == [True]

    asyncio.run(asyncio.wait_for(scenario(), 20.0))


def test_a_client_that_pings_keeps_its_streams(actor, monkeypatch):
    held = []
    monkeypatch.setattr(engine_actor.IdleTimer, "hold", lambda timer, for_s: held.append(for_s))

    async def scenario():
        served = actor()
        messages = served.connect("one")
        await anext(messages)
        held.clear()
        await served.ping("one")
        await served.deliver("one", 0, protocol.pack("here"))
        await served.ping("other")  # of a session that has ended
        assert held == [engine_actor.SILENT_S] * 2
        await messages.aclose()

    asyncio.run(scenario())


def test_an_actor_that_could_not_start_says_why(monkeypatch):
    from ray.exceptions import ActorDiedError

    cause = ActorDiedError()
    cause.error_msg = "The actor died because of an error raised in its creation task\n  File x\nSettingsError: store\n"
    cause._actor_init_failed = True
    lost = ActorDiedError()
    told = {"load": 1, "pid": 7, "node": "here", "node_id": "a"}

    def get(reply, timeout):
        if isinstance(reply, Exception):
            raise reply
        return reply

    monkeypatch.setattr(ray, "get", get)
    monkeypatch.setattr(ray, "wait", lambda *args, **how: None)
    replies = [cause, lost, told]
    handles = [SimpleNamespace(load=SimpleNamespace(remote=lambda reply=reply: reply), end=None) for reply in replies]
    known = [actors.Actor(f"station:{n}", handle) for n, handle in enumerate(handles)]
    for actor, facts in zip(known, actors.asked(known), strict=True):
        actor.take(facts)
    assert [one.failed for one in known] == ["SettingsError: store", "", ""]
    stations = pytest.importorskip("lullwave.cluster.stations")
    pool = stations.StationActors()
    pool.actors = known[:2]
    assert [row["state"] for row in pool.rows()] == ["failed: SettingsError: store", "starting"]
    wanted, placement = {"station:0": {}, "station:1": {}}, stations.StationPlacement()
    assert stations.outdated(known[:2], wanted, placement) == known[:2]  # `up` starts them again


@pytest.mark.parametrize(
    ("failures", "calls"),
    [
        ([ConnectionAbortedError("Initialization failure")], 2),  # the cluster could not start the client's process
        ([ConnectionAbortedError("Initialization failure")] * 2, 3),
        ([ConnectionAbortedError("Initialization failure")] * 3, None),
        ([AssertionError()], 2),  # the connection broke while it was made
        ([Exception("Ray Client is not connected."), AttributeError("no server")], 3),
        ([AssertionError()] * 3, None),
        ([ConnectionError("ray client connection timeout")], None),  # there is no cluster
        ([RuntimeError("another version of Ray")], None),
    ],
)
def test_a_busy_cluster_is_asked_again_to_let_a_client_join(monkeypatch, failures, calls):
    left, joined = list(failures), []

    def join(**_):
        if left:
            raise left.pop(0)
        joined.append(True)

    monkeypatch.setattr(engine.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(engine.ray, "shutdown", lambda: joined.append(False))
    monkeypatch.setattr(engine.ray, "init", join)
    if calls is None:
        with pytest.raises(EngineLost, match="no Ray cluster at ray"):
            engine.join_cluster("ray://127.0.0.1:1")
        assert joined.count(True) == 0
    else:
        engine.join_cluster("ray://127.0.0.1:1")
        assert (joined.count(False), joined[-1]) == (calls, True)


BROKEN = [AssertionError(), Exception("Ray Client is not connected."), AttributeError("no server"), OSError("no route")]


@pytest.mark.parametrize("error", BROKEN, ids=repr)
def test_whatever_ray_raises_when_the_connection_breaks_the_engine_is_lost(monkeypatch, error):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr(engine, "join_cluster", lambda address: None)
    monkeypatch.setattr(engine.ray, "get_actor", broken)
    with pytest.raises(EngineLost, match="the Ray cluster at ray://here"):
        engine.find_pool("ray://here")
    with pytest.raises(EngineLost, match="cluster status"):
        engine.answered(broken, "cluster status")
    control = pytest.importorskip("lullwave.cluster.control")
    monkeypatch.setattr(control, "join_cluster", lambda address: None)
    with pytest.raises(EngineLost, match="cluster up"):
        control.up(control.ClusterConfig.of({"engines": [{"name": "synth"}]}), "ray://here")
    monkeypatch.setattr(engine.ray, "is_initialized", broken)
    assert not calls.is_part()


def test_what_the_pool_refuses_is_told_as_it_is(monkeypatch):
    def refuse():
        raise UnknownEngine("no engine", ["synth"])

    with pytest.raises(UnknownEngine):
        engine.answered(refuse, "cluster status")
