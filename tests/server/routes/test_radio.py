"""The radio over HTTP: endless streams, events, sockets and counts, on a simulated clock."""

import json
import threading
from urllib.parse import quote

import numpy as np
import pytest
from radio_server import TIMEOUT_S, events, read_exactly, serving
from sine_engine import RATE, tone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from lullwave.codecs import decode
from lullwave.codecs.mp3 import Mp3Header
from lullwave.station import CHUNK_FRAMES, Tier

CHUNK_BYTES = CHUNK_FRAMES / RATE * 192_000 / 8


@pytest.fixture(scope="module")
def radio(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("radio"), sleep_after_s=30.0) as served:
        yield served


def play(served, response, seconds: float) -> bytes:
    """Let time pass and read all that comes of it."""
    served.clock.advance(seconds)
    return read_exactly(response, int((seconds - 1) * 24000))


def test_a_listener_hears_the_programme_without_a_hole(radio):
    with radio.listening() as stream:
        assert stream.status == 200
        assert stream.headers["Content-Type"] == "audio/mpeg"
        assert "no-store" in stream.headers["Cache-Control"]
        data = b"".join(play(radio, stream, 5) for _ in range(6))
    sound = decode(data).samples[RATE:, 0]
    level = [float(np.sqrt(np.mean(sound[i : i + 4410] ** 2))) for i in range(0, len(sound) - 4410, 4410)]
    assert min(level) > 0.02
    assert np.max(np.abs(np.diff(sound, 2))) < 0.02


def test_two_listeners_get_the_same_bytes(radio):
    with radio.listening("/stream.mp3") as one, radio.listening("/stations/piano/stream.mp3") as two:
        first, second = play(radio, one, 10), play(radio, two, 10)
        shorter = second[5000:60000]
        assert shorter in first or first[5000:60000] in second


@pytest.mark.parametrize(("path", "seconds"), [("/stream.mp3", 3.0), ("/stream.mp3?burst_s=2", 2.0)])
def test_who_comes_in_gets_at_most_three_seconds_of_the_past_or_those_asked_for(radio, path, seconds):
    with radio.listening() as old:
        play(radio, old, 10)
        with radio.listening(path) as new:
            burst = read_exactly(new, int((seconds - 0.6) * 24000))
            assert burst[:1] == b"\xff"
            new.fp.raw._sock.settimeout(0.3)
            rest = b""
            try:
                while part := new.read1(100000):
                    rest += part
            except TimeoutError:
                pass
            assert len(burst + rest) <= (seconds + 0.2) * 24000


def test_a_burst_longer_than_allowed_is_refused(radio):
    with radio.listening("/stream.mp3?burst_s=9") as stream:
        assert stream.status == 422
        assert b"burst_s" in stream.read()


def test_events_are_stamped_and_a_listener_is_told_its_first_frame(radio):
    with radio.listening("/api/events?station=piano&listener=ann") as feed:
        assert feed.headers["Content-Type"].startswith("text/event-stream")
        told = events(feed)
        kind, hello = next(told)
        assert (kind, hello["station"], hello["rate"], hello["first_frame"]) == ("hello", "piano", RATE, None)
        with radio.listening("/stations/piano/stream.mp3?listener=ann") as stream:
            data = play(radio, stream, 30)
            first = next(d for k, d in told if k == "first")
            assert first["listener"] == "ann"
            piece = next(d for k, d in told if k == "piece" and d["frame"] > first["frame"])
            assert piece["title"].startswith("Tone")
            assert piece["frame"] % (20 * RATE) == 0
            # The swell of the tone is loudest where a piece begins: the stamps agree with the sound.
            sound = decode(data).samples[:, 0]
            total = np.cumsum(np.abs(sound))
            level = total[RATE:] - total[:-RATE]  # of the second that begins at each frame
            heard = first["frame"] + int(np.argmax(level[RATE:])) + RATE + RATE // 2
            assert min(abs(heard - n * 20 * RATE) for n in range(200)) < 2 * RATE
            with radio.listening("/api/events?station=piano&listener=ann") as again:
                assert next(events(again))[1]["first_frame"] == first["frame"]


