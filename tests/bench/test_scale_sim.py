"""The simulation of many stations: known answers, and what more spares and slower detection do."""

from dataclasses import replace

import numpy as np
import pytest

from bench.radio.scale_sim import Fleet, simulate, spares_needed, takeover

SMALL = Fleet(stations=100, streams=10, rate=20.0, per_node=2, mtbf_hours=50.0, node_mtbf_hours=200.0, deploys=0.0)


def test_one_station_alone_catches_up_at_the_speed_beyond_real_time():
    took, taken = takeover(1, [5.0], np.array([8.0]))
    assert (took.tolist(), taken) == ([2.0], [1])  # 4 s more than it plays, a second


def test_stations_share_the_room_and_are_spread_over_it():
    took, taken = takeover(4, [4.0, 4.0], np.full(4, 3.0))
    assert (took.tolist(), taken) == ([3.0] * 4, [2, 2])  # twice real time each
    assert takeover(3, [9.0, 4.0], np.ones(3))[1] == [2, 1]  # 4.5 times real time each on the one, 4 on the other
    assert np.isinf(takeover(3, [1.5], np.ones(3))[0]).all()


def test_without_deaths_and_deploys_nothing_moves():
    quiet = replace(SMALL, mtbf_hours=1e12, node_mtbf_hours=1e12)
    assert simulate(quiet, 365).moved == 0


def test_a_deploy_moves_every_station_and_breaks_none_where_there_is_room():
    deployed = replace(SMALL, mtbf_hours=1e12, node_mtbf_hours=1e12, deploys=1.0, spares=2)
    outcome = simulate(deployed, 10)
    assert outcome.deaths == 0
    assert outcome.moved >= 5 * 100
    assert outcome.broken == 0


def test_deaths_come_as_often_as_they_are_said_to():
    outcome = simulate(SMALL, 365)
    expected = 365 * 24 * (10 / 50 + 10 / 200)
    assert outcome.deaths == pytest.approx(expected, rel=0.1)
    assert outcome.moved == pytest.approx(10 * expected, rel=0.15)


def test_a_fleet_at_its_limit_breaks_and_spares_mend_it():
    full = replace(SMALL, streams=20)
    assert simulate(full, 100).broken > 0
    needed = spares_needed(full, 100, [0, 1])
    assert needed
    assert simulate(replace(full, spares=needed), 100).broken == 0
    assert (
        simulate(replace(full, spares=needed - 1), 100, 0).broken
        + simulate(replace(full, spares=needed - 1), 100, 1).broken
    )


def test_a_death_that_is_noticed_after_the_buffer_breaks_every_station():
    outcome = simulate(replace(SMALL, detect_s=(25.0,), node_detect_s=(25.0,)), 100)
    assert outcome.broken == outcome.moved > 0
