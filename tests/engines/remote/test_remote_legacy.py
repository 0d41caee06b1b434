"""Old inference servers, made of plain libraries: their clips become the programme, joined, and reach a listener."""

from __future__ import annotations

import asyncio
import io
import json
import math
import threading
import time
import tracemalloc
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import soundfile
import websockets
from inference_servers import inferring
from radio_server import read_exactly, serving
from sine_engine import SineEngine

from lullwave import Audio, Request, load_engine
from lullwave.codecs import FrameSplitter, decode, encode
from lullwave.engines.remote.engine import RemoteEngine
from lullwave.engines.remote.legacy import OVERLAP_S, RATE, decoded
from lullwave.errors import CodecError, EngineError, EngineFailed, EngineLost

CLIP_S = 16.0
PING_S = 0.3  # how often the old server pings, and how long it waits for the answer


def clip(number: int) -> bytes:
    """A sound that is like no other clip's, and low enough for MP3 to keep its waveform."""
    random = np.random.default_rng(number)
    t = np.arange(round(CLIP_S * 32000)) / 32000
    hz, phase = random.uniform(100, 1500, 12), random.uniform(0, 6.28, 12)
    wave = 0.06 * np.sin(2 * np.pi * hz[:, None] * t + phase[:, None]).sum(axis=0)
    return encode(Audio.of(wave.astype(np.float32), 32000), "mp3", 128)


@pytest.fixture(scope="module")
def clips() -> list[bytes]:
    return [clip(number) for number in range(10)]


@contextmanager
def old_websocket_server(clips, delay_s=3 * PING_S, batches=100):
    """It blocks its loop while it makes music: no ping is answered, none sent."""
    loop, ready, stop, port = asyncio.new_event_loop(), threading.Event(), asyncio.Event(), []
    asked = []

    async def handler(socket):
        async for message in socket:
            if message == "generate":
                if len(asked) >= batches:
                    return
                start = 5 * (len(asked) % 2)
                asked.append(message)
                time.sleep(delay_s)
                for data in clips[start : start + 5]:
                    await socket.send(data)

    async def main():
        async with websockets.serve(handler, "127.0.0.1", 0, ping_interval=PING_S, ping_timeout=PING_S) as server:
            port.append(server.sockets[0].getsockname()[1])
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    ready.wait()
    try:
        yield f"ws://127.0.0.1:{port[0]}", asked
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def likeness(heard: np.ndarray, sent: np.ndarray) -> float:
    """The highest normalised correlation of ``sent`` with any stretch of ``heard``; both mono."""
    from scipy.signal import correlate

    total = np.concatenate([[0.0], np.cumsum(heard.astype(np.float64) ** 2)])
    power = np.maximum(total[len(sent) :] - total[: -len(sent)], 1e-9)
    return float(np.max(correlate(heard, sent, "valid") / np.sqrt(power * np.sum(sent**2))))


def test_clips_follow_one_another_by_crossfades(clips):
    with old_websocket_server(clips) as (url, asked), load_engine(url) as engine:
        with engine.stream(Request("whatever")) as stream:
            assert (stream.rate, stream.channels, engine.rewindable_s) == (RATE, 2, 0.0)
            heard = np.concatenate([stream.read(44100).samples[:, 0] for _ in range(60)])
            marks = stream.marks(0, stream.position)
            with pytest.raises(EngineError, match="accepts no prompts"):
                stream.steer("something else")
        step = round((CLIP_S - OVERLAP_S) * RATE)
        assert [mark.frame for mark in marks] == [n * step for n in range(len(marks))]
        sounds = [decode(data).resample(RATE).samples[:, 0] for data in clips[:6]]
        overlap = round(OVERLAP_S * RATE)
        for n in range(5):
            inner = slice(overlap if n else 0, len(sounds[n]) - overlap)
            assert np.array_equal(heard[n * step :][inner], sounds[n][inner])
        angle = 0.5 * np.pi * (np.arange(overlap) + 0.5) / overlap  # equal power: cos² + sin² = 1
        mixed = sounds[0][-overlap:] * np.cos(angle) + sounds[1][:overlap] * np.sin(angle)
        assert np.max(np.abs(heard[step:][:overlap] - mixed)) < 1e-4
        assert len(asked) >= 2  # the next batch was asked for while the first played


