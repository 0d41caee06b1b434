"""A station whose engine breaks in every way: no gap, even joins, the expected rungs, and the engine again."""

import random

import numpy as np
import pytest
from bare_air import bare_air  # noqa: F401
from faulty import HZ, Fault, faulty
from sines import PIECE_S, RATE, SineEngine
from test_station import RecordedStation, clicks

from lullwave.archive.clips import ClipInfo, ClipStore
from lullwave.audio import Audio
from lullwave.clock import SimulatedClock
from lullwave.codecs import encode
from lullwave.errors import CheckpointError, EngineError, EngineFailed, EngineLost
from lullwave.server.engine_pool import EnginePool
from lullwave.station import ArchiveEngine, Tier
from lullwave.station.failover import Cause

CLIP_HZ = 440.0
STEP = 0.03  # of the second difference: the steepest is a tone of 440 Hz at 0.4, 0.0016; a click is ten times that


class Faulty(RecordedStation):
    """A station of an engine that does what ``fault`` says, and the rungs that it was on."""

    def __init__(self, clips=None, **faults):
        self.fault = Fault(SimulatedClock(), **faults)
        engines = EnginePool({"synth": SineEngine, "faulty": faulty(self.fault)})
        super().__init__("faulty", engines=engines, archive=clips and ArchiveEngine(clips))
        self.fault.clock = self.clock

    @property
    def tiers(self) -> list[str]:
        found = [e.data["rung"] for e in self.events if e.kind == "rung"]
        return [rung for n, rung in enumerate(found) if n == 0 or found[n - 1] != rung]

    def until(self, tier: Tier, limit_s: float = 120.0) -> float:
        """Play until the station is on a rung; how long that took."""
        began = self.clock.now()
        while self.station.failover.tier is not tier:
            assert self.clock.now() < began + limit_s, f"not {tier} after {limit_s} s"
            self.play(0.25)
        return self.clock.now() - began

    def check(self, bound: float = STEP) -> None:
        """Nothing came late, nothing was silent, no click, and every frame went on air once."""
        assert self.station.late_s <= 1e-6
        frames = [a.block.frame for a in self.steps]
        assert frames == list(np.cumsum([0, *[len(a.block.samples) for a in self.steps[:-1]]]))
        window = RATE // 100
        sound = self.sound[: len(self.sound) // window * window, 0].reshape(-1, window)
        assert np.sqrt(np.mean(sound**2, axis=1)).min() > 0.01
        assert clicks(self.sound) < bound


def hz_at(sound: np.ndarray, second: float) -> float:
    part = sound[round(second * RATE) : round((second + 0.5) * RATE), 0]
    return float(np.argmax(np.abs(np.fft.rfft(part * np.hanning(len(part)), RATE))))


@pytest.fixture
def clips(tmp_path):
    shelf = ClipStore(tmp_path / "clips", 10, 1e9)
    for n in range(3):
        t = np.arange(32 * RATE) / RATE
        wave = ((0.1 + 0.001 * n) * np.sin(2 * np.pi * CLIP_HZ * t)).astype(np.float32)
        sound = Audio(np.stack([wave, wave], axis=1), RATE).fade(1.0, 1.0)
        about = {"title": f"Clip {n}", "tempo_bpm": 120.0, "key": "A minor"}
        shelf.add(encode(sound, "mp3", 192), ClipInfo(about, tuple(range(0, 32 * RATE, RATE // 2))))
    return shelf


def test_an_engine_that_is_back_before_the_reserve_runs_low_is_never_missed():
    with Faulty() as tape:
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
def test_a_lost_engine_is_followed_by_the_embedded_one_and_comes_back(error, caplog):
    with Faulty() as tape:
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


def test_recycled_clips_come_first_each_once_then_the_embedded_engine(clips):
    with Faulty(clips) as tape:
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


def test_an_engine_that_hangs_blocks_nobody_and_is_heard_again_when_it_wakes():
    with Faulty() as tape:
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


def test_an_engine_that_hangs_for_good_is_given_up_and_opened_again():
    with Faulty() as tape:
        tape.play(30)
        tape.fault.hangs = True
        tape.play(120)
        assert tape.station.times_lost == 1
        tape.fault.hangs = False
        tape.until(Tier.PRIMARY)
        tape.play(30)
        tape.check()


def test_a_wish_while_the_engine_is_away_is_granted_by_the_embedded_one_and_kept_by_the_engine():
    with Faulty() as tape:
        tape.play(30)
        tape.fault.error = EngineLost("gone")
        assert tape.station.understand("another way").text  # nobody has noticed yet
        tape.play(2)
        assert tape.station.failover.tier is Tier.RESERVE
        assert tape.station.understand("another way").text
        tape.play(10)
        edge = tape.station.edge
        wish = tape.station.steer("another way", over_s=2.0)
        tape.until(Tier.EMBEDDED, 20)
        assert edge + 2 * RATE <= wish.result(10).frame <= edge + 6 * RATE
        tape.play(10)
        again = tape.station.steer("and another", over_s=2.0)
        tape.play(5)
        assert again.result(10).frame > wish.result().frame
        tape.fault.error = None
        tape.until(Tier.PRIMARY)
        tape.play(30)
        tape.check(0.1)  # steering adds tones of 1.5 kHz
    steers = [e.data["prompt"] for e in tape.events if e.kind == "steer"]
    assert steers == ["another way", "and another"]
    assert [e.data["prompt"] for e in tape.events if e.kind == "piece"][-1] == "and another"


def test_a_wish_that_cannot_be_granted_leaves_no_trace():
    class Deaf(SineEngine):
        def open(self, request):
            stream = super().open(request)
            stream.fork = stream.steer = self.refuse
            return stream

        def refuse(self, *args):
            raise EngineError("it takes no wishes")

    with RecordedStation("synth", engines=EnginePool({"synth": Deaf})) as tape:
        tape.play(10)
        before = tape.station.prompt
        wish = tape.station.steer("another way")
        tape.play(2)
        with pytest.raises(EngineError, match="no wishes"):
            wish.result(10)
        assert tape.station.prompt == before
        assert tape.station.times_lost == 0


def test_a_wish_to_an_engine_that_hangs_is_not_lost():
    with Faulty() as tape:
        tape.play(30)
        tape.fault.hangs = True
        wish = tape.station.steer("another way", over_s=2.0)
        began = tape.clock.now()
        while not wish.done():
            tape.play(0.5)
            assert tape.clock.now() < began + 10
        assert tape.station.failover.tier is Tier.EMBEDDED
        tape.fault.hangs = False
        tape.until(Tier.PRIMARY)
        tape.play(20)
        tape.check(0.1)


def test_a_model_that_loads_is_promoted_without_a_gap(caplog):
    with Faulty(loading_s=45.0) as tape:
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


def test_a_model_that_cannot_be_loaded_leaves_the_embedded_engine_and_says_why(caplog):
    with Faulty(loading_s=5.0, load_error=CheckpointError("model.safetensors is damaged")) as tape:
        tape.play(400)
        tape.check()
        assert tape.station.failover.tier is Tier.EMBEDDED
        assert tape.station.failover.cause is Cause.FAILED
        assert tape.station.failover.detail == "model.safetensors is damaged"
    assert tape.fault.loads == 1
    assert len([r for r in caplog.records if "damaged" in r.getMessage()]) == 1


def test_one_that_cannot_be_reached_is_tried_again_with_patience():
    with Faulty(load_error=EngineLost("nobody listens there")) as tape:
        tape.play(300)
        assert tape.station.failover.tier is Tier.EMBEDDED
        assert 15 < tape.fault.loads < 50
        tape.fault.load_error = None
        tape.until(Tier.PRIMARY, 40)
        tape.play(20)
        tape.check()


def test_nobody_listens_nobody_tries():
    with Faulty() as tape:
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


def test_random_faults_never_make_a_gap(clips):
    draw = random.Random(11)
    with Faulty(clips) as tape:
        tape.play(20)
        for _ in range(20):
            kind = draw.choice(["lost", "hangs", "slow", "fine"])
            tape.fault.error = EngineLost("gone") if kind == "lost" else None
            tape.fault.hangs = kind == "hangs"
            tape.fault.speed = 0.5 if kind == "slow" else 20.0
            tape.play(draw.uniform(1, 50))
            if draw.random() < 0.3:
                tape.station.steer(f"wish {draw.random():.3f}", over_s=1.0)
        tape.fault.error, tape.fault.hangs, tape.fault.speed = None, False, 20.0
        tape.until(Tier.PRIMARY, 400)
        tape.play(30)
        tape.check(0.5)


def test_the_embedded_engine_itself_breaks_and_goes_on_at_once():
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


def test_setting_the_clock_changes_the_time_of_day_and_nothing_else():
    with Faulty() as tape:
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


def test_a_stream_that_hangs_while_it_is_opened_is_given_up_too():
    with Faulty() as tape:
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
