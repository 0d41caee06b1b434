"""Engines and stations on a Ray cluster of two nodes on this machine: where they run, and what their ends do."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from urllib.request import urlopen

import numpy as np
import pytest
from radio_server import serving

from lullwave import Audio, Request, load_engine
from lullwave.clock import SystemClock
from lullwave.cluster.config import ClusterConfig
from lullwave.engines import engine_class
from lullwave.engines.cluster.options import NAMESPACE, POOL, use_token
from lullwave.errors import EngineLost, UnknownEngine
from lullwave.mastering import Master
from lullwave.segments.reader import SegmentReader
from lullwave.settings import load
from lullwave.station import CHANNELS, RATE
from lullwave.storage.objects import open_store
from lullwave.testing import EngineContract

use_token()
ray = pytest.importorskip("ray")
control = pytest.importorskip("lullwave.cluster.control")
pytestmark = pytest.mark.ray

PIANO = Request("rainy night piano", 7)
AHEAD_S, RESTART_S = 40.0, 30.0  # music in the store, and how long Ray may take to restart a station elsewhere
ENGINES = {
    "name": "synth",
    "options": {"cache_mb": 30},
    "cpus": 1,
    "streams": 2,
    "smallest": 2,
    "largest": 3,
    "idle_s": 1.0,
}
SECOND = {"zone": "second"}  # labels of the node that is not the head
CONFIG = ClusterConfig.of({"engines": [ENGINES], "stations": {"cpus": 0}})
PATIENCE_S = 150.0  # with both cores taken, Ray starts an actor in half a minute


@pytest.fixture(scope="module")
def cluster():
    """Two nodes, the second one with room for two actors; each needs the token."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", "f" * 64)
        quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
        nodes = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 1,
                "include_dashboard": False,
                "_system_config": quick,
                "ray_client_server_port": free_port(),
            },
        )
        nodes.second = nodes.add_node(num_cpus=2, labels=SECOND)
        patch.setenv("RAY_ADDRESS", nodes.address)
        try:
            control.up(CONFIG, nodes.address)
            eventually(lambda: [row["answers"] for row in rows()] == [True, True])
            yield nodes
            assert min(control.down(nodes.address)) >= 1
            eventually(lambda: not ours())
        finally:
            ray.shutdown()
            nodes.shutdown()


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def rows():
    return control.status(os.environ["RAY_ADDRESS"])["engines"]


def station_row(name="piano"):
    return next(row for row in control.status(os.environ["RAY_ADDRESS"])["stations"] if row["station"] == name)


def ours():
    return [one for one in ray.util.list_named_actors(all_namespaces=True) if one["namespace"] == NAMESPACE]


def eventually(true):
    until = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < until, rows()
        time.sleep(0.1)


def samples(stream, frames=50000):
    return stream.read(frames).samples


def until_lost(stream):
    with pytest.raises(EngineLost):  # noqa: PT012
        while True:  # what has arrived is read first
            stream.read(44100)


def continued(engine, snapshot):
    """What a stream gives after a snapshot, on another actor as soon as there is one that stays."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            with engine.restore(snapshot) as again:
                return samples(again)
        except EngineLost:
            if time.monotonic() > until:
                raise


class TestCluster(EngineContract):
    """The embedded engine on a cluster."""

    heard_within_s = 4.0

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def on(cls, cluster):
        """All tests of the contract."""

    def load(self):
        return load_engine("cluster:synth")


def test_two_streams_are_on_two_nodes_and_sound_as_here(cluster):
    with load_engine("cluster:synth") as engine, load_engine("synth") as here:
        assert (engine.made_by, engine.rate, engine.options) == ("synth", here.rate, here.options)
        one, other = engine.stream(PIANO), engine.stream(Request("calm guitar", 3))
        assert np.array_equal(samples(one), samples(here.stream(PIANO)))
        assert np.array_equal(samples(other), samples(here.stream(other.request)))
        eventually(lambda: [row["streams"] for row in rows()] == [1, 1])
        assert len({row["pid"] for row in rows()}) == 2
        one.close(), other.close()
        eventually(lambda: sum(row["streams"] for row in rows()) == 0)


# Plays through Ray's client in a process of its own; ``server`` is what Ray starts for this client at the head.
OUTSIDE = """
import os, signal, subprocess, sys
import numpy as np
from lullwave.engines.cluster.options import use_token
use_token()
from lullwave import Request, load_engine
from lullwave.errors import EngineLost

