"""A station whose engine fails in every way: no gap, level crossfades, the expected tiers, and the engine again."""

import random

import numpy as np
import pytest
from faulty_engine import HZ
from faulty_station import CLIP_HZ, STEP, FaultyStation, hz_at
from recorded_station import RecordedStation, clicks
from sine_engine import PIECE_S, RATE, SineEngine

from lullwave.errors import CheckpointError, EngineError, EngineFailed, EngineLost
from lullwave.server.engine_pool import EnginePool
from lullwave.station import Tier
from lullwave.station.failover import Cause

pytestmark = pytest.mark.usefixtures("bare_playout")


def test_an_engine_that_returns_before_the_reserve_is_low_continues_sample_for_sample():
    with FaultyStation() as tape:
        tape.play(40)
        tape.fault.error = EngineLost("the connection was reset")
        tape.play(5)
        assert tape.station.failover.tier is Tier.RESERVE
        assert tape.station.failover.cause is Cause.LOST
        assert "reset" in tape.station.failover.detail
        tape.fault.error = None
        tape.until(Tier.PRIMARY)
        tape.play(60)
        tape.check()
        assert tape.tiers == ["engine", "reserve", "engine"]
        assert tape.fault.opened[-1] == "restore"
        wave = tape.sound[:, 0]
        n = np.arange(len(wave)) / RATE
        within = n % PIECE_S / PIECE_S
        wanted = 0.1 * (0.75 + 0.25 * np.cos(2 * np.pi * within)) * np.sin(2 * np.pi * HZ * n)
        np.testing.assert_allclose(wave, wanted, atol=2e-8)  # as if nothing had happened
    assert [e.data["rung"] for e in tape.events if e.kind == "rung"][-1] == "engine"


@pytest.mark.parametrize("error", [EngineLost("killed"), EngineFailed("broke"), RuntimeError("what is this")])
def test_the_embedded_engine_replaces_a_lost_engine_until_it_returns(error, caplog):
    with FaultyStation() as tape:
        tape.play(30)
        tape.fault.error = error
        took_s = tape.until(Tier.EMBEDDED)
        assert 10 < took_s < 24  # the reserve first
        tape.play(60)
        tape.fault.error = None
        back_s = tape.until(Tier.PRIMARY, 320)
        tape.play(40)
        tape.check()
    assert tape.tiers == ["engine", "reserve", "embedded", "engine"]
    assert back_s < (20 if isinstance(error, EngineLost) else 301)
    assert len([r for r in caplog.records if str(error) in r.getMessage() and "faulty failed" in r.getMessage()]) == 1
    assert hz_at(tape.sound, 60) == pytest.approx(220, abs=1)
    assert hz_at(tape.sound, len(tape.sound) / RATE - 5) == pytest.approx(HZ, abs=1)
    sources = [e.data.get("source") for e in tape.events if e.kind == "piece"]
    assert (sources[0], sources[-1]) == (None, None)
    assert "embedded" in sources


def test_clips_play_first_each_once_then_the_embedded_engine(clips):
    with FaultyStation(clips) as tape:
        tape.play(30)
        tape.fault.error = EngineLost("gone")
        tape.until(Tier.ARCHIVE)
        tape.until(Tier.EMBEDDED)
        tape.play(20)
        tape.fault.error = None
        tape.until(Tier.PRIMARY)
        tape.play(20)
        tape.check()
    assert tape.tiers == ["engine", "reserve", "recycled", "embedded", "engine"]
    titles = [e.data["title"] for e in tape.events if e.data.get("source") == "recycled"]
    assert sorted(titles) == ["Clip 0", "Clip 1", "Clip 2"]
    assert titles[-1] == "Clip 2"  # was on air last of all
    begun = [e.frame for e in tape.events if e.data.get("source") == "recycled"]
    assert hz_at(tape.sound, begun[0] / RATE + 5) == pytest.approx(CLIP_HZ, abs=1)
    assert all(abs((frame - begun[0]) / RATE % 0.5) < 1e-3 for frame in begun)  # beat on beat


