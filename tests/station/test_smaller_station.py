"""A station with a slow MusicGen plays its smaller model meanwhile; both are real checkpoints of random weights."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from recorded_station import RecordedStation
from sine_engine import SineEngine

from lullwave.clock import FOREVER
from lullwave.engines.musicgen.engine import MusicGenEngine
from lullwave.engines.musicgen.model.random_checkpoint import write_random
from lullwave.engines.smaller import MAGIC, with_smaller
from lullwave.server.engine_pool import EnginePool
from lullwave.station import Tier
from lullwave.station.failover import Cause

pytestmark = pytest.mark.usefixtures("bare_playout")

HOW = {"device": "cpu", "threads": 1, "max_songs": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    write_random("musicgen-tiny-stereo", folder / "large", 1)
    write_random("musicgen-tiny", folder / "small", 2)
    return folder


def test_the_smaller_model_plays_while_the_large_one_is_too_slow(folder):
    speeds = {"large": FOREVER, "small": FOREVER}
    begun = []

    class Dragged(MusicGenEngine):
        """Each read takes at least as long as it is told, by the station's clock."""

        def __init__(self, model):
            super().__init__(model=str(folder / model), **HOW)
            self.model = model

        def open(self, request, **heard):
            begun.append((self.model, dict(request.options)))
            stream = super().open(request, **heard)
            own_read = stream.read

            def read(frames):
                waiter = tape.clock.waiter()
                waiter.wait_until(tape.clock.now() + frames / stream.rate / speeds[self.model])
                waiter.close()
                return own_read(frames)

            stream.read = read
            return stream

    class Pair(with_smaller(Dragged)):
        def __init__(self):
            super().__init__(load_smaller=lambda: Dragged("small"), model="large")

    pool = EnginePool({"synth": SineEngine, "model": Pair})
    tape = RecordedStation("model", engines=pool, reserve_s=32)
    try:
        with tape:
            tape.play(5)
            assert not pool.get("model").smaller_loaded
            speeds["large"] = 0.6
            lowest = 32.0
            for _ in range(120):
                tape.play(1.0)
                lowest = min(lowest, tape.station.reserve_s)
                if tape.station.failover.lighter_options.get("smaller") and tape.station.failover.cause is Cause.NONE:
                    break
            asked = tape.station.failover.lighter_options
            assert asked == {"window_s": 10.0, "guidance": 1.0, "smaller": True}
            assert tape.station.failover.tier is Tier.PRIMARY
            assert lowest > 8.0  # else another would have been heard
            models = [model for model, _ in begun]
            assert models == ["large", "large", "large", "small"]
            assert [len(options) for _, options in begun] == [0, 1, 2, 2]
            tape.play(tape.station.reserve_s)
            states = [state for one in tape.steps for state in one.block.restore_points]
            assert any(state.snapshot.startswith(MAGIC) for state in states)  # the history can make it again
            assert {one.data["rung"] for one in tape.events if one.kind == "rung"} <= {"engine", "reserve"}
            assert tape.station.late_s <= 1e-6
            assert np.isfinite(tape.sound).all()
    finally:
        pool.close()
