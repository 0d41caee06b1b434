"""Minutes of a station with the embedded engine, on a simulated clock: the decoded stream is whole and clean."""

import numpy as np
import pytest
from recorded_station import RecordedStation

from bench.embedded.estimators import clicks, clipped_samples, longest_gap_s
from lullwave.codecs import decode
from lullwave.engines.synth.engine import SynthEngine
from lullwave.server.engine_pool import EnginePool
from lullwave.station.adapter import RATE


@pytest.mark.parametrize("minutes", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_the_embedded_engine_on_air_has_no_gap_no_click_and_no_clipped_sample(minutes):
    """Crackle is clicks on purpose, so the prompt leaves it out; all else is as on air, through master and codec."""
    tape = RecordedStation(prompts=("calm lo-fi, no crackle",), engines=EnginePool({"synth": SynthEngine}))
    with tape:
        for _ in range(6 * minutes):
            tape.play(10)
    pieces = [e.frame for e in tape.events if e.kind == "piece"]
    joins = [frame for frame in pieces if 0 < frame < len(tape.sound) - 10 * RATE]
    assert len(joins) >= minutes // 4
    sound = decode(tape.mp3).samples
    assert len(sound) > (60 * minutes - 1) * RATE
    assert clipped_samples(sound) == 0
    assert longest_gap_s(sound, RATE) < 0.05  # below -60 dBFS
    assert clicks(sound, RATE) == []
    spoilt = sound[joins[0] - RATE : joins[0] + RATE].copy()
    spoilt[RATE:] += np.float32(0.1)  # a step where the pieces meet would be found
    assert clicks(spoilt, RATE) != []
