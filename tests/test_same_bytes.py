"""One request, three ways: the command line, HTTP and Python write the same bytes, tags and loudness included."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import cache

import av
import numpy as np
import pytest
from typer.testing import CliRunner

import lullwave
from lullwave.blocks import WHOLE_S, ClipFormat
from lullwave.cli.app import app
from lullwave.codecs import FORMATS
from lullwave.engines import load_engine
from lullwave.mastering import loudness_lufs
from lullwave.request import Request

WORDS = "rainy night piano, Zoë"
SHORT_S = 2.0  # mastered whole
LONG_S = WHOLE_S + 0.5  # mastered block by block


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of its own process; its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    data = tmp_path_factory.mktemp("data")
    command = [sys.executable, "-m", "lullwave", "serve", "--port", str(port), "--data-dir", str(data)]
    command += ["--clip-s", "5", "--max-awake", "8"]  # a short first clip, and nothing measured
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=data)
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(address + "/healthz", timeout=10).close()
            break
        except OSError:
            assert process.poll() is None, "the server ended"
            time.sleep(0.1)
    yield address
    process.terminate()
    process.wait(30)


@cache
def clip(seconds: float) -> lullwave.Audio:
    """The clip by Python."""
    return lullwave.generate(WORDS, seconds=seconds, seed=7)


def three_ways(server, folder, name: str, seconds: float) -> list[bytes]:
    """The same clip by the command line, by HTTP and by Python. The long one's command is a process of its own."""
    path = folder / f"clip{FORMATS[name].suffix}"
    words = ["generate", WORDS, "-s", str(seconds), "--seed", "7", "-q", "-o", str(path)]
    if seconds == LONG_S:
        subprocess.run([sys.executable, "-m", "lullwave", *words], check=True, env=os.environ, cwd=folder)
    else:
        assert CliRunner().invoke(app, words).exit_code == 0
    body = {"prompt": WORDS, "seed": 7, "duration_s": seconds, "format": name}
    asked = urllib.request.Request(
        server + "/api/generate", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=300) as reply:
        by_http = reply.read()
    saved = clip(seconds).save(folder / f"python{FORMATS[name].suffix}")
    return [path.read_bytes(), by_http, saved.read_bytes()]


@pytest.mark.parametrize(("name", "seconds"), [*((name, SHORT_S) for name in FORMATS), ("mp3", LONG_S)])
def test_the_bytes_are_the_same_and_say_what_they_are(server, tmp_path, name, seconds):
    by_command, by_http, by_python = three_ways(server, tmp_path, name, seconds)
    assert by_command == by_http == by_python
    with av.open(str(tmp_path / f"clip{FORMATS[name].suffix}")) as file:
        stream = file.streams.audio[0]
        tags = {key.lower(): text for key, text in {**stream.metadata, **file.metadata}.items()}
    assert tags["artist"] == "Lullwave"
    assert tags["title"] not in ("", WORDS)  # the piece has a name of its own
    comment = tags.get("comment") or tags["description"]
    assert json.loads(comment) == {
        "generated": True,
        "prompt": WORDS,
        "seed": 7,
        "engine": "synth",
        "version": lullwave.__version__,
    }
    assert not {"date", "year", "creation_time", "tdrc"} & set(tags)
    decoded = lullwave.Audio.load(tmp_path / f"clip{FORMATS[name].suffix}")
    assert decoded.duration_s == pytest.approx(seconds, abs=1e-4)


def test_a_short_clip_has_its_loudness_and_one_gain():
    seconds = 5.0
    assert loudness_lufs(clip(seconds)) == pytest.approx(ClipFormat().lufs, abs=0.1)
    made = lullwave.generate(WORDS, seconds=seconds, seed=7, lufs=-26.0)  # so low that the limiter does nothing
    with load_engine("synth") as engine, engine.open(Request(WORDS, 7, seconds)) as stream:
        unmastered = np.concatenate([block.samples for block in stream])
    half = made.rate // 2
    powers = [np.mean(sound.reshape(-1, half * 2) ** 2, axis=1) for sound in (made.samples, unmastered)]
    gains_db = 10 * np.log10(powers[0] / powers[1])
    assert np.ptp(gains_db) < 0.5
    assert made.duration_s < WHOLE_S