def test_an_engine_that_hangs_is_replaced_and_returns_when_it_answers():
    with FaultyStation() as tape:
        tape.play(30)
        tape.fault.hangs = True
        tape.until(Tier.RESERVE, 20)
        assert tape.station.failover.cause is Cause.STALLED
        tape.until(Tier.EMBEDDED, 20)
        tape.play(10)
        tape.fault.hangs = False
        assert tape.until(Tier.PRIMARY) < 10
        tape.play(30)
        tape.check()
    assert tape.fault.opened == ["stream"]
    assert tape.tiers == ["engine", "reserve", "embedded", "engine"]


def test_an_engine_that_hangs_for_good_is_reopened():
    with FaultyStation() as tape:
        tape.play(30)
        tape.fault.hangs = True
        tape.play(120)
        assert tape.station.times_lost == 1
        tape.fault.hangs = False
        tape.until(Tier.PRIMARY)
        tape.play(30)
        tape.check()


def test_the_embedded_engine_steers_while_the_engine_is_lost_and_the_engine_follows():
    with FaultyStation() as tape:
        tape.play(30)
        tape.fault.error = EngineLost("gone")
        assert tape.station.understand("another way").text  # the loss is not noticed yet
        tape.play(2)
        assert tape.station.failover.tier is Tier.RESERVE
        assert tape.station.understand("another way").text
        tape.play(10)
        edge = tape.station.edge
        request = tape.station.steer("another way", over_s=2.0)
        tape.until(Tier.EMBEDDED, 20)
        assert edge + 2 * RATE <= request.result(10).frame <= edge + 6 * RATE
        tape.play(10)
        again = tape.station.steer("and another", over_s=2.0)
        tape.play(5)
        assert again.result(10).frame > request.result().frame
        tape.fault.error = None
        tape.until(Tier.PRIMARY)
        tape.play(30)
        tape.check(0.1)  # steering adds tones of 1.5 kHz
    steers = [e.data["prompt"] for e in tape.events if e.kind == "steer"]
    assert steers == ["another way", "and another"]
    assert [e.data["prompt"] for e in tape.events if e.kind == "piece"][-1] == "and another"


def test_a_steer_request_that_fails_changes_nothing():
    class Deaf(SineEngine):
        def open(self, request):
            stream = super().open(request)
            stream.fork = stream.steer = self.refuse
            return stream

        def refuse(self, *args):
            raise EngineError("it cannot be steered")

    with RecordedStation("synth", engines=EnginePool({"synth": Deaf})) as tape:
        tape.play(10)
        before = tape.station.prompt
        request = tape.station.steer("another way")
        tape.play(2)
        with pytest.raises(EngineError, match="cannot be steered"):
            request.result(10)
        assert tape.station.prompt == before
        assert tape.station.times_lost == 0


def test_a_steer_request_survives_an_engine_that_hangs():
    with FaultyStation() as tape:
        tape.play(30)
        tape.fault.hangs = True
        request = tape.station.steer("another way", over_s=2.0)
        began = tape.clock.now()
        while not request.done():
            tape.play(0.5)
            assert tape.clock.now() < began + 10
        assert tape.station.failover.tier is Tier.EMBEDDED
        tape.fault.hangs = False
        tape.until(Tier.PRIMARY)
        tape.play(20)
        tape.check(0.1)


def test_a_model_takes_over_without_a_gap_when_it_has_loaded(caplog):
    with FaultyStation(loading_s=45.0) as tape:
        tape.play(1)
        assert tape.steps
        assert tape.station.failover.tier is Tier.EMBEDDED
        assert tape.station.failover.cause is Cause.LOADING
        assert tape.clock.now() <= 1.0
        tape.until(Tier.PRIMARY)
        tape.play(30)
        assert 44 <= next(e.frame for e in tape.events if e.kind == "piece" and "source" not in e.data) / RATE <= 60
        tape.check()
    assert tape.tiers == ["embedded", "engine"]
    assert not [r for r in caplog.records if r.levelname in ("WARNING", "ERROR")]


