"""What one thread reads of a reader while another changes it is always there to be read."""

import sys
import threading

import numpy as np

from lullwave.clock import SystemClock
from lullwave.station.reserve import Block
from lullwave.station.source import Source


def test_how_far_ahead_it_is_can_be_asked_while_it_changes():
    stop = threading.Event()

    def opening(reader):
        stop.wait(30)
        raise RuntimeError("never opened")

    reader = Source("x", opening, SystemClock(), threading.Condition(), lambda: None)
    block = Block(0, np.zeros((10, 2), np.float32))
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def change():
        while not stop.is_set():
            with reader._lock:
                reader._blocks.append(block)
            with reader._lock:
                reader.take()

    with reader._lock:
        reader._blocks.extend([block] * 50)
    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(3000):
            assert reader.ahead_s > 0
    finally:
        stop.set()
        changing.join()
        sys.setswitchinterval(switch)
        reader.close()
        assert reader.join(10)
