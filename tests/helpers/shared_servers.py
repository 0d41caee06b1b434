"""Servers of one store in this process, on one simulated clock, and the programme that they play."""

from __future__ import annotations

import time
from contextlib import ExitStack

import numpy as np
from radio_server import TIMEOUT_S, Served, serving
from sine_engine import SineEngine

from lullwave.clock import SimulatedClock
from lullwave.mastering import Master
from lullwave.request import Request
from lullwave.server.engine_pool import EnginePool
from lullwave.server.store.host import StationHost
from lullwave.settings import load
from lullwave.station import CHANNELS, RATE

STATIONS = [{"id": "piano", "seed": 7}]
ON_CLUSTER = {"synth": SineEngine, "cluster:synth": SineEngine}


class Shared:
    """Servers of one store on one simulated clock."""

    def __init__(self, stack: ExitStack, folder) -> None:
        self.clock = SimulatedClock()
        self._stack, self._folder = stack, folder
        self._count = 0

    def add(self, produce: bool = False, stack: ExitStack | None = None, **flags) -> Served:
        """Another server, until ``stack`` ends."""
        self._count += 1
        own = {"store": f"file://{self._folder}/store", "produce": produce, "stations": STATIONS, "reserve_s": 8.0}
        return (stack or self._stack).enter_context(
            serving(self._folder / f"server{self._count}", self.clock, **{**own, "store_ahead_s": 12.0, **flags})
        )

    def add_actor(self) -> StationHost:
        """What an actor of a cluster runs; each one is taken as the same actor, started again."""
        own = {"store": f"file://{self._folder}/store", "stations": STATIONS, "reserve_s": 8.0, "store_ahead_s": 12.0}
        settings = load({**own, "data_dir": self._folder / "actor", "cluster": "auto"})
        return StationHost(settings, "actor-1", EnginePool(ON_CLUSTER), self.clock)

    def until(self, holds, step_s: float = 0.25, most_s: float = 60.0) -> None:
        """Let time pass until something holds."""
        until = self.clock.now() + most_s
        real = time.monotonic() + TIMEOUT_S
        while not holds():
            assert self.clock.now() < until
            assert time.monotonic() < real
            self.clock.advance(step_s)
            time.sleep(0.002)  # for the event loops

    def run(self, seconds: float) -> None:
        until = self.clock.now() + seconds
        self.until(lambda: self.clock.now() >= until)


def channels(served: Served):
    return served.app.state.services.channels


def channel(served: Served):
    return channels(served).default


def programme(seconds: float) -> np.ndarray:
    """What one process without a store plays: (T, 2)."""
    master = Master(RATE, CHANNELS, -15.0, -1.0)
    return master.process(SineEngine().stream(Request("", 7)).read(round(seconds * RATE))).samples
