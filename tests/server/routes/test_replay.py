"""Anonymous replays: a share per address, no place of the owner's, and an end when the client hangs up."""

import threading
from http.client import HTTPConnection

import pytest
from radio_server import TIMEOUT_S, serving
from sine_engine import RATE

from lullwave.audio import Audio
from lullwave.errors import SnapshotError, StreamClosed
from lullwave.server.clip_service import REPLAYS_PER_ADDRESS


class Replays:
    """Stands for the rendering: each begins, and ends when it is stopped or let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.stopped = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self, history, station, wall, seconds, engine, stopped):
        self.begun.release()
        while not self.go.wait(0.01):
            if stopped():
                self.stopped.release()
                raise StreamClosed("stopped")
        return Audio.silence(round(seconds * RATE), RATE), True


@pytest.fixture
def replays(monkeypatch):
    made = Replays()
    monkeypatch.setattr("lullwave.server.live.channels.replay_moment", made)
    return made


@pytest.fixture
def radio(tmp_path, replays):
    with serving(tmp_path, token="secret", stations=OWNED, trusted_proxies="192.0.2.1") as served, served.listening():
        for _ in range(4):
            served.clock.advance(5)
        channels = served.app.state.services.channels
        channels._encoding.submit(lambda: None).result(TIMEOUT_S)
        yield served
        replays.go.set()


MINE = {"Authorization": "Bearer secret"}
OWNED = [{"id": "piano", "prompts": ["a tone"], "policy": "owner"}]


def asked(served, **headers):
    """A replay that was asked for and is not answered yet."""
    at = served.clock.wall() - 8
    connection = HTTPConnection("127.0.0.1", served.port, timeout=TIMEOUT_S)
    connection.request("GET", f"/api/stations/piano/replay?at={at}&seconds=2&format=wav", headers=headers)
    return connection


def until_active(served, count):
    clips = served.app.state.services.clips
    while served.on_loop(lambda: clips.replay_slots.active) != count:
        pass


def test_strangers_replays_leave_the_owners_places_free(radio, replays):
    held = [asked(radio) for _ in range(REPLAYS_PER_ADDRESS)]
    assert replays.begun.acquire(timeout=TIMEOUT_S)
    until_active(radio, REPLAYS_PER_ADDRESS)
    for _ in range(20):
        refused = asked(radio).getresponse()
        assert refused.status == 429
        assert refused.headers["Retry-After"]
    clip = {"prompt": "a tone", "duration_s": 1, "engine": "sines", "format": "wav"}
    for _ in range(3):
        assert radio.ask("/api/generate", "POST", clip, MINE)[0].status == 200
    replays.go.set()
    assert [one.getresponse().status for one in held] == [200] * REPLAYS_PER_ADDRESS


def test_a_hang_up_is_noticed_and_the_owner_is_next(radio, replays):
    first, second = asked(radio), asked(radio)
    assert replays.begun.acquire(timeout=TIMEOUT_S)
    until_active(radio, 2)
    mine = asked(radio, **MINE)
    until_active(radio, 3)
    first.close()
    assert replays.stopped.acquire(timeout=TIMEOUT_S)
    assert replays.begun.acquire(timeout=TIMEOUT_S)
    second.close()  # it still waited: the one that runs now is the owner's
    until_active(radio, 1)
    replays.go.set()
    assert mine.getresponse().status == 200


def test_a_moment_of_an_older_engine_is_refused_with_the_reason(radio, monkeypatch):
    def older(*_moment):
        raise SnapshotError("snapshot: made by engine 'synth' version 5; allowed: 'synth' version 6")

    monkeypatch.setattr("lullwave.server.live.channels.replay_moment", older)
    reply = asked(radio, **MINE).getresponse()
    assert reply.status == 409
    assert "this cannot be replayed: snapshot: made by engine 'synth' version 5" in reply.read().decode()


def test_the_server_ends_while_a_replay_runs(tmp_path, replays):
    with serving(tmp_path, stations=OWNED) as served, served.listening():
        for _ in range(4):
            served.clock.advance(5)
        served.app.state.services.channels._encoding.submit(lambda: None).result(TIMEOUT_S)
        asked(served)
        assert replays.begun.acquire(timeout=TIMEOUT_S)
    assert replays.stopped.acquire(timeout=TIMEOUT_S)
