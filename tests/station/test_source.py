"""A source may be asked how far ahead it is while its own thread changes that."""

import sys
import threading

import numpy as np

from lullwave.clock import SystemClock
from lullwave.station.reserve import Block
from lullwave.station.source import Source


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
