"""What players read: titles inside the stream, playlists, the status page, history and replay over HTTP."""

import re
import time

import numpy as np
import pytest
from radio_server import read_exactly, serving
from sine_engine import RATE, SineEngine

from lullwave.codecs import decode
from lullwave.server.live.icy import METAINT, Interleaver, block, clean


@pytest.fixture(scope="module")
def radio(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("directory")) as served:
        yield served


def test_titles_change_with_the_sound(radio):
    with radio.listening(headers={"Icy-MetaData": "1"}) as stream:
        assert stream.headers["icy-metaint"] == str(METAINT)
        assert stream.headers["icy-name"] == "Mellow piano"
        for _ in range(5):
            radio.clock.advance(10)
        data = read_exactly(stream, 46 * 24000)
    sound, titles, at = b"", [], 0
    while at + METAINT < len(data):
        sound += data[at : at + METAINT]
        at += METAINT
        size = 16 * data[at]
        text = data[at + 1 : at + 1 + size].rstrip(b"\0").decode()
        at += 1 + size
        if text:
            titles.append((len(sound) / 24000, re.fullmatch(r"StreamTitle='(.*)';", text)[1]))
    assert [title for _, title in titles][:3] == ["Tone 0", "Tone 1", "Tone 2"]
    for number, (at_s, _) in enumerate(titles[1:3], 1):
        assert abs(at_s - 20 * number) < 0.6  # a chunk is half a second, a block of sound a sixth
    mono = decode(sound).samples[RATE:, 0]
    assert np.max(np.abs(np.diff(mono, 2))) < 0.02  # the blocks are not in the sound


def test_who_does_not_ask_gets_no_titles(radio):
    with radio.listening() as stream:
        assert "icy-metaint" not in stream.headers


def test_titles_cannot_break_out():
    assert clean("a';StreamUrl='x\r\ny\"z`") == "aStreamUrl=x yz"
    assert clean("é" * 500).encode().decode() == "é" * 100
    for title in ("", "x", "y" * 200, "ü" * 100):
        made = block(title)
        assert len(made) == 1 + 16 * made[0]
    interleaver = Interleaver()
    out = b"".join(interleaver.feed(b"\1" * n, "t") for n in (1, METAINT - 1, 5, 3 * METAINT))
    assert out[METAINT : METAINT + 1] != b"\0"
    assert out.count(b"StreamTitle") == 1
    assert out.replace(block("t"), b"").replace(b"\0", b"") == b"\1" * (4 * METAINT + 5)


def test_playlists_and_status(radio):
    response, data = radio.ask("/listen.m3u")
    assert response.headers["Content-Type"].startswith("audio/x-mpegurl")
    addresses = [line for line in data.decode().splitlines() if line.startswith("http")]
    assert len(addresses) == 5
    assert addresses[0] == f"http://127.0.0.1:{radio.port}/stations/piano/stream.mp3"
    pls = radio.ask("/listen.pls?station=guitar")[1].decode()
    assert "NumberOfEntries=1" in pls
    assert "File1=http://" in pls
    assert radio.ask("/listen.pls?station=nope")[0].status == 404
    with radio.listening() as stream:
        radio.clock.advance(2)
        read_exactly(stream, 1000)
        stats = radio.json("/status-json.xsl")["icestats"]
    assert len(stats["source"]) == 5
    piano = stats["source"][0]
    assert (piano["listeners"], piano["bitrate"], piano["server_type"]) == (1, 192, "audio/mpeg")
    assert piano["title"].startswith("Tone")
    assert piano["listenurl"] == addresses[0]


def test_history_and_replay_over_http(tmp_path):
    with serving(tmp_path, engines={"synth": SineEngine}) as served, served.listening() as stream:
        for _ in range(5):
            served.clock.advance(10)
            read_exactly(stream, 200_000)
        channels = served.app.state.services.channels
        channels._encoding.submit(lambda: None).result(30)
        listed = served.json("/api/stations/piano/history")["history"]
        assert [entry["title"] for entry in listed] == ["Tone 2", "Tone 1", "Tone 0"]
        wall = listed[1]["wall"]
        assert wall == pytest.approx(served.clock.wall() - 50 - 3 + 20, abs=0.01)
        for at in (str(wall), listed[1]["at"].replace("+", "%2B"), listed[1]["at"]):
            response, data = served.ask(f"/api/stations/piano/replay?at={at}&seconds=5&format=flac")
            assert response.status == 200, data
            assert response.headers["X-Lullwave-Exact"] == "yes"
            assert decode(data).frames == 5 * RATE
            assert response.headers["X-Lullwave-Seconds"] == "5.000"
        for query, status in (
            ("at=yesterday", 422),
            ("at=1e999", 422),
            ("", 422),
            (f"at={wall}&seconds=0", 422),
            (f"at={wall}&format=exe", 422),
            ("at=1000", 404),
            (f"at={time.time() + 86400}", 404),
        ):
            assert served.ask(f"/api/stations/piano/replay?{query}")[0].status == status, query
        first = served.json("/api/stations/piano/history?limit=2")
        assert first["kept"] is True
        rest = served.json(f"/api/stations/piano/history?limit=2&cursor={first['next']}")
        assert [entry["title"] for entry in (*first["history"], *rest["history"])] == ["Tone 2", "Tone 1", "Tone 0"]
        assert rest["next"] is None
        for cursor in ("x", "1", "1_", "_1", "nan_1", "1_-1", "1_99999999999999999999"):
            assert served.ask(f"/api/stations/piano/history?cursor={cursor}")[0].status == 422
        refused = served.json("/api/stations/piano/history?before=x")["error"]
        assert refused["field"] == "before"


LABELS = ["雨の音 ☕", "Ünter\r\nX-Evil: 1\u2028#EXTINF", "👩\u200d💻 \"late'; night`", "\x1b[31mred\x00", "日" * 80]


def test_any_label_of_a_station_passes_through_every_reply(tmp_path):
    stations = [{"id": f"s{n}", "name": name, "prompts": ["雨 ☕"]} for n, name in enumerate(LABELS)]
    with serving(tmp_path, stations=stations) as served:
        for n, name in enumerate(LABELS):
            with served.listening(f"/stations/s{n}/stream.mp3", {"Icy-MetaData": "1"}) as stream:
                assert stream.status == 200
                assert "X-Evil" not in stream.headers
                shown = stream.headers["icy-name"].encode("latin-1").decode()  # UTF-8 bytes, as players read them
            assert name[:3] != LABELS[0][:3] or shown == "雨の音 ☕"
            title = served.json(f"/api/stations/s{n}")["name"]
            assert title == " ".join(title.split())
            assert not set(title) & set("\r\n\x00\x1b\u2028")
            assert set(shown) <= set(title)
        lines = served.ask("/listen.m3u")[1].decode().splitlines()
        assert len(lines) == 1 + 2 * len(LABELS)
        assert len(served.ask("/listen.pls")[1].decode().splitlines()) == 3 + 3 * len(LABELS)
        assert len(served.json("/status-json.xsl")["icestats"]["source"]) == len(LABELS)
        assert served.ask("/metrics")[0].status == 200
