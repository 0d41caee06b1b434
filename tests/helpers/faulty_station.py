"""A recorded station whose engine fails on command."""

import numpy as np
from faulty_engine import Fault, faulty
from recorded_station import RecordedStation, clicks
from sine_engine import RATE, SineEngine

from lullwave.clock import SimulatedClock
from lullwave.server.engine_pool import EnginePool
from lullwave.station import ArchiveEngine, Tier

CLIP_HZ = 440.0
WAITED_S = 120.0  # longer than the engine waits at once
STEP = 0.03  # of the second difference: the steepest is a tone of 440 Hz at 0.4, 0.0016; a click is ten times that


class FaultyStation(RecordedStation):
    """A station of an engine that does what ``fault`` says, and the tiers that it was on."""

    def __init__(self, clips=None, **faults):
        self.fault = Fault(SimulatedClock(), **faults)
        engines = EnginePool({"synth": SineEngine, "faulty": faulty(self.fault)})
        super().__init__("faulty", engines=engines, archive=clips and ArchiveEngine(clips))
        self.fault.clock = self.clock

    def __exit__(self, *exc):
        self.station.stop()
        self.fault.hangs = False
        self.fault.stuck.clear()
        self.clock.advance(WAITED_S)  # an engine that waits by this clock would be waited for in vain
        self.station.join()

    @property
    def tiers(self) -> list[str]:
        found = [e.data["rung"] for e in self.events if e.kind == "rung"]
        return [tier for n, tier in enumerate(found) if n == 0 or found[n - 1] != tier]

    def until(self, tier: Tier, limit_s: float = 120.0) -> float:
        """Play until the station is on ``tier``; returns the seconds that took."""
        began = self.clock.now()
        while self.station.failover.tier is not tier:
            assert self.clock.now() < began + limit_s, f"not {tier} after {limit_s} s"
            self.play(0.25)
        return self.clock.now() - began

    def check(self, bound: float = STEP) -> None:
        """Nothing came late, nothing was silent, no click, and every frame went on air once."""
        assert self.station.late_s <= 1e-6
        frames = [a.block.frame for a in self.steps]
        assert frames == list(np.cumsum([0, *[len(a.block.samples) for a in self.steps[:-1]]]))
        window = RATE // 100
        sound = self.sound[: len(self.sound) // window * window, 0].reshape(-1, window)
        assert np.sqrt(np.mean(sound**2, axis=1)).min() > 0.01
        assert clicks(self.sound) < bound


def hz_at(sound: np.ndarray, second: float) -> float:
    part = sound[round(second * RATE) : round((second + 0.5) * RATE), 0]
    return float(np.argmax(np.abs(np.fft.rfft(part * np.hanning(len(part)), RATE))))