def test_streams_of_one_engine_play_different_clips(clips):
    with (
        old_websocket_server(clips, 0.0) as (url, _),
        load_engine(url) as engine,
        engine.stream(Request("a")) as one,
        engine.stream(Request("b")) as two,
    ):
        assert not np.array_equal(one.read(1000).samples, two.read(1000).samples)


def test_a_server_that_goes_away_is_lost_and_found_again(clips):
    with old_websocket_server(clips, 0.0, batches=1) as (url, asked), load_engine(url) as engine:
        stream = engine.stream(Request(""))
        with pytest.raises(EngineLost):  # noqa: PT012
            for _ in range(200):
                stream.read(44100)
        stream.close()
        asked.clear()
        with engine.stream(Request("")) as again:
            assert again.read(1000).frames == 1000


@pytest.mark.parametrize(
    ("rate", "channels", "seconds"),
    [(192_000, 8, 30.0), (48_000, 8, 301.0), (96_000, 1, 1.0)],
)
def test_a_clip_that_states_more_than_music_needs_is_refused_at_little_cost(rate, channels, seconds):
    packed = io.BytesIO()  # silence: a few kilobytes
    with soundfile.SoundFile(packed, "w", rate, channels, "PCM_16", format="FLAC") as file:
        for _ in range(math.ceil(seconds)):
            file.write(np.zeros((rate, channels), np.int16))
    tracemalloc.start()
    with pytest.raises(CodecError, match=f"{channels} channels at {rate} Hz; allowed: 300 seconds"):
        decoded(packed.getvalue())
    assert tracemalloc.get_traced_memory()[1] < 300_000_000
    tracemalloc.stop()


def test_of_a_clip_with_more_channels_the_first_two_are_played():
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (RATE, 6)).astype(np.float32)
    found = decoded(encode_wav(sound))
    assert np.array_equal(found.samples, sound[:, :2])


def encode_wav(samples) -> bytes:
    made = io.BytesIO()
    soundfile.write(made, samples, RATE, "FLOAT", format="WAV")
    return made.getvalue()


def test_what_is_no_clip_is_a_lost_engine():
    for junk in (b"junk", b"", encode(Audio.silence(RATE, RATE), "mp3", 128)):
        with (
            old_websocket_server([junk] * 10, 0.0) as (url, _),
            load_engine(url) as engine,
            engine.stream(Request("")) as stream,
            pytest.raises(EngineLost),
        ):
            stream.read(1000)


def test_closing_ends_the_wait_for_a_clip(clips):
    with old_websocket_server(clips) as (url, _asked), load_engine(url) as engine:
        stream = engine.stream(Request(""))
        caught = []

        def read():
            with pytest.raises(EngineError) as closed:
                stream.read(1000)
            caught.append(closed.value)

        reading = threading.Thread(target=read)
        reading.start()
        stream.close()
        reading.join()
        assert caught