def test_the_low_bit_rate_is_encoded_only_while_somebody_listens(radio):
    low = radio.app.state.services.channels.default.low
    assert radio.ask("/stream.mp3?kbps=64", "HEAD")[0].headers["icy-br"] == "64"
    response, data = radio.ask("/stream.mp3?kbps=65")
    assert (response.status, json.loads(data)["error"]["field"]) == (422, "kbps")
    assert not low.active
    with (
        radio.listening("/stream.mp3?kbps=64&listener=eve") as one,
        radio.listening("/stream.mp3?kbps=64") as two,
        radio.listening("/stream.mp3?kbps=192") as usual,
    ):
        radio.clock.advance(10)
        first, second = (read_exactly(stream, 9 * 8000) for stream in (one, two))
        assert low.active
        assert (Mp3Header.parse(first).kbps, Mp3Header.parse(read_exactly(usual, 4)).kbps) == (64, 192)
        shorter = second[2000:30000]
        assert shorter in first or first[2000:30000] in second
        with radio.listening("/api/events?station=piano&listener=eve") as feed:
            assert next(events(feed))[1]["first_frame"] is not None
    while radio.on_loop(lambda: low.active):
        pass


def test_another_ones_first_frame_is_not_told(radio):
    with (
        radio.listening("/api/events?listener=ben") as feed,
        radio.listening("/stream.mp3?listener=cat") as stream,
    ):
        play(radio, stream, 25)
        told = events(feed)
        kinds = [next(told)[0] for _ in range(4)]
        assert "first" not in kinds


def test_stations_are_listed_with_what_they_play(radio):
    with radio.listening() as stream:
        play(radio, stream, 3)
        listed = radio.json("/api/stations")
    assert listed["default"] == "piano"
    assert [s["id"] for s in listed["stations"]] == ["piano", "synthwave", "organic", "guitar", "ambient"]
    piano = listed["stations"][0]
    assert piano["listeners"] == 1
    assert piano["state"] == "on air"
    assert piano["stream"] == "/stations/piano/stream.mp3"
    assert piano["now"]["tempo_bpm"] == 120.0
    assert piano["now"]["frames"] == 20 * RATE
    assert set(piano["now"]) == {"title", "tempo_bpm", "key", "metre", "prompt", "frame", "frames", "started_frame"}
    assert listed["stations"][1]["state"] == "asleep"


def test_stations_are_apart(radio):
    with radio.listening("/stations/guitar/stream.mp3") as stream:
        radio.clock.advance(3)
        assert read_exactly(stream, 24000)
        listed = {s["id"]: s for s in radio.json("/api/stations")["stations"]}
        assert listed["guitar"]["listeners"] == 1
        assert listed["piano"]["listeners"] == 0


def count(socket) -> int:
    return int(socket.recv(timeout=TIMEOUT_S))


def until(socket, wanted: int) -> None:
    while count(socket) != wanted:
        pass


def test_the_socket_counts_people(radio):
    address = f"ws://127.0.0.1:{radio.port}/ws"
    with connect(address) as watcher:
        assert count(watcher) == 0
        with connect(address) as old_page, connect(f"{address}?listener=dora") as ours:
            count(old_page), count(ours)
            old_page.send("listening")
            until(watcher, 1)
            ours.send("listening")
            until(watcher, 2)
            with radio.listening("/stream.mp3?listener=dora") as stream:
                read_exactly(stream, 1000)
                old_page.send("listening")
                old_page.send("nonsense")
                old_page.send(b"\x00\x01")
                old_page.send("paused")
                until(watcher, 1)
                assert radio.json("/api/stations")["stations"][0]["listeners"] == 1
                ours.send("paused")
                with radio.listening("/stream.mp3") as anonymous:
                    read_exactly(anonymous, 1000)
                    until(watcher, 2)
                until(watcher, 1)
            until(watcher, 0)
            old_page.send("listening")
            until(watcher, 1)
        until(watcher, 0)


