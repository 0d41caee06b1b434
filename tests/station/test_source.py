"""A source: its look-ahead while it changes, and a stream whose snapshot is of another version of the engine."""

import json
import logging
import struct
import sys
import threading
import zlib

import numpy as np
import pytest

from lullwave.clock import SystemClock
from lullwave.engines.synth import snapshots
from lullwave.engines.synth.engine import SynthEngine
from lullwave.errors import SnapshotError
from lullwave.request import Request
from lullwave.station.reserve import Block
from lullwave.station.source import Source, StreamSnapshot, resume


def test_look_ahead_can_be_read_while_it_changes():
    stop = threading.Event()

    def opener(source):
        stop.wait(30)
        raise RuntimeError("never opened")

    source = Source("x", opener, SystemClock(), lambda: None)
    block = Block(0, np.zeros((10, 2), np.float32))
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def change():
        while not stop.is_set():
            with source._lock:
                source._blocks.append(block)
            source.take()

    with source._lock:
        source._blocks.extend([block] * 50)
    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(3000):
            assert source.ahead_s > 0
    finally:
        stop.set()
        changing.join()
        sys.setswitchinterval(switch)
        source.close()
        assert source.join(10)


def of_the_version_before(snapshot):
    """The same snapshot, as if the engine before this one had made it."""
    body = snapshot[snapshots._HEAD.size :]
    (length,) = struct.unpack_from("<I", body)
    words = json.loads(body[4 : 4 + length])
    words["version"] -= 1
    told = json.dumps(words).encode()
    body = struct.pack("<I", len(told)) + told + body[4 + length :]
    return snapshots._HEAD.pack(snapshots.MAGIC, zlib.crc32(body), len(body)) + body


def test_a_snapshot_of_an_older_version_begins_a_new_stream_and_says_so(caplog):
    request = Request("rhodes", 3)
    engine = SynthEngine(cache_mb=20)
    with engine.stream(request) as stream:
        stream.read(1000)
        older = of_the_version_before(stream.snapshot())
    before = snapshots.VERSION - 1
    with pytest.raises(SnapshotError, match=f"version {before}; allowed: .synth. version {snapshots.VERSION}"):
        engine.restore(older)
    opener = resume(lambda: engine, StreamSnapshot(1000, older, "rhodes"), 2000, request)
    source = Source("x", opener, SystemClock(), lambda: None)
    with caplog.at_level(logging.WARNING, "lullwave.station.source"):
        opened = opener(source)
    assert opened.stream.position == 0
    assert not source.resumed
    assert f"starting a new stream: snapshot: made by engine 'synth' version {before}" in caplog.text
    opened.stream.close()