def joined():
    while True:
        try:
            return load_engine("cluster:synth", address=sys.argv[1])
        except EngineLost:  # a busy machine takes Ray's client for lost before its server has started
            pass

request = Request("rainy night piano", 7)
with joined() as engine, load_engine("synth") as here:
    stream, expected = engine.stream(request), here.stream(request)
    assert np.array_equal(stream.read(500_000).samples, expected.read(500_000).samples)
    snapshot = stream.snapshot()
    ours = f"ray.util.client.server --address={sys.argv[2]} .*specific-server"
    server = int(subprocess.run(["pgrep", "-n", "-f", ours], check=True, capture_output=True).stdout)
    until_lost(stream)
    again = None
    while again is None:
        try:
            again = engine.restore(snapshot)
        except EngineLost:  # Ray's client has not noticed yet that it has no server any more
            pass
    assert np.array_equal(again.read(44100).samples, expected.read(44100).samples)
    again.close()
print("the same samples")
"""
CUT = """
def until_lost(stream):
    os.kill(server, signal.SIGKILL)
    try:
        while True:
            stream.read(44100)
    except EngineLost:
        pass
"""
HALF_OPEN = """
def until_lost(stream):
    from lullwave.engines.cluster import engine as cluster

    os.kill(server, signal.SIGSTOP)
    try:
        while True:
            stream.read(44100)
    except EngineLost as error:
        assert "sent nothing for" in str(error), error
    cluster.ANSWER_S = 1.0
    try:
        engine.stream(request)
        raise AssertionError("a stream through a network that carries nothing")
    except EngineLost as error:
        assert "no answer within 1 seconds" in str(error), error
    cluster.ANSWER_S = 20.0
    os.kill(server, signal.SIGCONT)
