"""What the pool takes over of an earlier pool, and what it starts again; without a cluster."""

from types import SimpleNamespace

import pytest

from lullwave.cluster.config import ClusterConfig
from lullwave.cluster.scaling import ActorLoad
from lullwave.engines.cluster.options import use_token
from lullwave.errors import EngineLost, InvalidInput

use_token()  # for the tests of a cluster in the same process: Ray reads it when it is imported
ray = pytest.importorskip("ray")
pool_module = pytest.importorskip("lullwave.cluster.pool")

Actor = pool_module.Actor

SYNTH = {"name": "synth", "cpus": 0.5, "options": {"cache_mb": 30}, "smallest": 2, "largest": 3}


@pytest.fixture
def cluster(monkeypatch):
    """The actors that run, by name, and a way to make pools; none looks at its actors by itself."""
    running: dict[str, Actor] = {}

    def start(name, kind, options, *args):
        assert name not in running
        running[name] = Actor(name, SimpleNamespace(name=name, options=options, args=args))
        return running[name]

    monkeypatch.setattr(pool_module, "started", start)
    monkeypatch.setattr(pool_module, "found", lambda wanted: [one for name, one in running.items() if wanted(name)])
    monkeypatch.setattr(pool_module.StationActors, "find", lambda stations: None)
    monkeypatch.setattr(pool_module.threading, "Thread", lambda **how: SimpleNamespace(start=lambda: None))
    monkeypatch.setattr(ray, "kill", lambda handle: running.pop(handle.name))
    return SimpleNamespace(
        running=running,
        pool=lambda *engines: pool_module.Pool({"engines": list(engines)}),
        labels=lambda: sorted(name.rpartition(":")[0] for name in running),
    )


def test_a_pool_that_ray_starts_again_takes_over_what_it_had_started(cluster):
    cluster.pool(SYNTH)
    before = dict(cluster.running)
    assert cluster.labels() == ["synth:1", "synth:2"]
    again = cluster.pool(SYNTH)
    assert cluster.running == before
    assert [row["actor"] for row in again.status()["engines"]] == ["synth:1", "synth:2"]


@pytest.mark.parametrize(
    "changed",
    [
        {"options": {"cache_mb": 31}},
        {"cpus": 1},
        {"gpus": 0.5},
        {"memory_mb": 100},
        {"labels": {"zone": "cellar"}},
        {"runtime_env": {"env_vars": {"A": "b"}}},
    ],
)
def test_engines_that_were_started_otherwise_are_replaced(cluster, changed):
    cluster.pool(SYNTH, {"name": "synth@other"})
    other = cluster.running[next(name for name in cluster.running if name.startswith("synth@other:"))]
    cluster.pool({**SYNTH, **changed}, {"name": "synth@other"})
    assert cluster.labels() == ["synth:3", "synth:4", "synth@other:1"]
    assert other in cluster.running.values()
    wanted = ClusterConfig.of({"engines": [{**SYNTH, **changed}]}).engines[0]
    given = next(one.handle for name, one in cluster.running.items() if name.startswith("synth:4:"))
    assert (given.options, given.args) == (wanted.actor_options(), ("synth", wanted.options))


@pytest.mark.parametrize("changed", [{"streams": 2}, {"largest": 5}, {"idle_s": 1.0}])
def test_engines_stay_where_only_the_limits_of_their_pool_change(cluster, changed):
    cluster.pool(SYNTH)
    before = dict(cluster.running)
    cluster.pool({**SYNTH, **changed})
    assert cluster.running == before


def test_engines_of_a_pool_that_is_named_no_more_end(cluster):
    cluster.pool(SYNTH, {"name": "synth@other"})
    cluster.pool({"name": "synth@other"})
    assert cluster.labels() == ["synth@other:1"]


def test_an_engine_that_could_not_start_is_started_again(cluster):
    pool = cluster.pool(SYNTH)
    first = next(iter(cluster.running.values()))
    first.take("InvalidInput: model: got '/nowhere'")
    del cluster.running[first.name]
    pool.renew()
    assert cluster.labels() == ["synth:2", "synth:3"]
    assert [row["failed"] for row in pool.status()["engines"]] == ["", ""]


def test_an_engine_that_cannot_start_is_tried_again_later_and_does_not_keep_the_pool_from_growing(cluster, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(pool_module.time, "monotonic", lambda: now[0])
    pool = cluster.pool(SYNTH)
    broken, working = cluster.running.values()
    busy = {"load": ActorLoad(streams=50, waiting=5, speed=1.0), "pid": 1, "node": "a", "node_id": "a"}
    told = {broken: "InvalidInput: model: got '/nowhere'", working: busy}
    monkeypatch.setattr(pool_module, "asked", lambda actors: [told.get(actor) for actor in actors])
    del cluster.running[broken.name]
    pool._look()
    assert cluster.labels() == ["synth:2", "synth:3"]  # three are wanted, and the broken one is the third
    now[0] += pool_module.RETRY_S - 1.0
    pool._look()
    assert [bool(row["failed"]) for row in pool.status()["engines"]] == [True, False, False]
    now[0] += 1.0
    pool._look()
    assert [bool(row["failed"]) for row in pool.status()["engines"]] == [False, False]
    told.update((actor, busy) for name, actor in cluster.running.items() if name.startswith("synth:3:"))
    pool._look()
    assert cluster.labels() == ["synth:2", "synth:3", "synth:4"]


def test_when_many_streams_wait_for_an_engine_others_are_told_at_once(cluster, monkeypatch):
    pool = cluster.pool(SYNTH)
    monkeypatch.setattr(pool_module, "WAITING", 0)
    with pytest.raises(EngineLost, match="0 other streams wait"):
        pool.place("synth")
    monkeypatch.setattr(pool_module, "WAITING", 1)
    monkeypatch.setattr(pool_module, "WAIT_S", 0.0)
    monkeypatch.setattr(pool_module, "LOOK_S", 0.0)
    for _ in range(3):  # those that gave up do not count
        with pytest.raises(EngineLost, match="it is being loaded"):
            pool.place("synth")


def test_a_pool_tells_whether_another_one_must_take_its_place_and_refuses_what_none_could_run_with(cluster):
    pool = cluster.pool(SYNTH)
    assert pool.runs_with({"engines": [SYNTH]})
    assert not pool.runs_with({"engines": [SYNTH], "stations": {"labels": {"zone": "cellar"}}})
    with pytest.raises(InvalidInput, match="cashe_mb"):
        pool.runs_with({"engines": [{"name": "synth", "options": {"cashe_mb": 3}}]})
    pool.leave()
    with pytest.raises(EngineLost, match="replaced"):
        pool.start_stations({}, False)
