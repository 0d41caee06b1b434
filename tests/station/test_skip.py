"""A skipped piece: another one follows within seconds, by a crossfade, and nothing else changes."""

import numpy as np
import pytest
from faulty_station import FaultyStation
from recorded_station import RecordedStation
from sine_engine import RATE

from lullwave.errors import EngineLost
from lullwave.station import Tier

pytestmark = pytest.mark.usefixtures("bare_playout")


def pieces(tape) -> list[int]:
    return [event.frame for event in tape.events if event.kind == "piece"]


def test_another_piece_follows_within_seconds_and_the_prompt_stays():
    tape = FaultyStation()
    assert not tape.station.skip()  # nothing is on air yet
    with tape:
        tape.play(6)
        tape.station.steer("brighter").result(30)
        tape.play(2)
        asked = tape.station.edge
        assert tape.station.skip()
        tape.play(30)
        first = pieces(tape)[1]
        assert 1.5 * RATE <= first - asked <= 5 * RATE
        assert pieces(tape)[2] - first == 20 * RATE  # it is a whole piece, from its beginning
        assert (tape.station.prompt, tape.station.steered) == ("brighter", True)
        assert tape.fault.opened.count("stream") == 2
        assert tape.station.times_lost == 0
        assert [tier for tier in tape.tiers if tier not in ("engine", "reserve")] == []
        tape.check()


def test_skipping_again_and_again_never_breaks_the_music():
    with FaultyStation() as tape:
        tape.play(10)
        for pause_s in (0.1, 0.1, 1, 3, 6, 12):
            tape.station.skip()
            tape.play(pause_s)
        tape.play(30)
        assert tape.station.failover.tier is Tier.PRIMARY
        tape.check()


def test_a_fallback_is_skipped_too(clips):
    with FaultyStation(clips) as tape:
        tape.play(20)
        tape.fault.error = EngineLost("gone")
        tape.until(Tier.ARCHIVE)
        tape.play(8)
        before = len(pieces(tape))
        assert tape.station.skip()
        tape.play(14)
        assert len(pieces(tape)) > before
        tape.check(bound=0.1)


def test_the_embedded_engine_skips_without_any_other():
    with RecordedStation(reserve_s=24.0) as tape:
        tape.play(5)
        tape.station.skip()
        tape.play(20)
        assert len(pieces(tape)) == 2
        assert np.abs(tape.sound).max() < 1
        assert tape.station.late_s <= 1e-6