def test_a_model_that_cannot_load_leaves_the_embedded_engine_on_air_and_is_logged_once(caplog):
    with FaultyStation(loading_s=5.0, load_error=CheckpointError("model.safetensors is damaged")) as tape:
        tape.play(400)
        tape.check()
        assert tape.station.failover.tier is Tier.EMBEDDED
        assert tape.station.failover.cause is Cause.FAILED
        assert tape.station.failover.detail == "model.safetensors is damaged"
    assert tape.fault.loads == 1
    assert len([r for r in caplog.records if "damaged" in r.getMessage()]) == 1


def test_an_engine_that_cannot_be_reached_is_retried_with_backoff():
    with FaultyStation(load_error=EngineLost("connection refused")) as tape:
        tape.play(300)
        assert tape.station.failover.tier is Tier.EMBEDDED
        assert 15 < tape.fault.loads < 50
        tape.fault.load_error = None
        tape.until(Tier.PRIMARY, 40)
        tape.play(20)
        tape.check()


def test_a_sleeping_station_does_not_retry_its_engine():
    with FaultyStation() as tape:
        tape.play(30)
        tape.fault.error = EngineLost("gone")
        tape.play(5)
        tape.station.set_listening(False)
        tape.play(70)
        assert tape.station.state == "asleep"
        tape.fault.opened.clear()
        lost = tape.station.times_lost
        tape.play(3600)
        assert tape.station.times_lost <= lost + 1
        tape.fault.error = None
        tape.station.set_listening(True)
        tape.play(40)
        assert tape.station.failover.tier is Tier.PRIMARY
        tape.check()


def test_random_faults_never_cause_a_gap(clips):
    draw = random.Random(11)
    with FaultyStation(clips) as tape:
        tape.play(20)
        for _ in range(20):
            kind = draw.choice(["lost", "hangs", "slow", "fine"])
            tape.fault.error = EngineLost("gone") if kind == "lost" else None
            tape.fault.hangs = kind == "hangs"
            tape.fault.speed = 0.5 if kind == "slow" else 20.0
            tape.play(draw.uniform(1, 50))
            if draw.random() < 0.3:
                tape.station.steer(f"request {draw.random():.3f}", over_s=1.0)
        tape.fault.error, tape.fault.hangs, tape.fault.speed = None, False, 20.0
        tape.until(Tier.PRIMARY, 400)
        tape.play(30)
        tape.check(0.5)


def test_the_embedded_engine_is_reopened_at_once():
    class Patient(SineEngine):
        fails_at = 30 * RATE

    tape = RecordedStation("synth", engines=EnginePool({"synth": Patient}))
    with tape:
        tape.play(200)
        assert tape.station.late_s <= 1e-6
        assert tape.station.times_lost >= 5
        assert clicks(tape.sound) < STEP
        level = np.sqrt(np.mean(tape.sound[: len(tape.sound) // 441 * 441, 0].reshape(-1, 441) ** 2, axis=1))
        assert level.min() > 0.01


def test_setting_the_system_clock_begins_an_epoch_and_changes_nothing_else():
    with FaultyStation() as tape:
        tape.play(30)
        for jump in (3600.0, -86400.0):
            tape.clock._wall += jump
            tape.play(20)
            told = tape.steps[-1]
            wall = told.epoch.wall + (told.block.frame - told.epoch.frame) / RATE
            assert abs(wall - tape.clock.wall()) < 4.0
        tape.check()
        assert tape.tiers == ["engine"]
        assert len({a.epoch for a in tape.steps}) == 3


def test_a_stream_that_hangs_while_opening_is_given_up_too():
    with FaultyStation() as tape:
        tape.play(30)
        tape.fault.error = EngineLost("gone")
        tape.play(20)
        tape.fault.error, tape.fault.hangs = None, True
        tape.play(200)
        assert tape.station.failover.tier is Tier.EMBEDDED
        tape.fault.hangs = False
        tape.until(Tier.PRIMARY)
        tape.play(20)
        tape.check()
