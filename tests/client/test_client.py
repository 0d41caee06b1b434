"""The client against a real server with an engine of known tones, waiting and with asyncio."""

import asyncio
import sys

import numpy as np
import pytest
from radio_server import serving

pytest.importorskip("httpx")

from lullwave import Audio
from lullwave.cli.app import run
from lullwave.client import AsyncClient, Client, RequestRefused, ServerUnreachable
from lullwave.client.calls import EventReader, ProgressMeter, error_of
from lullwave.errors import Busy, InvalidInput, MissingExtra, NotFound


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("client"), stations=[{"id": "piano"}, {"id": "rain"}]) as served:
        yield f"http://127.0.0.1:{served.port}"


@pytest.fixture
def radio(server):
    with Client(server) as client:
        yield client


def test_a_clip_is_the_one_that_is_made_here_and_its_progress_reaches_the_end(radio):
    told = []
    clip = radio.generate("calm", seconds=25, seed=3, engine="sines", on_progress=told.append)
    audio = clip.audio()
    assert abs(audio.duration_s - 25) < 0.1
    assert [one.received_bytes for one in told] == sorted(one.received_bytes for one in told)
    assert told[-1].received_bytes == len(clip.file)
    assert told[-1].share == pytest.approx(1.0, abs=0.02)
    again = radio.generate("calm", seconds=25, seed=3, engine="sines")
    assert again.file == clip.file
    wav = radio.generate("calm", seconds=2, seed=3, engine="sines", format="wav")
    assert wav.audio().frames == 2 * 44100


def test_an_error_in_the_progress_cancels_the_clip(radio):
    class Enough(Exception):
        pass

    def enough(progress):
        raise Enough

    with pytest.raises(Enough):
        radio.generate("calm", seconds=60, on_progress=enough)
    assert radio.generate("calm", seconds=1, format="wav").audio().frames == 44100


def test_stations_and_engines_are_values(radio):
    stations = radio.stations()
    assert [station.id for station in stations] == ["piano", "rain"]
    assert radio.station("rain").id == "rain"
    assert {"sines", "synth"} <= {engine.name for engine in radio.engines() if engine.available}


def test_the_stream_its_events_and_steering(radio):
    blocks = radio.listen("piano", listener="me")
    assert len(next(blocks)) > 100
    events = radio.events("piano", listener="me")
    kinds = []
    while "state" not in kinds:
        event = next(events)
        kinds.append(event.kind)
    assert kinds[0] == "hello"
    assert isinstance(event.frame, int)
    receipt = radio.steer("piano", "louder gibberish", listener="me")
    assert receipt.state in ("turning", "queued")
    assert receipt.ignored == ("gibberish",)
    assert radio.station("piano").listeners >= 1
    events.close()
    blocks.close()


def test_listeners_are_counted_by_the_websocket(radio):
    counts = radio.listener_counts(listening=True)
    assert any(count >= 1 for count in (next(counts), next(counts)))
    counts.close()


def test_the_asynchronous_client_gives_the_same(server, radio):
    async def main():
        async with AsyncClient(server) as client:
            told = []
            clip = await client.generate("calm", seconds=2, seed=3, engine="sines", on_progress=told.append)
            stations = await client.stations()
            kinds = []
            async for event in client.events("piano"):
                kinds.append(event.kind)
                if event.kind == "state":
                    break
            block = await anext(client.listen("rain"))
            count = await anext(client.listener_counts())
            with pytest.raises(NotFound):
                await client.station("nowhere")
            return clip, told, stations, kinds, block, count

    clip, told, stations, kinds, block, count = asyncio.run(main())
    assert clip.file == radio.generate("calm", seconds=2, seed=3, engine="sines").file
    assert told[-1].received_bytes == len(clip.file)
    assert [station.id for station in stations] == ["piano", "rain"]
    assert kinds[0] == "hello"
    assert len(block) > 0
    assert count >= 0


def test_errors_are_those_of_the_package(radio, server):
    with pytest.raises(NotFound, match="nowhere"):
        radio.station("nowhere")
    with pytest.raises(InvalidInput, match="duration_s") as wrong:
        radio.generate("calm", seconds=-1)
    assert wrong.value.field == "duration_s"
    with pytest.raises(InvalidInput, match="http://localhost:8000"):
        Client("localhost")
    with Client("http://127.0.0.1:9") as nobody, pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1:9"):
        nobody.stations()
    busy = error_of(429, b'{"error": {"message": "full", "field": null, "allowed": null}}', "7")
    assert isinstance(busy, Busy)
    assert (str(busy), busy.retry_after_s) == ("full", 7.0)
    refused = error_of(418, b"tea", None)
    assert isinstance(refused, RequestRefused)
    assert refused.status == 418


def test_events_and_progress_are_read_from_pieces():
    reader = EventReader()
    lines = [": keep alive", "", "event: piece", 'data: {"frame": 5,', 'data: "title": "x"}', ""]
    (event,) = [found for line in lines if (found := reader.line(line))]
    assert (event.kind, event.frame, event.data["title"]) == ("piece", 5, "x")
    assert ProgressMeter("mp3", 192, 2.0).after(bytes(24_000)).share == pytest.approx(0.5)
    assert ProgressMeter("flac", 192, 2.0).after(bytes(24_000)).share is None


def test_the_command_line_has_a_server_do_the_work(server, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def lullwave(*arguments):
        monkeypatch.setattr(sys, "argv", ["lullwave", *arguments])
        with pytest.raises(SystemExit) as ended:
            run()
        return ended.value.code

    assert not lullwave("generate", "calm", "--seconds", "2", "--seed", "3", "--server", server, "-o", "there.wav")
    with Client(server) as radio:
        same = radio.generate("calm", seconds=2, seed=3, engine="synth", format="wav").audio()
    assert np.array_equal(Audio.load("there.wav").samples, same.samples)
    assert not lullwave("history", "--server", server, "--json")
    capsys.readouterr()
    assert lullwave("generate", "x", "--server", server, "--midi", "x.mid", "-o", "x.wav") == 2
    assert "--midi" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "httpx", None)
    for name in [name for name in sys.modules if name.startswith("lullwave.client")]:
        monkeypatch.delitem(sys.modules, name)
    assert lullwave("history", "--server", server) == 1
    assert "pip install 'lullwave[client]'" in capsys.readouterr().err
    with pytest.raises(MissingExtra):
        import lullwave.client