class OldHttp(BaseHTTPRequestHandler):
    """The old HTTP server: it gives the clips of before until new ones are there."""

    def do_POST(self):
        server = self.server
        if self.headers["Authorization"] != "key secret":
            self.reply(401)
        elif self.path == "/generate":
            server.made += 1
            self.reply(200, b"null")
        else:
            number = int(self.path.rpartition("/")[2])
            server.polls += 1
            if server.made < 2:
                self.reply(200, server.clips[number]) if server.polls % 2 else self.reply(404)
            else:  # no 404 any more
                self.reply(200, server.clips[number + (5 if server.polls % 2 else 0)])

    def reply(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


def test_the_legacy_http_protocol(clips, monkeypatch):
    monkeypatch.setattr("lullwave.engines.remote.legacy.POLL_S", (0.01, 0.02))
    server = ThreadingHTTPServer(("127.0.0.1", 0), OldHttp)
    server.clips, server.made, server.polls = clips, 0, 0
    thread = threading.Thread(target=partial(server.serve_forever, 0.05))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        with load_engine(url, token="secret") as engine, engine.stream(Request("")) as stream:
            step = round((CLIP_S - OVERLAP_S) * RATE)
            heard = stream.read(9 * step)
            overlap = round(OVERLAP_S * RATE)
            for n in range(1, 9):
                sound = decode(clips[n]).resample(RATE).samples[overlap:-overlap]
                assert np.array_equal(heard.samples[n * step :][overlap : overlap + len(sound), :1], sound)
        with load_engine(url, token="wrong") as engine, pytest.raises(EngineLost, match="401"):
            engine.stream(Request("")).read(10)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_listener_of_our_web_server_hears_what_an_old_server_sent(clips, tmp_path):
    """All the way: the old server's MP3 → programme → master → /stream.mp3, with the embedded engine before it."""
    with old_websocket_server(clips) as (url, _):
        engines = {
            "synth": SineEngine,
            url: type("There", (RemoteEngine,), {"__init__": lambda self: RemoteEngine.__init__(self, url=url)}),
        }
        sounds = [decode(data).resample(RATE).samples[:, 0] for data in clips]
        inner = [sound[round(7 * RATE) : round(10 * RATE)] for sound in sounds]
        found: list[int] = []
        with serving(tmp_path, engines=engines, engine=url, bitrate_kbps=192) as served, served.listening() as stream:
            splitter, frames = FrameSplitter(), []
            for _ in range(400):  # seconds on air
                served.clock.advance(1.0)
                frames += splitter.feed(read_exactly(stream, 23_900))  # of the 24000 that were sent
                if len(frames) % 400 < 20 and len(frames) > 1000:
                    heard = decode(b"".join(frames)).samples[:, 0]
                    found = [n for n, sent in enumerate(inner) if likeness(heard, sent) > 0.98]
                if len(found) >= 3:
                    break
            states = json.loads(served.ask("/api/stations")[1])["stations"][0]
        assert len(found) >= 3
        assert states["engine"] == "remote"


class Seeded(SineEngine):
    """Another tone for each seed."""

    def open(self, request):
        return super().open(Request(request.prompt, 0, request.duration_s, {"hz": 100.0 + request.seed % 1000}))


def test_our_own_server_speaks_the_legacy_http_protocol_that_we_speak(monkeypatch):
    monkeypatch.setattr("lullwave.engines.remote.legacy.POLL_S", (0.01, 0.02))
    monkeypatch.setattr("lullwave.server.inference.batches.CLIP_S", 8.0)
    with inferring(Seeded(), token="secret") as served:
        address = served.url.replace("ws://", "http://")
        with load_engine(address, token="secret") as engine, engine.stream(Request("")) as stream:
            heard = stream.read(30 * RATE)  # more than one batch
            assert heard.frames == 30 * RATE
            assert np.isfinite(heard.samples).all()
            assert len(stream.marks(0, stream.position)) >= 5


def test_a_server_that_forgot_that_it_was_asked_is_asked_again(monkeypatch):
    """Its engine breaks over the first batch: no clip of that ever comes."""
    monkeypatch.setattr("lullwave.engines.remote.legacy.POLL_S", (0.01, 0.02))
    monkeypatch.setattr("lullwave.engines.remote.legacy.RENEW_S", 0.2)
    monkeypatch.setattr("lullwave.server.inference.batches.CLIP_S", 8.0)
    begun = []

    class BreaksOnce(SineEngine):
        def open(self, request):
            begun.append(request)
            if len(begun) == 1:
                raise EngineFailed("out of memory")
            return super().open(request)

    with inferring(BreaksOnce()) as served:
        address = served.url.replace("ws://", "http://")
        with load_engine(address) as engine, engine.stream(Request("")) as stream:
            assert stream.read(RATE).frames == RATE
