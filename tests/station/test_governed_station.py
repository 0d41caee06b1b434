"""A station with a slow engine: lighter options, stretches between fallbacks, trials of fuller options."""

from __future__ import annotations

from itertools import pairwise

import pytest
from faulty_engine import HZ, LIGHTER_HZ, SMALLER_HZ
from faulty_station import FaultyStation, hz_at

from lullwave.errors import CheckpointError, EngineError, EngineFailed, EngineLost
from lullwave.station import Tier
from lullwave.station.failover import Cause
from lullwave.station.governor import STRETCH_S, WAIT_S

pytestmark = pytest.mark.usefixtures("bare_playout")

FULL = 24.0
LIGHTER = {"hz": LIGHTER_HZ}
EVERY = {"hz": LIGHTER_HZ, "smaller": True}


def options_told(tape: FaultyStation) -> list[dict]:
    """The lighter options in force, as events told them."""
    told = [e.data["asked"] for e in tape.events if e.kind == "rung"]
    return [options for n, options in enumerate(told) if n == 0 or told[n - 1] != options]


def watched(tape: FaultyStation, seconds: int) -> float:
    """Play on; returns the lowest reserve."""
    lowest = FULL
    for _ in range(seconds):
        tape.play(1.0)
        lowest = min(lowest, tape.station.reserve_s)
    return lowest


def test_lighter_options_suffice_and_no_fallback_plays(clips, caplog):
    caplog.set_level("INFO")
    with FaultyStation(clips) as tape:
        tape.play(20)
        tape.fault.speed, tape.fault.speeds = 0.5, {LIGHTER_HZ: 0.7, SMALLER_HZ: 2.0}
        assert watched(tape, 60) > 7.0
        assert tape.fault.options == [{}, LIGHTER, EVERY]
        assert set(tape.tiers) <= {"engine", "reserve"}
        assert tape.station.failover.tier is Tier.PRIMARY
        assert tape.station.failover.cause is Cause.NONE
        assert (tape.station.lighter_level, tape.station.intermittent) == (2, False)
        assert tape.station.failover.data()["asked"] == EVERY
        # in the same state for long: every trial fails, fewer and fewer of them, and nobody hears any
        assert watched(tape, 600) > 11.0
        assert tape.station.lighter_level == 2
        assert 2 <= len(tape.fault.options) - 3 <= 4
        tape.fault.speed, tape.fault.speeds = 20.0, {}
        for _ in range(600):
            tape.play(1.0)
            if not tape.station.lighter_level:
                break
        tape.play(60)
        assert tape.station.lighter_level == 0
        assert tape.fault.options[-1] == {}
        tape.check()
        assert tape.station.failover.lighter_options == {}
    assert options_told(tape) == [{}, LIGHTER, EVERY, LIGHTER, {}]
    assert set(tape.tiers) <= {"engine", "reserve"}
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert said.index("lighter options: hz=550.0\n") < said.index("lighter options: hz=550.0, smaller=True")
    assert said.count("going on with") == 2
    assert "going on with its full options" in said


def test_after_a_low_reserve_the_engine_returns_only_when_it_keeps_up():
    with FaultyStation() as tape:
        tape.play(20)
        tape.fault.speed, tape.fault.speeds = 0.2, {LIGHTER_HZ: 0.4, SMALLER_HZ: 1.5}
        tape.play(90)
        tape.check()
        assert tape.station.lighter_level == 2
    told = [(e.data["rung"], e.data["cause"]) for e in tape.events if e.kind == "rung"]
    assert tape.tiers == ["engine", "reserve", "embedded", "engine"]  # and not off the air again at once
    assert told[-1] == ("engine", "none")


def test_an_engine_twice_as_fast_is_tried_with_fuller_options():
    with FaultyStation() as tape:
        tape.play(20)
        tape.fault.speed, tape.fault.speeds = 0.6, {LIGHTER_HZ: 1.4}
        tape.play(45)
        assert tape.station.lighter_level == 1
        tape.fault.speed, tape.fault.speeds = 5.0, {}
        tape.play(60)
        assert tape.station.lighter_level == 0
        tape.check()
    assert len(tape.fault.options) == 3


def test_an_engine_without_lighter_options_plays_in_stretches_shorter_if_slower(clips):
    stretches = {}
    for speed in (0.25, 0.6):
        with FaultyStation(clips) as tape:
            tape.play(20)
            tape.fault.speed = speed
            assert watched(tape, 250) > 1.5
            assert tape.station.intermittent
            assert tape.station.failover.cause is Cause.SLOW
            stretches[speed] = tape.station.failover.stretch_s
            tape.check()
            own = [e.frame for e in tape.events if e.kind == "piece" and "source" not in e.data and e.frame]
            waits = [(b - a) / 44100 for a, b in pairwise(own)]
            assert len(own) >= 3
            assert max(waits) < 2 * WAIT_S
        assert tape.fault.options[-1] == EVERY
    assert stretches[0.25] == pytest.approx(15.0, abs=1.0)
    assert stretches[0.6] == pytest.approx(STRETCH_S)


def test_an_engine_too_slow_at_its_lightest_plays_in_stretches(clips):
    with FaultyStation(clips) as tape:
        tape.play(20)
        tape.fault.speed = speed = 0.5
        lowest, at_stretches_s = 24.0, None
        for _ in range(400):
            tape.play(1.0)
            lowest = min(lowest, tape.station.reserve_s)
            if tape.station.intermittent and at_stretches_s is None:
                at_stretches_s = tape.station.reserve_s
        assert at_stretches_s is not None
        assert at_stretches_s > 6.0
        assert lowest > 3.0
        tape.check()
        rungs = tape.tiers
        assert rungs.count("engine") >= 2
        assert len(rungs) <= 40  # whole stretches
        assert tape.fault.options[-1] == EVERY  # less is asked for
        tape.fault.speed = 4.0
        tape.play(120)
        assert not tape.station.intermittent
        changes = len(tape.tiers)
        tape.play(120)
        assert tape.station.failover.tier is Tier.PRIMARY
        assert len(tape.tiers) == changes
        tape.check()
    share = sum(abs(hz_at(tape.sound, s) - SMALLER_HZ) < 9 for s in range(60, 400, 4)) / 85
    assert share == pytest.approx(speed, abs=0.2)


