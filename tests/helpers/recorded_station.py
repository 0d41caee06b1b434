"""A station on a simulated clock that records everything it airs."""

import numpy as np
from sine_engine import BrokenEngine, SineEngine, SlowRateEngine

from lullwave.clock import SimulatedClock
from lullwave.server.engine_pool import EnginePool
from lullwave.settings import load
from lullwave.settings.stations import StationSettings
from lullwave.station import Output, Station

ENGINES = {"synth": SineEngine, "broken": BrokenEngine, "slow-rate": SlowRateEngine}


class RecordedStation:
    """A station with a listener, and everything that it aired."""

    def __init__(
        self,
        engine: str = "synth",
        prompts=("a tone",),
        engines=None,
        archive=None,
        hours=None,
        clock=None,
        forked=None,
        output=Output,
        **changes,
    ):
        self.clock = clock or SimulatedClock()
        settings = load({"log_level": "error", **changes})
        own = StationSettings(id="test", engine=engine, seed=1, prompts=prompts, hours=hours or {})
        pool = engines or EnginePool(ENGINES)
        self.station = Station(own, settings, pool.get, self.clock, archive, forked=forked, output=output)
        self.steps, self.events = [], []
        self._joined: list[np.ndarray] = []  # one array: the sound of the first ``_steps_joined`` steps
        self._steps_joined = 0
        self.station.subscribe(self.steps.append, self.events.append)

    def __enter__(self):
        self.station.set_listening(True)
        return self

    def __exit__(self, *exc):
        self.station.stop()
        self.station.join()

    def play(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @property
    def sound(self) -> np.ndarray:
        """The music that left the reserve, from frame 0, before mastering."""
        new = self.steps[self._steps_joined :]
        if new or not self._joined:
            self._joined = [np.concatenate([*self._joined, *[a.block.samples for a in new]])]
            self._steps_joined += len(new)
        return self._joined[0]

    @property
    def mp3(self) -> bytes:
        return b"".join(a.chunk.data for a in self.steps)


def clicks(samples: np.ndarray) -> float:
    """The largest second difference of a signal of low tones: a step shows as a spike."""
    return float(np.max(np.abs(np.diff(samples[:, 0], 2))))
