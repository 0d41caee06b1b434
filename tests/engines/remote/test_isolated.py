"""An engine in a process of its own: the same music; its death is a lost connection; it dies with its parent."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import numpy as np
import pytest

from lullwave import Request, load_engine
from lullwave.errors import EngineLost, InvalidInput, UnknownEngine

WISH = Request("rainy night piano", 7)


def wait_for_end(pid: int) -> None:
    """Until a process that is not our child is gone."""
    handle = os.pidfd_open(pid)
    assert select.select([handle], [], [], 30)[0]
    os.close(handle)


def test_it_is_killed_starts_again_and_goes_on_with_the_same_samples():
    with load_engine("isolated:synth", cache_mb=30) as engine, load_engine("synth") as inside:
        assert engine.name == "isolated:synth"
        assert (engine.options, engine.behind.name) == (inside.options, "synth")
        stream, local = engine.stream(WISH), inside.stream(WISH)
        assert np.array_equal(stream.read(50000).samples, local.read(50000).samples)
        snapshot, first = stream.snapshot(), engine.child.pid
        os.kill(first, signal.SIGKILL)
        with pytest.raises(EngineLost):  # noqa: PT012
            while True:
                stream.read(44100)
        with engine.child._changed:
            assert engine.child._changed.wait_for(lambda: engine.child.starts == 2 and engine.child._url, 30)
        assert engine.child.pid != first
        with engine.restore(snapshot) as again:
            assert np.array_equal(again.read(50000).samples, local.read(50000).samples)
        second = engine.child.pid
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def test_it_dies_with_its_parent_however_that_dies():
    code = (
        "import os, signal; from lullwave import load_engine\n"
        "engine = load_engine('isolated:synth'); engine.behind; print(engine.child.pid, flush=True); input()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    os.kill(pid, 0)
    parent.kill()
    parent.communicate()
    wait_for_end(pid)


def test_wrong_names_and_options_are_refused_here():
    with pytest.raises(UnknownEngine):
        load_engine("isolated:kazoo")
    with pytest.raises(InvalidInput, match="cache_mb"):
        load_engine("isolated:synth", cache_mb=0)