"""


@pytest.mark.parametrize("how", [CUT, HALF_OPEN], ids=["cut", "half open"])
def test_a_process_outside_the_cluster_plays_and_comes_back_when_the_network_does(cluster, how):
    address = f"ray://127.0.0.1:{cluster.head_node._ray_params.ray_client_server_port}"
    assert len(control.status(os.environ["RAY_ADDRESS"])["engines"]) == 2
    told = subprocess.run(
        [sys.executable, "-c", how + OUTSIDE, address, cluster.address],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert (told.returncode, told.stdout.strip()) == (0, "the same samples"), told.stderr
    assert "Traceback" not in told.stderr
    eventually(lambda: sum(row["streams"] for row in rows()) == 0)


def test_a_pool_that_is_not_there(cluster):
    with pytest.raises(UnknownEngine, match=r"musicgen@large.*synth"):
        load_engine("cluster:musicgen@large")


def test_an_actor_dies_and_the_music_goes_on_with_the_same_samples(cluster):
    with load_engine("cluster:synth") as engine, load_engine("synth") as here:
        stream, expected = engine.stream(PIANO), here.stream(PIANO)
        assert np.array_equal(samples(stream), samples(expected))
        snapshot = stream.snapshot()
        eventually(lambda: sum(row["streams"] for row in rows()) == 1)
        busy = next(row for row in rows() if row["streams"])
        os.kill(busy["pid"], signal.SIGKILL)
        until_lost(stream)
        assert np.array_equal(continued(engine, snapshot), samples(expected))
        eventually(lambda: {row["actor"]: row["restarts"] for row in rows()}[busy["actor"]] == 1)
        eventually(lambda: [row["answers"] for row in rows()] == [True, True])


def test_engines_with_other_options_take_the_place_of_those_that_run_and_the_music_goes_on(cluster):
    other = ClusterConfig.of({"engines": [{**ENGINES, "options": {"cache_mb": 31}}], "stations": {"cpus": 0}})
    with load_engine("cluster:synth") as engine, load_engine("synth") as here:
        stream, expected = engine.stream(PIANO), here.stream(PIANO)
        assert np.array_equal(samples(stream), samples(expected))
        snapshot, before = stream.snapshot(), {row["pid"] for row in rows()}
        control.up(CONFIG, cluster.address)
        assert {row["pid"] for row in rows()} == before  # the same configuration changes nothing
        control.up(other, cluster.address)
        until_lost(stream)
        assert np.array_equal(continued(engine, snapshot), samples(expected))
        eventually(lambda: [row["answers"] for row in rows()] == [True, True])
        assert before.isdisjoint(row["pid"] for row in rows())
    control.up(CONFIG, cluster.address)
    eventually(lambda: [row["answers"] for row in rows()] == [True, True])


def test_a_pool_that_dies_comes_back_as_the_last_up_made_it(cluster):
    eventually(lambda: [row["answers"] for row in rows()] == [True, True])
    before = {row["pid"] for row in rows()}
    spare = {"name": "synth@spare", "cpus": 0}
    control.up(ClusterConfig.of({"engines": [ENGINES, spare]}), cluster.address)
    eventually(lambda: [row["answers"] for row in rows()] == [True] * 3)
    last = ClusterConfig.of({"engines": [ENGINES], "stations": {"cpus": 0, "labels": SECOND}})
    control.up(last, cluster.address)
    pool = ray.get_actor(POOL, NAMESPACE)

    def pid():
        try:
            return ray.get(pool.__ray_call__.remote(lambda pool: os.getpid()), timeout=10.0)
        except ray.exceptions.RayError:
            return 0

    died = pid()
    os.kill(died, signal.SIGKILL)
    eventually(lambda: pid() not in (0, died))
    assert ray.get(pool.runs_with.remote(last.model_dump()))
    eventually(lambda: [row["answers"] for row in rows()] == [True, True])
    assert {row["pid"] for row in rows()} == before
    assert not [one["name"] for one in ours() if "spare" in one["name"]]


def test_two_stations_on_two_actors_go_on_together_on_the_one_that_is_left(cluster, tmp_path):
    engines = {name: engine_class(name) for name in ("synth", "cluster:synth")}
    stations = [{"id": "a", "prompts": ["calm piano"]}, {"id": "b", "prompts": ["slow guitar"]}]
    with serving(tmp_path, SystemClock(), engines, cluster=cluster.address, stations=stations) as served:

        def rungs():
            return [station["rung"] for station in served.json("/api/stations")["stations"]]

        with served.listening("/stations/a/stream.mp3"), served.listening("/stations/b/stream.mp3"):
            eventually(lambda: rungs() == ["engine", "engine"])
            eventually(lambda: [row["streams"] for row in rows()] == [1, 1])
            died = rows()[0]
            os.kill(died["pid"], signal.SIGKILL)
            eventually(lambda: [row["streams"] for row in rows() if row["actor"] != died["actor"]] == [2])
            eventually(lambda: rungs() == ["engine", "engine"])
        eventually(
            lambda: [row["restarts"] for row in rows() if row["actor"] == died["actor"]] == [died["restarts"] + 1]
        )
    eventually(lambda: [(row["answers"], row["streams"]) for row in rows()] == [(True, 0)] * 2)


def test_the_pool_grows_with_its_streams_and_shrinks_when_they_end(cluster):
    with load_engine("cluster:synth") as engine:
        streams = [engine.stream(Request("calm piano", seed)) for seed in range(4)]
        eventually(lambda: [row["answers"] for row in rows()] == [True] * 3)
        last = rows()[-1]["actor"]
        with engine.stream(PIANO):
            eventually(lambda: next(row for row in rows() if row["actor"] == last)["streams"] == 1)
        for stream in streams:
            stream.close()
        eventually(lambda: len(rows()) == 2)


def station_settings(folder, **flags):
    """Settings of servers with a store of their own whose stations play on without listeners."""
    stations = [
        {"id": "piano", "prompts": ["rainy night piano"], "seed": 7, "always_on": True},
        {"id": "guitar", "prompts": ["calm guitar"], "seed": 3, "always_on": True},
    ]
    own = {"store": f"file://{folder}/store", "store_ahead_s": AHEAD_S, "stations": stations, "steer_every_s": 0.0}
    return load({**own, "cluster": os.environ["RAY_ADDRESS"], "data_dir": folder, **flags})


def written(settings, name="piano"):
    return SegmentReader(open_store(settings.store), name).manifest()


def ahead_s(settings):
    """How much music of the piano station is in the store and not heard yet, in seconds."""
    return written(settings).air(written(settings).next) - time.time()


def programme(settings, name="piano"):
    """All music of a station in its store, (T, 2), which no producer began anew or left a gap in."""
    segments = list(SegmentReader(open_store(settings.store), name).ready())
    manifest = written(settings, name)
    assert (segments[0].number, manifest.contiguous_from(segments[-1].number)) == (0, 0)
    return np.concatenate([segment.audio.samples for segment in segments])


def in_this_process(request, frames):
    """What a station plays of a request, without a cluster and a store: (T, 2) as 16 bits."""
    with load_engine("synth") as here:
        made = Master(RATE, CHANNELS, -15.0, -1.0).process(here.stream(request).read(frames))
    return Audio(made.samples, RATE).to_int16()


def asked(port, path, size=None):
    """A server's reply, or its first ``size`` bytes; none while it is not there."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as reply:
            return reply.read(size)
    except OSError:
        return b""


