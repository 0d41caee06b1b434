"""How many stations and private streams a machine plays: from the cost of its music and the processors it may use."""

import threading
from types import SimpleNamespace

import pytest
from sine_engine import SineEngine

from lullwave.server.live import capacity
from lullwave.server.live.capacity import Capacity, Cost, capacities, processors, stations_at
from lullwave.server.workers.stream_workers import HERE
from lullwave.settings import load

COST = Cost(begin_s=0.04, render_s=0.026, output_s=0.024)  # of the embedded engine on a processor of 2023


@pytest.mark.parametrize(
    ("cost", "available", "stations"), [(0.04, 9.0, 10), (0.04, 0.5, 5), (0.03, float("inf"), 13), (3.0, 1.0, 1)]
)
def test_the_limit_follows_the_speed_and_what_a_container_may_use(cost, available, stations):
    assert stations_at(cost, available) == stations


@pytest.mark.parametrize(("text", "allowed"), [("50000 100000\n", 0.5), ("max 100000", 6.0), ("800000 100000", 6.0)])
def test_a_containers_limit_is_read(tmp_path, monkeypatch, text, allowed):
    monkeypatch.setattr(capacity.os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    (tmp_path / "cpu.max").write_text(text)
    assert processors(tmp_path / "cpu.max") == allowed
    assert processors(tmp_path / "none") == 6.0


@pytest.mark.parametrize("cost", [None, COST])
def test_on_one_processor_private_streams_have_the_places_that_stations_leave(cost):
    machine = Capacity(8, cost, 1.5)
    assert machine.workers == 0
    assert [machine.private(stations) for stations in (1, 5, 8, 9)] == [7, 3, 0, 0]


def test_more_processors_play_more_private_streams_and_fewer_beside_more_stations():
    small, large = Capacity(8, COST, 2.0), Capacity(8, COST, 64.0)
    assert (small.workers, large.workers) == (1, capacity.MAX_WORKERS)
    beside = [small.private(stations) for stations in range(1, 9)]
    assert beside == sorted(beside, reverse=True)
    assert large.private(1) > small.private(1) > Capacity(8, COST, 1.0).private(1)
    for machine in (small, large):  # neither the machine nor this process is asked for more than it has
        played = machine.private(5)
        total_s = 5 * COST.total_s + played * COST.private_s
        here_s = (5 + HERE) * COST.total_s + (played - HERE) * COST.passing_s
        assert total_s <= capacity.MACHINE_SHARE * machine.processors
        assert here_s <= capacity.PROCESS_SHARE
        assert played - HERE <= machine.workers * machine.per_worker


def test_a_slow_machine_still_plays_one_stream_in_each_worker():
    assert Capacity(1, Cost(0.9, 0.9, 0.1), 2.0).per_worker == 1
    assert Capacity(1, Cost(0.9, 0.9, 0.1), 2.0).private(1) == 0


def test_the_cost_is_measured_until_the_server_stops():
    stopping = threading.Event()
    found = next(capacities(SineEngine(), load(), stopping))
    assert found.stations == stations_at(found.cost.begin_s + found.cost.output_s, found.processors)
    assert 0 < max(found.cost.begin_s, found.cost.render_s) < found.cost.output_s  # a tone costs next to nothing
    stopping.set()
    assert list(capacities(SineEngine(), load(), stopping)) == []


def test_a_disturbed_measurement_is_made_again_and_the_lowest_cost_counts(monkeypatch):
    costs = [Cost(0.07, 0.04, 0.04), Cost(0.03, 0.05, 0.02), Cost(9.0, 9.0, 9.0)]
    clock = {"monotonic": 0.0, "process_time": 0.0, "thread_time": 0.0}
    busy = iter((1.0, 0.1))  # processors that other threads use

    def measured(*_):
        for name, seconds in (("monotonic", 2.0), ("thread_time", 1.0), ("process_time", 1.0 + 2.0 * next(busy))):
            clock[name] += seconds
        return costs.pop(0)

    monkeypatch.setattr(capacity, "time", SimpleNamespace(**{name: lambda name=name: clock[name] for name in clock}))
    monkeypatch.setattr(capacity, "measured_cost", measured)
    monkeypatch.setattr(capacity, "AGAIN_S", 0.0)
    found = [one.cost for one in capacities(SineEngine(), load(), threading.Event())]
    assert found == [Cost(0.07, 0.04, 0.04), Cost(0.03, 0.04, 0.02)]
