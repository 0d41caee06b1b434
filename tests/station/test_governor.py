"""The governor: what is asked of an engine that is too slow, in which order, and how all of it is undone."""

from __future__ import annotations

from itertools import pairwise

import pytest
from bare_air import bare_air  # noqa: F401
from faulty import HZ, LIGHTER_HZ, SMALLER_HZ
from test_faults import Faulty, clips, hz_at  # noqa: F401

from lullwave.errors import CheckpointError, EngineError, EngineFailed, EngineLost
from lullwave.station import Tier
from lullwave.station.failover import Cause
from lullwave.station.governor import (
    BARRED_S,
    EVEN_S,
    FAST,
    FIRST_S,
    LONGEST_S,
    PAUSE_S,
    RETURN_S,
    SHORTEST_S,
    STRETCH_S,
    TRIED_S,
    TRUST_S,
    WAIT_S,
    Governor,
    Move,
    Pace,
)

FULL = 24.0
LIGHTER = {"hz": LIGHTER_HZ}
EVERY = {"hz": LIGHTER_HZ, "smaller": True}


def pace(speed: float, made_s: float = 60.0) -> Pace:
    return Pace(speed, made_s)


def eased(levels: int, now: float = 0.0, speed: float = 0.8) -> Governor:
    """A governor that has asked for less that many times."""
    governor = Governor(lighter=2)
    for _ in range(levels):
        assert governor.look(now, pace(speed), 10.0, FULL, heard=True) is Move.LESS
    return governor


def test_it_begins_in_time_asks_for_less_step_by_step_and_does_not_waver():
    governor = Governor(lighter=2)
    for reserve_s in (24.0, 20.0, 18.0):
        assert governor.look(0.0, pace(0.9), reserve_s, FULL, heard=True) is Move.STAY
    assert governor.look(0.0, pace(0.9, EVEN_S / 2), 10.0, FULL, heard=True) is Move.STAY  # too little was measured
    assert governor.look(0.0, pace(0.9), 17.9, FULL, heard=True) is Move.LESS
    assert (governor.level, governor.sharing, governor.unproven) == (1, False, True)
    assert governor.look(9.0, pace(0.95, EVEN_S / 2), 9.0, FULL, heard=True) is Move.STAY  # the new stream begins
    assert governor.look(9.0, pace(0.95), 9.0, FULL, heard=True) is Move.LESS
    assert governor.look(20.0, pace(0.98), 12.1, FULL, heard=True) is Move.STAY
    assert governor.look(20.0, pace(0.98), 11.9, FULL, heard=True) is Move.STRETCHES
    assert (governor.level, governor.sharing) == (2, True)
    for speed in (1.0, 1.1, 1.2, 0.9, FAST):
        assert governor.look(30.0, pace(speed), 24.0, FULL, heard=True) is Move.STAY
        assert governor.margin_s(pace(speed), replaced=True, empty=False) == STRETCH_S
    assert governor.look(40.0, pace(1.3), 3.0, FULL, heard=False) is Move.WHOLE
    for speed in (1.2, 1.1, 1.0):
        assert governor.look(50.0, pace(speed), 3.0, FULL, heard=True) is Move.STAY
    assert governor.level == 2
    assert not governor.unproven


def test_one_read_that_hung_is_not_slowness():
    governor = Governor(lighter=1)
    for late, move in ((1.0, Move.STAY), (1.95, Move.LESS)):
        assert governor.look(0.0, Pace(0.3, 60.0, late), 6.0, FULL, heard=True) is move


def test_who_is_not_heard_is_asked_for_less_at_once():
    governor = Governor(lighter=1)
    assert governor.look(0.0, pace(0.9), FULL, FULL, heard=False) is Move.LESS
    assert governor.look(9.0, pace(0.9), FULL, FULL, heard=False) is Move.STAY  # nobody waits: no stretches either


def test_the_slower_it_is_the_shorter_are_its_stretches():
    governor = Governor()
    lengths = [governor.stretch_s(pace(speed)) for speed in (1.2, 0.6, 0.4, 0.3, 0.2, 0.1, 0.01)]
    assert lengths == sorted(lengths, reverse=True)
    assert (lengths[0], lengths[-1]) == (STRETCH_S, SHORTEST_S)
    for speed in (0.5, 0.4, 0.3, SHORTEST_S / WAIT_S):
        assert governor.stretch_s(pace(speed)) / speed == pytest.approx(WAIT_S)  # nobody waits longer than that
    governor.sharing = True
    assert governor.margin_s(pace(0.3), replaced=False, empty=True) == governor.stretch_s(pace(0.3))
    governor.sharing = False
    assert governor.margin_s(pace(0.3), replaced=True, empty=False) == governor.stretch_s(pace(0.3))
    assert governor.margin_s(pace(0.3), replaced=False, empty=False) == RETURN_S  # its own reserve plays on
    assert eased(1).margin_s(pace(2.0), replaced=True, empty=False) == EVEN_S


