"""Old clients, by plain libraries: five MP3s over a websocket, under its limits; and the legacy HTTP protocol."""

from __future__ import annotations

import importlib
import json
import os
import threading
import time
from http.client import HTTPConnection

import pytest
import websocket
from inference_servers import inferring
from sine_engine import BrokenEngine, SineEngine
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from lullwave import load_engine
from lullwave.codecs import decode
from lullwave.errors import EngineFailed
from lullwave.mastering import loudness_lufs
from lullwave.server.inference.batches import CLIP_S, PROMPTS

MIB = 1 << 20


def test_an_old_client_gets_five_different_minutes_of_music(monkeypatch):
    assert CLIP_S == 60.0
    monkeypatch.setattr("lullwave.server.inference.batches.CLIP_S", 8.0)  # a minute each would take long
    with inferring(load_engine("synth")) as served:
        client = websocket.create_connection(served.url, timeout=200)
        client.send("are you there?")  # ignored
        client.send("generate")
        clips = [client.recv() for _ in range(5)]
        client.close()
    assert all(isinstance(clip, bytes) and len(clip) < MIB for clip in clips)
    sounds = [decode(clip) for clip in clips]
    assert all(7 <= sound.duration_s <= 9 for sound in sounds)
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

    def __init__(self, port: int, key: str = "", address: str = "127.0.0.1") -> None:
        self.port, self.key, self.address = port, key, address

    def post(self, path: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(self.address, 0))
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


def test_the_legacy_http_protocol(short):
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


class Counted(SineEngine):
    """Makes as many clips as it is let; the first ``failures`` fail."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.let = threading.Semaphore(0)
        self.waits = threading.Semaphore(0)  # released before each clip

    def open(self, request):
        self.waits.release()
        assert self.let.acquire(timeout=60)
        if self.failures:
            self.failures -= 1
            raise EngineFailed("no more memory")
        return super().open(request)


def fetch_as_infinifi(client: Http) -> list[tuple[int, bytes]]:
    """Poll ``/clips/0`` alone, then fetch the others once each, as its server of November 2024 does."""
    while (first := client.post("/clips/0"))[0] != 200:
        pass
    return [first, *(client.post(f"/clips/{number}") for number in range(1, 5))]


def test_no_clip_is_given_before_all_are_there(short):
    with inferring(engine := Counted()) as served:
        client, other = Http(served.port), Http(served.port, address="127.0.0.2")
        client.post("/generate")
        for _ in range(4):
            engine.let.release()
        for _ in range(5):
            assert engine.waits.acquire(timeout=60)
        assert [client.post(f"/clips/{number}")[0] for number in range(5)] == [404] * 5  # four are made
        engine.let.release()
        assert [status for status, _ in fetch_as_infinifi(client)] == [200] * 5
        # Another client's next batch takes nothing from one that still fetches this one.
        while other.post("/generate")[0] == 409:
            pass
        assert client.post("/clips/4")[0] == 200
        assert other.post("/clips/4")[0] == 404
        assert client.post("/generate")[0] == 409
        assert client.post("/clips/4")[0] == 404  # it expects the next batch from now on
        for _ in range(5):
            engine.let.release()
        assert [status for status, _ in fetch_as_infinifi(other)] == [200] * 5
        assert client.post("/clips/4")[0] == 200


def test_a_batch_that_failed_is_begun_again_when_its_client_polls(short):
    with inferring(engine := Counted(failures=2)) as served:
        client = Http(served.port)
        client.post("/generate")
        for _ in range(7):
            engine.let.release()
        assert [status for status, _ in fetch_as_infinifi(client)] == [200] * 5


@pytest.mark.slow
def test_infinifi_s_own_server_gets_its_five_clips(short, tmp_path, monkeypatch):
    """``git clone https://github.com/kennethnym/infinifi``, name the folder in INFINIFI, and install ``requests``."""
    monkeypatch.syspath_prepend(os.environ["INFINIFI"])
    monkeypatch.chdir(os.environ["INFINIFI"])  # it mounts its folder "web"
    theirs = importlib.import_module("server")
    monkeypatch.chdir(tmp_path)  # and writes its clips into the current folder
    monkeypatch.setattr(theirs, "sleep", lambda _: time.sleep(0.05))
    with inferring(SineEngine(), token="secret") as served:
        theirs.inference_url, theirs.api_key, theirs.current_index = served.url.replace("ws:", "http:"), "secret", 0
        theirs.generate_new_audio()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{number}.mp3" for number in range(5, 10)]
    assert all(abs(decode(path).duration_s - 3.0) < 0.1 for path in tmp_path.iterdir())


def test_a_minute_is_what_the_old_system_had():
    assert 55 <= CLIP_S <= 65