def test_a_server_outside_the_cluster_starts_its_stations_there_and_plays_them(cluster, tmp_path):
    outside, port = f"ray://127.0.0.1:{cluster.head_node._ray_params.ray_client_server_port}", free_port()
    station = 'id = "outside"\nprompts = ["rainy night piano"]\nseed = 7\nalways_on = true\n'
    own = f'store = "file://{tmp_path}/store"\nstore_ahead_s = {AHEAD_S}\nsteer_every_s = 0.0\n'
    (tmp_path / "radio.toml").write_text(f"{own}\n[[stations]]\n{station}")
    settings = load({"store": f"file://{tmp_path}/store", "data_dir": tmp_path})
    lullwave = [sys.executable, "-m", "lullwave"]
    flags = ["--config", f"{tmp_path}/radio.toml", "--cluster", outside, "--data-dir", f"{tmp_path}/web"]
    with subprocess.Popen([*lullwave, "serve", "--port", str(port), *flags]) as server:
        try:
            eventually(lambda: "outside" in [row["station"] for row in control.status(cluster.address)["stations"]])
            eventually(lambda: station_row("outside")["state"] == "on air")
            eventually(lambda: b'"produces":[]' in asked(port, "/readyz").replace(b" ", b""))
            assert len(asked(port, "/stations/outside/stream.mp3", 24_000)) == 24_000
            asking = [*lullwave, "cluster", "status", "--address", outside, "--json"]
            for _ in range(3):  # a machine that is very busy does not answer within its time
                told = subprocess.run(asking, capture_output=True, text=True, timeout=400, check=False)
                if "no answer within" not in told.stderr:
                    break
            assert told.returncode == 0, told.stderr
            shown, row = json.loads(told.stdout), station_row("outside")
            assert [(one["station"], one["pid"]) for one in shown["stations"]] == [("outside", row["pid"])]
            assert [one["pid"] for one in shown["engines"]] == [one["pid"] for one in rows()]
        finally:
            server.terminate()
        assert server.wait(PATIENCE_S) in (0, -signal.SIGTERM)
    number = written(settings, "outside").next
    eventually(lambda: written(settings, "outside").next > number)  # the station outlives its server
    assert len(programme(settings, "outside")) > 0


