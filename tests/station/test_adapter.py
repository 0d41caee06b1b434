"""The adapter between an engine's stream and the station refuses sound that cannot be aired."""

import numpy as np
import pytest
from sine_engine import RATE, SineEngine

from lullwave.audio import Audio
from lullwave.errors import EngineFailed
from lullwave.request import Request
from lullwave.station.adapter import StationStream


def test_sound_that_cannot_be_aired_is_an_engine_failure():
    class Nan(SineEngine):
        def open(self, request):
            stream = super().open(request)
            stream.read = lambda frames: Audio(np.full((frames, 2), np.nan, np.float32), RATE)
            return stream

    with pytest.raises(EngineFailed, match="not finite"):
        StationStream(Nan().stream(Request()), 0).read(10)
    with pytest.raises(EngineFailed, match="ended"):
        StationStream(SineEngine().stream(Request(duration_s=1)), 0).read(2 * RATE)
