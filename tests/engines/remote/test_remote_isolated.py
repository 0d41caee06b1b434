"""An engine in a process of its own: the same music; its death is a lost connection; it dies with its parent."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from lullwave import Request, load_engine
from lullwave.engines.remote.process import EngineProcess
from lullwave.errors import EngineLost, InvalidInput, StreamClosed, UnknownEngine

REQUEST = Request("rainy night piano", 7)


def wait_for_end(pid: int) -> None:
    """Until a process that is not our child is gone."""
    handle = os.pidfd_open(pid)
    assert select.select([handle], [], [], 30)[0]
    os.close(handle)


def test_it_is_killed_starts_again_and_goes_on_with_the_same_samples():
    with load_engine("isolated:synth", cache_mb=30) as engine, load_engine("synth") as inside:
        assert engine.name == "isolated:synth"
        assert (engine.options, engine.engine_info.name) == (inside.options, "synth")
        stream, local = engine.stream(REQUEST), inside.stream(REQUEST)
        assert np.array_equal(stream.read(50000).samples, local.read(50000).samples)
        snapshot, first = stream.snapshot(), engine.process.pid
        os.kill(first, signal.SIGKILL)
        with pytest.raises(EngineLost):  # noqa: PT012
            while True:
                stream.read(44100)
        with engine.process._changed:
            assert engine.process._changed.wait_for(lambda: engine.process.starts == 2 and engine.process._url, 30)
        assert engine.process.pid != first
        with engine.restore(snapshot) as again:
            assert np.array_equal(again.read(50000).samples, local.read(50000).samples)
        second = engine.process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def test_it_dies_with_its_parent_however_that_dies():
    code = (
        "import os, signal; from lullwave import load_engine\n"
        "engine = load_engine('isolated:synth'); engine.engine_info; print(engine.process.pid, flush=True); input()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    os.kill(pid, 0)
    parent.kill()
    parent.communicate()
    wait_for_end(pid)


def test_the_reason_for_its_end_is_told_and_said(capfd, tmp_path):
    with load_engine("isolated:musicgen", model=str(tmp_path)) as engine:  # an empty folder
        with pytest.raises(EngineLost, match=r"status 1: .*config\.json"):
            engine.stream(REQUEST)
        engine.process.close()
    assert "lullwave: " in capfd.readouterr().err


def test_a_child_that_loads_is_waited_for_and_closing_ends_the_wait():
    class Silent(EngineProcess):
        """Its process runs, and is never heard of."""

        def _arguments(self):
            return [*super()._arguments(), "--host", "127.0.0.2"]

    child = Silent("synth", {})
    caught = []

    def ask():
        with pytest.raises(StreamClosed):
            child.address()
        caught.append(True)

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join(0.5)
    assert asking.is_alive()
    child.close()
    asking.join(30)
    assert caught


def test_a_machine_that_has_no_room_for_it_is_asked_again(monkeypatch):
    real, tries = subprocess.Popen, []

    def full(*args, **how):
        tries.append(args)
        if len(tries) == 1:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return real(*args, **how)

    monkeypatch.setattr("lullwave.engines.remote.process.subprocess.Popen", full)
    with load_engine("isolated:synth") as engine:
        with engine.process._changed:
            assert engine.process._changed.wait_for(lambda: engine.process._url, 30)
        with engine.stream(REQUEST) as stream:
            assert stream.read(100).frames == 100
    assert len(tries) == 2


def test_wrong_names_and_options_are_refused_here():
    with pytest.raises(UnknownEngine):
        load_engine("isolated:kazoo")
    with pytest.raises(InvalidInput, match="cache_mb"):
        load_engine("isolated:synth", cache_mb=0)