def test_stations_outlive_their_actors_and_a_web_server_of_their_store_plays_and_steers_them(cluster, tmp_path):
    settings = station_settings(tmp_path)
    control.up(CONFIG, cluster.address, settings)
    eventually(lambda: [station_row(name)["state"] for name in ("piano", "guitar")] == ["on air"] * 2)
    assert control.start_stations(settings) == []  # as a server does that begins: nothing is missing
    before = station_row()
    eventually(lambda: ahead_s(settings) > RESTART_S)
    os.kill(before["pid"], signal.SIGKILL)
    engines = {name: engine_class(name) for name in ("synth", "cluster:synth")}
    given = {"store": settings.store, "stations": settings.stations, "store_ahead_s": AHEAD_S, "steer_every_s": 0.0}
    with serving(tmp_path / "web", SystemClock(), engines, cluster=cluster.address, **given) as web:
        with web.listening("/stations/piano/stream.mp3") as stream:
            assert len(stream.read(24_000)) == 24_000
        eventually(lambda: written(settings).epoch == 2)
        number = written(settings).next
        eventually(lambda: written(settings).next > number)
        eventually(lambda: (station_row()["restarts"], station_row()["state"]) == (1, "on air"))
        assert web.json("/readyz")["produces"] == []
        sound = Audio(programme(settings), RATE).to_int16()
        assert np.array_equal(sound, in_this_process(PIANO, len(sound)))
        told = web.json("/api/stations/guitar/prompt", "POST", {"prompt": "warm synthwave"})
        assert told["state"] in ("turning", "queued")  # the latter where the engine takes a while
        eventually(lambda: web.json("/api/stations/guitar")["prompt"] == "warm synthwave")
    assert [run.epoch for run in written(settings, "guitar").runs] == [1]


def test_a_node_dies_and_what_ran_on_it_goes_on_elsewhere(cluster, tmp_path):
    settings = station_settings(tmp_path)
    there = ClusterConfig.of({"engines": [ENGINES], "stations": {"cpus": 0, "labels": SECOND}})
    control.up(there, cluster.address, settings)
    eventually(lambda: station_row()["state"] == "on air" and ahead_s(settings) > RESTART_S)
    assert station_row()["node_id"] == cluster.second.node_id
    with load_engine("cluster:synth") as engine, load_engine("synth") as here:
        streams, before = [engine.stream(PIANO), engine.stream(PIANO)], {row["pid"] for row in rows()}
        expected = samples(here.stream(PIANO), 100_000)
        for stream in streams:
            assert np.array_equal(samples(stream), expected[:50000])
        snapshot, died = streams[0].snapshot(), cluster.second.node_id
        cluster.remove_node(cluster.second, allow_graceful=False)
        cluster.second = cluster.add_node(num_cpus=2, labels=SECOND)
        lost = 0
        for stream in streams:
            try:
                samples(stream, 30 * 44100)
            except EngineLost:
                lost += 1
        assert lost >= 1
        assert np.array_equal(continued(engine, snapshot), expected[50000:])
        eventually(lambda: all(row["answers"] for row in rows()) and not {row["pid"] for row in rows()} <= before)
    eventually(
        lambda: station_row()["state"] == "on air" and station_row()["node_id"] == cluster.second.node_id != died
    )
    begun = written(settings).runs[-1]
    eventually(lambda: written(settings).next > begun.first)
    assert begun.epoch == 2
    sound = Audio(programme(settings), RATE).to_int16()
    assert np.array_equal(sound, in_this_process(PIANO, len(sound)))