def test_fuller_options_are_tried_after_a_wait_that_grows_with_every_failure():
    governor, now, waits = eased(1), 0.0, []
    for _ in range(9):
        began = now
        while governor.look(now, pace(1.5), FULL, FULL, heard=True) is not Move.TRY:
            now += 1.0
            assert now < began + 2 * LONGEST_S
        waits.append(now - began)
        assert governor.judged(now, pace(0.9, TRIED_S / 2), 1.5, 20.0, FULL) is None
        assert governor.judged(now, pace(0.9, TRIED_S), 1.5, 20.0, FULL) is False
        assert governor.level == 1
    assert waits == [min(FIRST_S * 2**n, LONGEST_S) for n in range(9)]


def test_a_trial_ends_before_it_has_eaten_the_reserve():
    governor = eased(1)
    assert governor.judged(FIRST_S, pace(4.0, 2.0), 1.5, 11.9, FULL) is False


def test_a_trial_that_keeps_up_is_one_step_back_and_the_next_has_its_own_wait():
    governor = eased(2)
    assert governor.look(FIRST_S, pace(2.0), FULL, FULL, heard=True) is Move.TRY
    assert governor.judged(FIRST_S, pace(FAST, TRIED_S), 2.0, 20.0, FULL) is True
    assert governor.level == 1
    assert governor.look(FIRST_S + PAUSE_S, pace(2.0), FULL, FULL, heard=True) is Move.STAY
    assert governor.look(2 * FIRST_S, pace(2.0), FULL, FULL, heard=True) is Move.TRY
    assert governor.judged(2 * FIRST_S, pace(5.0, TRIED_S), 2.0, 20.0, FULL) is True
    assert governor.level == 0
    assert governor.look(9 * FIRST_S, pace(5.0), FULL, FULL, heard=True) is Move.STAY


def test_what_did_not_last_is_tried_later_than_before_and_what_did_is_not():
    for lasted_s, wait_s in ((TRUST_S / 2, 2 * FIRST_S), (TRUST_S, FIRST_S)):
        governor = eased(1)
        assert governor.judged(FIRST_S, pace(5.0, TRIED_S), 2.0, 20.0, FULL) is True
        again = FIRST_S + lasted_s
        assert governor.look(again, pace(0.8), 10.0, FULL, heard=True) is Move.LESS
        assert governor.wait_s(again) == wait_s


def test_an_engine_that_has_become_twice_as_quick_is_tried_at_once_but_not_over_and_over():
    governor = eased(1)
    assert governor.look(1.0, pace(1.3), FULL, FULL, heard=True) is Move.STAY
    assert governor.look(PAUSE_S, pace(2.5), FULL, FULL, heard=True) is Move.STAY
    assert governor.look(PAUSE_S, pace(2.6), FULL, FULL, heard=True) is Move.TRY
    assert governor.judged(PAUSE_S, pace(0.9, TRIED_S), 2.6, 20.0, FULL) is False
    assert governor.look(3 * PAUSE_S, pace(2.6), FULL, FULL, heard=True) is Move.STAY
    assert governor.look(3 * PAUSE_S, pace(5.2), FULL, FULL, heard=True) is Move.TRY


def test_nothing_is_tried_while_the_reserve_is_low_or_something_else_is_heard():
    governor = eased(1)
    for reserve_s, heard in ((17.9, True), (FULL, False)):
        assert governor.look(9 * FIRST_S, pace(9.0), reserve_s, FULL, heard) is Move.STAY


def test_what_the_engine_refuses_is_not_asked_for_again_for_long():
    for later_s, move in ((9.0, Move.STRETCHES), (BARRED_S, Move.LESS)):
        governor = eased(2)
        governor.refused(0.0)
        assert (governor.level, governor.unproven) == (1, True)
        assert governor.look(later_s, pace(0.8), 10.0, FULL, heard=True) is move
    governor = eased(2)
    governor.refused(0.0)
    governor.declare(2)  # it was not the step's fault, or this is another engine
    assert governor.look(9.0, pace(0.8), 10.0, FULL, heard=True) is Move.LESS


def asked(tape: Faulty) -> list[dict]:
    """What was asked of the engine by and by, as it was told."""
    told = [e.data["asked"] for e in tape.events if e.kind == "rung"]
    return [options for n, options in enumerate(told) if n == 0 or told[n - 1] != options]


