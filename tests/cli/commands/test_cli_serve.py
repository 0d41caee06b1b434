"""SIGTERM on the real server with all kinds of clients connected: they are released, and what is on disk is whole."""

import hashlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from radio_server import read_exactly
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from lullwave.codecs import decode
from lullwave.codecs.mp3 import mp3_frames

TIMEOUT_S = 60
HANG_S = 20  # it takes well under two seconds on a machine that has nothing else to do


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """``lullwave serve`` with the embedded engine and short clips, and its port."""
    command = [sys.executable, "-m", "lullwave", "serve", "--port", "0", "--clip-s", "5", "--stall-s", "60"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "--data-dir", str(tmp_path / "data")],
        cwd=tmp_path,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=(tmp_path / "log").open("w"),
    ) as process:
        assert process.stdout is not None
        try:
            said = process.stdout.readline()
            yield process, int(re.search(r":(\d+)/", said)[1])
        finally:
            process.kill()


def ask(port: int, path: str, method: str = "GET", body: str | None = None, **headers: str):
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    return connection.getresponse()


def test_everybody_is_released_and_every_file_is_whole(server, tmp_path):
    process, port = server
    streams = [ask(port, path) for path in ("/stream.mp3", "/stations/guitar/stream.mp3")]
    titled = ask(port, "/stream.mp3", icy_metadata="1")
    events = ask(port, "/api/events")
    making = ask(
        port, "/api/generate", "POST", json.dumps({"duration_s": 600, "format": "mp3"}), content_type="application/json"
    )
    stalled = socket.create_connection(("127.0.0.1", port))
    stalled.sendall(b"GET /stream.mp3 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")  # and never reads
    with connect(f"ws://127.0.0.1:{port}/ws") as counts:
        counts.send("listening")
        heard = [read_exactly(stream, 24_000 * 10) for stream in streams]  # more than a clip and its overlap
        clips = tmp_path / "data" / "clips" / "piano"
        while len(list(clips.glob("*.mp3"))) < 2:  # replayed clips, while the machine is too slow, are not kept again
            heard = [begun + read_exactly(stream, 24_000) for begun, stream in zip(heard, streams, strict=True)]
        process.send_signal(signal.SIGTERM)
        # Reading to the end raises where a reply was cut off: each ends with its last chunk.
        heard = [begun + stream.read() for begun, stream in zip(heard, streams, strict=True)]
        assert len(titled.read()) > 24_000 * 8
        assert b"event: piece" in events.read()
        with suppress(ConnectionClosed):
            while counts.recv(timeout=TIMEOUT_S):
                pass
        making.close()
        assert process.wait(HANG_S) in (0, -signal.SIGTERM)  # in order, then by the signal, as is the custom
    stalled.close()
    for data in heard:
        assert mp3_frames(data)  # whole frames to the last
    assert not re.search("ERROR|Traceback", (tmp_path / "log").read_text())

    clips = sorted(clips.glob("*.mp3"))
    assert len(clips) >= 2  # the first of all, and one of the programme
    for clip in clips:
        assert clip.stem.endswith(hashlib.sha256(clip.read_bytes()).hexdigest()[:32])
        assert decode(clip).duration_s == 5.0
    left = {path.suffix for path in (tmp_path / "data").rglob("*") if path.is_file()}
    assert left == {".mp3", ".json", ".sqlite3", ".lock"}  # nothing half written, and the journal is in the file

    with closing(sqlite3.connect(tmp_path / "data" / "history.sqlite3")) as history:
        assert history.execute("pragma integrity_check").fetchone() == ("ok",)
        for station in ("piano", "guitar"):
            kinds = history.execute(
                "select kind from events join runs on runs.id = run where runs.station = ? order by events.rowid",
                (station,),
            ).fetchall()
            assert kinds[0] == ("piece",)
            assert kinds[-1] == ("end",)


def test_ctrl_c_ends_a_server_that_nobody_hears(server, tmp_path):
    process, port = server
    second = [sys.executable, "-m", "lullwave", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")]
    refused = subprocess.run(second, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert refused.returncode == 1
    assert f"process {process.pid} at http://127.0.0.1:{port}/" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    process.send_signal(signal.SIGINT)
    assert process.wait(HANG_S) in (0, 130, -signal.SIGINT)
