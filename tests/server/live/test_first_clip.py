"""The first clip of a new installation: mastered from its first frame, tagged, and given up when the server stops."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import av
import pytest
from sine_engine import RATE, SineEngine

from lullwave.codecs import decode
from lullwave.mastering import loudness_lufs
from lullwave.request import Request
from lullwave.server.live.first_clip import first_clip
from lullwave.settings import load

REQUEST = Request("a tone", 7, 24.0)


def test_it_is_as_long_as_requested_at_the_station_s_loudness_and_says_what_it_is():
    settings = load({"loudness_lufs": -18.0})
    with ThreadPoolExecutor(1) as executor:
        data = first_clip(SineEngine(), REQUEST, settings, executor, threading.Event())
    made = decode(data)
    assert made.duration_s == pytest.approx(24.0, abs=1e-3)
    assert loudness_lufs(made[12 * RATE : 22 * RATE]) == pytest.approx(-18.0, abs=1.0)  # the gain has settled
    with av.open(io.BytesIO(data)) as file:
        assert file.metadata["title"] == "Tone 0"
        facts = json.loads(file.metadata["comment"])
    assert (facts["generated"], facts["prompt"], facts["seed"]) == (True, "a tone", 7)
    assert facts["engine"] == SineEngine.name


def test_a_server_that_stops_makes_none():
    stopping = threading.Event()
    stopping.set()
    with ThreadPoolExecutor(1) as executor:
        assert first_clip(SineEngine(), REQUEST, load({}), executor, stopping) is None