def test_a_wrong_socket_is_refused(radio):
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{radio.port}/ws?listener={quote('no spaces')}")
    assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus):
        connect(f"ws://127.0.0.1:{radio.port}/ws?listener=a%0a")
    with connect(f"ws://127.0.0.1:{radio.port}/ws") as socket:
        count(socket)
        socket.send("x" * 200_000)
        with pytest.raises(ConnectionClosed):
            until(socket, -1)
    assert radio.ask("/ws")[0].status == 404


def test_heads_are_answered(radio):
    for path in ("/stream.mp3", "/stations/organic/stream.mp3", "/", "/healthz", "/readyz"):
        response, data = radio.ask(path, "HEAD")
        assert (response.status, data) == (200, b"")
    assert radio.json("/api/stations")["stations"][2]["state"] == "asleep"


def test_three_minutes_have_no_gap_no_click_and_no_clipped_sample(tmp_path):
    """Pieces of known tones: what is decoded is what was made, second by second."""
    with serving(tmp_path, ring_s=60.0, clip_s=600.0) as served, served.listening() as stream:
        data = b"".join(play(served, stream, 20) for _ in range(9))
    sound = decode(data).samples
    assert len(sound) > 160 * RATE
    assert np.max(np.abs(sound)) < 1.0
    mono = sound[2 * RATE :, 0]
    level = np.sqrt(np.mean(mono[: len(mono) // 441 * 441].reshape(-1, 441) ** 2, axis=1))
    assert level.min() > 0.02  # no gap of even 10 ms
    assert np.max(np.abs(np.diff(mono, 2))) < 0.01  # the tone's own is 0.0003
    turn = np.exp(-2j * np.pi * 220.0 * np.arange(len(mono)) / RATE)
    seconds = len(mono) // RATE
    phase = np.unwrap(np.angle((mono * turn)[: seconds * RATE].reshape(seconds, RATE).sum(axis=1)))
    assert np.ptp(phase) < 2 * np.pi * 220.0 / RATE  # not one frame was lost or doubled
    assert tone(0, 10, 220.0, []).shape == (10, 2)


def test_a_broken_engine_is_not_heard_by_the_listener(tmp_path):
    with serving(tmp_path, engine="broken") as served, served.listening() as stream:
        data = play(served, stream, 10) + play(served, stream, 5)
        data += b"".join(play(served, stream, 10) for _ in range(3))  # it comes back, and breaks again
        assert served.app.state.services.channels.default.station.tier_changes[Tier.EMBEDDED] > 0
    sound = decode(data).samples[2 * RATE :, 0]
    level = np.sqrt(np.mean(sound[: len(sound) // 441 * 441].reshape(-1, 441) ** 2, axis=1))
    assert level.min() > 0.01
    assert np.max(np.abs(np.diff(sound, 2))) < 0.02


def test_the_server_ends_with_listeners_connected(tmp_path):
    before = set(threading.enumerate())
    with (
        serving(tmp_path) as served,
        served.listening() as stream,
        served.listening("/api/events") as feed,
        connect(f"ws://127.0.0.1:{served.port}/ws") as socket,
    ):
        read_exactly(stream, 1000)
        count(socket)
        stopping = threading.Thread(target=served.stop)
        stopping.start()
        while stream.read1(65536):
            pass  # whole to its end
        assert b"event: hello" in feed.read()
        with pytest.raises(ConnectionClosed):
            until(socket, -1)
        stopping.join()
    assert set(threading.enumerate()) <= before


def test_json_is_json(radio):
    assert json.loads(radio.ask("/healthz")[1]) == {"status": "ok"}
    assert radio.json("/readyz")["status"] == "ready"
