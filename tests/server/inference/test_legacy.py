"""Old clients, by plain libraries: five MP3s over a websocket, under its limits; and the HTTP dialect."""

from __future__ import annotations

import json
import threading
from http.client import HTTPConnection

import pytest
import websocket
from inference_servers import inferring
from sine_engine import BrokenEngine, SineEngine
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from lullwave import load_engine
from lullwave.codecs import decode
from lullwave.mastering import loudness_lufs
from lullwave.server.inference.batches import CLIP_S, PROMPTS

MIB = 1 << 20


def test_an_old_client_gets_five_different_minutes_of_music():
    with inferring(load_engine("synth")) as served:
        client = websocket.create_connection(served.url, timeout=200)
        client.send("are you there?")  # ignored
        client.send("generate")
        clips = [client.recv() for _ in range(5)]
        client.close()
    assert all(isinstance(clip, bytes) and len(clip) < MIB for clip in clips)
    sounds = [decode(clip) for clip in clips]
    assert all(55 <= sound.duration_s <= 65 for sound in sounds)
    assert all(abs(loudness_lufs(sound) + 14) < 1.0 for sound in sounds)
    assert len(set(clips)) == len(PROMPTS) == 5


@pytest.fixture
def short(monkeypatch):
    """Clips of three seconds."""
    monkeypatch.setattr("lullwave.server.inference.batches.CLIP_S", 3.0)


def test_batches_of_several_clients_wait_for_one_another(short):
    """By the other plain library, with its own limits of size and of patience with pings."""
    with inferring(SineEngine()) as served:
        with connect(served.url, ping_interval=0.2, ping_timeout=20) as one, connect(served.url) as two:
            for client in (one, two, one):
                client.send("generate")
            got = {}

            def take(client, count):
                got[client] = [client.recv(60) for _ in range(count)]

            threads = [threading.Thread(target=take, args=pair) for pair in ((one, 10), (two, 5))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert [len(got[one]), len(got[two])] == [10, 5]
        assert all(abs(decode(clip).duration_s - 3.0) < 0.1 for clips in got.values() for clip in clips)


def test_who_goes_away_holds_nobody_up(short):
    with inferring(SineEngine()) as served:
        for _ in range(3):
            with connect(served.url) as gone:
                gone.send("generate")
        with connect(served.url) as client:
            client.send("generate")
            assert len([client.recv(60) for _ in range(5)]) == 5


def test_a_broken_engine_is_said_in_words():
    with inferring(BrokenEngine()) as served, connect(served.url) as client:
        client.send("generate")
        with pytest.raises(ConnectionClosedError) as closed:
            client.recv(60)
        assert closed.value.rcvd.code == 1011
        assert "failed" in closed.value.rcvd.reason


class Http:
    """The old HTTP client."""

    def __init__(self, port: int, key: str = "") -> None:
        self.port, self.key = port, key

    def post(self, path: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", path, headers={"Authorization": f"key {self.key}"} if self.key else {})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, body


class Gated(SineEngine):
    """Makes nothing before it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()

    def open(self, request):
        self.let.wait(60)
        return super().open(request)


def test_the_http_dialect(short):
    with inferring(engine := Gated(), token="secret") as served:
        assert Http(served.port).post("/generate")[0] == Http(served.port, "wrong").post("/clips/0")[0] == 401
        client = Http(served.port, "secret")
        assert client.post("/clips/0")[0] == 404
        status, body = client.post("/generate")
        assert (status, json.loads(body)["clips"]) == (200, 5)
        assert client.post("/generate")[0] == 409
        assert client.post("/clips/0")[0] == 404
        engine.let.set()
        clips = []
        for number in range(5):
            while (reply := client.post(f"/clips/{number}"))[0] == 404:
                pass
            clips.append(reply[1])
        assert all(abs(decode(clip).duration_s - 3.0) < 0.1 for clip in clips)
        assert client.post("/clips/5")[0] == client.post("/clips/x")[0] == 404
        engine.let.clear()
        while client.post("/generate")[0] == 409:  # the last clip is there a moment before the batch is over
            pass
        assert client.post("/clips/0")[0] == 404  # never one of the batch before
        engine.let.set()


def test_a_minute_is_what_the_old_system_had():
    assert 55 <= CLIP_S <= 65