def watched(tape: Faulty, seconds: int) -> float:
    """Play on; the least that was in reserve."""
    lowest = FULL
    for _ in range(seconds):
        tape.play(1.0)
        lowest = min(lowest, tape.station.reserve_s)
    return lowest


def test_less_is_asked_for_until_it_is_enough_and_nothing_else_is_heard(clips, caplog):  # noqa: F811
    caplog.set_level("INFO")
    with Faulty(clips) as tape:
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
    assert asked(tape) == [{}, LIGHTER, EVERY, LIGHTER, {}]
    assert set(tape.tiers) <= {"engine", "reserve"}
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert said.index("asked for less: hz=550.0\n") < said.index("asked for less: hz=550.0, smaller=True")
    assert said.count("goes on with") == 2
    assert "goes on with all that it can" in said


def test_an_engine_whose_reserve_ran_low_meanwhile_is_heard_only_when_it_is_known_to_keep_up():
    with Faulty() as tape:
        tape.play(20)
        tape.fault.speed, tape.fault.speeds = 0.2, {LIGHTER_HZ: 0.4, SMALLER_HZ: 1.5}
        tape.play(90)
        tape.check()
        assert tape.station.lighter_level == 2
    told = [(e.data["rung"], e.data["cause"]) for e in tape.events if e.kind == "rung"]
    assert tape.tiers == ["engine", "reserve", "embedded", "engine"]  # and not off the air again at once
    assert told[-1] == ("engine", "none")


def test_a_lighter_engine_is_tried_with_more_as_soon_as_it_is_twice_as_quick():
    with Faulty() as tape:
        tape.play(20)
        tape.fault.speed, tape.fault.speeds = 0.6, {LIGHTER_HZ: 1.4}
        tape.play(45)
        assert tape.station.lighter_level == 1
        tape.fault.speed, tape.fault.speeds = 5.0, {}
        tape.play(60)
        assert tape.station.lighter_level == 0
        tape.check()
    assert len(tape.fault.options) == 3


def test_last_of_all_it_is_heard_in_stretches_which_are_short_where_it_is_very_slow(clips):  # noqa: F811
    stretches = {}
    for speed in (0.25, 0.6):
        with Faulty(clips) as tape:
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


def test_what_is_too_slow_with_all_that_can_be_left_out_is_heard_in_stretches(clips):  # noqa: F811
    with Faulty(clips) as tape:
        tape.play(20)
        tape.fault.speed = speed = 0.5
        lowest, sharing = 24.0, None
        for _ in range(400):
            tape.play(1.0)
            lowest = min(lowest, tape.station.reserve_s)
            if tape.station.intermittent and sharing is None:
                sharing = tape.station.reserve_s
        assert sharing is not None
        assert sharing > 6.0
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


def test_an_engine_that_is_slow_from_the_beginning_does_not_flap():
    with Faulty(speed=0.8) as tape:
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
def test_a_step_that_the_engine_refuses_is_left_out_and_the_engine_is_kept(error, caplog):
    with Faulty() as tape:
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
    assert len([r for r in caplog.records if f"does without smaller=True: {error}" in r.message]) == 1


def test_a_smaller_model_that_breaks_again_and_again_is_left_out():
    with Faulty() as tape:
        tape.play(20)
        tape.fault.speed = 0.8
        tape.fault.breaks[SMALLER_HZ] = EngineFailed("no numbers")
        for _ in range(200):
            tape.play(1.0)
            if tape.station.times_lost:
                assert tape.station.failover.cause in (Cause.LOST, Cause.SLOW)
        assert (tape.station.lighter_level, tape.station.times_lost, tape.station.intermittent) == (1, 2, True)
        tape.check()


def test_an_engine_that_breaks_with_whatever_it_is_asked_for_is_asked_for_less_afterwards():
    with Faulty() as tape:
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


def test_an_engine_that_is_lost_while_it_does_less_goes_on_doing_less():
    with Faulty() as tape:
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


def test_what_hangs_when_it_is_tried_is_not_tried_over_and_over_and_nobody_hears_of_it():
    with Faulty() as tape:
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


def test_a_wish_while_more_is_tried_is_granted(clips):  # noqa: F811
    with Faulty(clips) as tape:
        tape.play(20)
        tape.fault.speed, tape.fault.speeds = 0.6, {LIGHTER_HZ: 2.0}
        for _ in range(120):
            tape.play(1.0)
            if tape.fault.options[-1] == {} and len(tape.fault.options) > 2:
                break
        assert tape.station.lighter_level == 1  # a trial has just begun
        wish = tape.station.steer("another way", over_s=2.0)
        tape.play(10)
        assert wish.result(10).frame < tape.station.edge
        tape.play(60)
        assert tape.station.prompt == "another way"
        tape.check(0.1)