def test_an_engine_slow_from_the_beginning_does_not_oscillate():
    with FaultyStation(speed=0.8) as tape:
        tape.play(300)
        tape.check()
        assert len(tape.tiers) <= 12


@pytest.mark.parametrize(
    "error",
    [
        CheckpointError("the smaller model is damaged"),
        EngineError("it does not fit into memory"),
        RuntimeError("can't allocate memory"),
        EngineLost("the process was killed: out of memory"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_step_that_fails_is_left_out_and_the_engine_stays(error, caplog):
    with FaultyStation() as tape:
        tape.play(20)
        tape.fault.speed = 0.8
        tape.fault.refuses["smaller"] = error
        tape.play(200)
        tries = 3 if isinstance(error, EngineLost) else 1
        assert tape.fault.options.count(EVERY) == tries
        assert tape.station.times_lost == tries - 1
        assert tape.station.lighter_level == 1
        assert tape.station.intermittent
        tape.fault.speed = 20.0
        tape.play(150)
        assert tape.station.failover.tier is Tier.PRIMARY
        assert tape.station.lighter_level == 0
        tape.check()
    assert len([r for r in caplog.records if f"failed with smaller=True: {error}" in r.message]) == 1


def test_a_smaller_model_that_keeps_failing_is_left_out():
    with FaultyStation() as tape:
        tape.play(20)
        tape.fault.speed = 0.8
        tape.fault.breaks[SMALLER_HZ] = EngineFailed("no numbers")
        for _ in range(200):
            tape.play(1.0)
            if tape.station.times_lost:
                assert tape.station.failover.cause in (Cause.LOST, Cause.SLOW)
        assert (tape.station.lighter_level, tape.station.times_lost, tape.station.intermittent) == (1, 2, True)
        tape.check()


def test_an_engine_that_fails_with_any_options_still_gets_lighter_ones_later():
    with FaultyStation() as tape:
        tape.play(20)
        tape.fault.speed, tape.fault.speeds = 0.8, {SMALLER_HZ: 2.0}
        tape.play(70)
        assert tape.station.lighter_level == 2
        tape.fault.error = EngineFailed("it broke")
        tape.play(60)
        assert tape.station.lighter_level == 0
        tape.fault.error = None
        tape.until(Tier.PRIMARY, 320)
        tape.play(70)
        assert tape.station.lighter_level == 2
        tape.check()


def test_a_lost_engine_resumes_with_its_lighter_options():
    with FaultyStation() as tape:
        tape.play(20)
        tape.fault.speed, tape.fault.speeds = 0.6, {LIGHTER_HZ: 2.0}
        tape.play(50)
        tape.fault.error = EngineLost("gone")
        tape.play(40)
        tape.fault.error = None
        tape.until(Tier.PRIMARY)
        tape.play(10)
        assert tape.station.lighter_level == 1
        tape.check()
    assert tape.fault.options[1] == LIGHTER


def test_a_trial_that_hangs_is_not_heard_and_not_repeated_at_once():
    with FaultyStation() as tape:
        tape.play(20)
        tape.fault.speed, tape.fault.speeds = 0.6, {LIGHTER_HZ: 2.0}
        tape.play(40)
        assert tape.station.lighter_level == 1
        tape.fault.stuck.add(HZ)
        tape.play(330)  # twice the wait, and more
        assert tape.fault.options == [{}, LIGHTER, {}]
        assert (tape.station.lighter_level, tape.station.times_lost) == (1, 0)
        tape.fault.speed = 5.0
        tape.fault.stuck.clear()
        tape.play(30)
        assert tape.station.lighter_level == 0
        tape.check()
    assert set(tape.tiers) == {"engine", "reserve"}


def test_a_steer_request_during_a_trial_is_carried_out(clips):
    with FaultyStation(clips) as tape:
        tape.play(20)
        tape.fault.speed, tape.fault.speeds = 0.6, {LIGHTER_HZ: 2.0}
        for _ in range(120):
            tape.play(1.0)
            if tape.fault.options[-1] == {} and len(tape.fault.options) > 2:
                break
        assert tape.station.lighter_level == 1  # a trial has just begun
        request = tape.station.steer("another way", over_s=2.0)
        tape.play(10)
        assert request.result(10).frame < tape.station.edge
        tape.play(60)
        assert tape.station.prompt == "another way"
        tape.check(0.1)


def test_an_engine_that_works_in_long_windows_plays_on_without_a_word():
    with FaultyStation(speed=1.5, window_s=24.0) as station:
        station.play(90)
        told = len(station.tiers)
        station.play(150)
        assert station.tiers[told - 1 :] == ["engine"]
        assert station.station.lighter_level == 0
        station.check()


def test_an_engine_too_slow_in_windows_gets_lighter_options_and_then_plays_on():
    speeds = {LIGHTER_HZ: 1.6, SMALLER_HZ: 1.6}
    with FaultyStation(speed=0.8, speeds=speeds, window_s=24.0) as station:
        station.play(240)
        assert station.station.lighter_level > 0
        told = len(station.tiers)
        station.play(120)
        assert set(station.tiers[told - 1 :]) <= {"engine", "reserve"}
        station.check()
