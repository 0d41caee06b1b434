"""``lullwave replay`` makes what a server has kept, with no server: its own engines, clips of earlier, odd times."""

import json
import os
import subprocess

import av
import numpy as np
import pytest
from forked_program import run_forked

from lullwave.archive.clips import ClipStore
from lullwave.archive.history import History, SavedState
from lullwave.audio import Audio
from lullwave.codecs import decode, encode
from lullwave.engines import load_engine
from lullwave.mastering import Master
from lullwave.paths import DataPaths
from lullwave.request import Request
from lullwave.station import RATE, ArchiveEngine
from lullwave.station.output import OutputLevels
from lullwave.station.replay import replay

BEGAN = 1_700_000_000.0


def run(tmp_path, *arguments):
    done = run_forked(["replay", *arguments, "--data-dir", tmp_path], os.environ, tmp_path)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def kept(tmp_path, engine):
    """A history that begins with the beginning of a stream of ``engine``; what is heard of it from 1 s to 3 s."""
    with engine.stream(Request("felt piano", seed=3)) as stream:
        snapshot = stream.snapshot()
    history = History(DataPaths(tmp_path).history, 1e9)
    begun = history.begin_run("piano", BEGAN, RATE, -15.0, -1.0)
    history.add_epoch(begun, 0, BEGAN)
    history.add_event(begun, 0, "piece", {"title": "Felt", "prompt": "felt piano"})
    history.add_event(begun, 9 * RATE, "piece", {"title": "Later", "prompt": "felt piano"})
    history.add_state(begun, SavedState(0, engine.name, snapshot, 0, 0, 0, Master(RATE, 2, -15.0, -1.0).state()))
    moment = history.moment("piano", BEGAN + 1)
    states = history.states(moment, 3 * RATE)
    history.close()
    return replay(states, moment.frame, 2 * RATE, OutputLevels(), lambda name: engine)[0].samples


@pytest.mark.parametrize("name", ["synth", "recycled"])
def test_a_moment_is_made_as_the_server_makes_it(tmp_path, name):
    if name == "recycled":
        tone = 0.3 * np.sin(np.arange(20 * RATE) * 2 * np.pi * 330 / RATE).astype(np.float32)
        store = ClipStore(DataPaths(tmp_path).clips("piano"), 10, 1e9)
        store.add(encode(Audio(np.stack([tone, tone], 1), RATE), "mp3", 192))
        engine = ArchiveEngine(store)
    else:
        engine = load_engine(name)
    expected = kept(tmp_path, engine)
    ran = run(tmp_path, "piano", str(BEGAN + 1), "-o", "then.wav", "--seconds", "2")
    assert ran.returncode == 0, ran.stderr
    assert "similar" not in ran.stdout
    assert np.abs(expected).max() > 0.01
    made = decode(tmp_path / "then.wav").samples
    np.testing.assert_allclose(made, expected, atol=2 / 65536)
    with av.open(str(tmp_path / "then.wav")) as file:
        assert (file.metadata["title"], file.metadata["artist"]) == ("Felt", "Lullwave")
        told = json.loads(file.metadata["comment"])
    assert (told["generated"], told["prompt"], told["engine"]) == (True, "felt piano", name)


@pytest.mark.parametrize("time", ["nan", "inf", "0001-01-01", "yesterday"])
def test_a_time_that_is_none_is_refused_in_words(tmp_path, time):
    ran = run(tmp_path, "piano", time)
    assert ran.returncode != 0
    assert f"TIME: got '{time}'" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
