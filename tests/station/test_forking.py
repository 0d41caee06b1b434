"""A station goes on with the music of another one: the same samples at the same loudness, and then its own way."""

import numpy as np
import pytest
from faulty_engine import faulty
from faulty_station import FaultyStation
from recorded_station import RecordedStation, clicks
from sine_engine import HIGH_HZ, RATE

from lullwave.engines.synth.engine import SynthEngine
from lullwave.server.engine_pool import EnginePool
from lullwave.station.forking import MAX_BACK_S, resume_point
from lullwave.station.governor import Pace
from lullwave.station.reserve import Reserve
from lullwave.station.source import StreamSnapshot

pytestmark = pytest.mark.usefixtures("no_encoder")


def mastered(tape) -> np.ndarray:
    return np.concatenate([step.mastered for step in tape.steps])


def high(sound) -> float:
    """How loud the tone is that steering adds."""
    turn = np.exp(-2j * np.pi * HIGH_HZ * np.arange(len(sound)) / RATE)
    return float(abs(np.mean(sound[:, 0] * turn)))


@pytest.mark.parametrize(
    ("engine", "kind", "seconds"), [("synth", None, 40), ("slow-rate", None, 40), ("synth", SynthEngine, 20)]
)
def test_the_same_samples_go_on_from_the_frame_that_is_heard(engine, kind, seconds):
    engines = EnginePool({"synth": kind}) if kind else None
    with RecordedStation(engine, engines=engines) as shared:
        shared.play(seconds)
        heard = shared.station.edge - round(4.3 * RATE)
        found = shared.station.fork(heard)
        assert found.frame == heard
        engines = EnginePool({"synth": kind}) if kind else None
        with RecordedStation(engine, engines=engines, clock=shared.clock, forked=found) as own:
            own.play(8)
            assert own.station.resumed
            assert not shared.station.resumed
            n = 6 * RATE
            tolerance = 0.0 if engine == "synth" else 1e-4  # other rates are resampled from another beginning
            assert np.max(np.abs(own.sound[:n] - shared.sound[heard : heard + n])) <= tolerance
            loud, other = (mastered(tape)[begin : begin + n] for tape, begin in ((own, RATE), (shared, heard + RATE)))
            level_db = 20 * np.log10(np.std(loud) / np.std(other))
            assert abs(level_db) < 0.6  # the gain is taken from four seconds later
            assert own.station.prompt == shared.station.prompt


def test_steering_is_heard_on_one_side_only():
    with RecordedStation() as shared:
        shared.play(20)
        with RecordedStation(clock=shared.clock, forked=shared.station.fork()) as own:
            own.play(2)
            own.station.steer("brighter")
            own.play(12)
            assert high(own.sound[-2 * RATE :]) > 0.01 > 0.001 > high(shared.sound[-2 * RATE :])
            assert (own.station.prompt, shared.station.prompt) == ("brighter", "a tone")
            assert clicks(own.sound) < 0.02


def test_the_piece_that_is_on_air_goes_on_where_it_is():
    with RecordedStation() as shared:
        shared.play(30)
        begun = shared.station.now
        found = shared.station.fork(begun.started_frame + 5 * RATE)
        assert found.now.started_frame == -5 * RATE
        assert found.now.data == begun.data
        earlier = shared.station.fork(begun.started_frame - RATE).now  # a listener hears the piece before
        assert (earlier.started_frame, earlier.data["title"]) == (-19 * RATE, "Tone 0")
        with RecordedStation(clock=shared.clock, forked=found) as own:
            assert own.station.now.data["title"] == "Tone 1"
            own.play(20)
            begins = [e.frame for e in own.events if e.kind == "piece"]
            assert begins == [15 * RATE]


def test_what_has_been_asked_for_and_is_not_heard_yet_does_not_go_on():
    with RecordedStation() as shared:
        shared.play(20)
        steered = shared.station.steer("brighter")
        shared.play(1)
        found = shared.station.fork(steered.result().frame - RATE)
        assert (found.prompt, shared.station.prompt) == ("a tone", "brighter")
        assert shared.station.fork(shared.station.edge + 9 * RATE).frame == shared.station.edge
        shared.play(4)
        assert shared.station.fork().prompt == "brighter"
        assert shared.station.fork(0).frame == shared.station.edge - MAX_BACK_S * RATE


def test_an_engine_without_snapshots_begins_a_new_stream_of_the_prompt():
    shared = FaultyStation()
    shared.fault.snapshots = False
    with shared:
        shared.play(20)
        shared.station.steer("another")
        shared.play(12)
        found = shared.station.fork()
        assert (found.resume, found.now, found.prompt) == (None, None, "another")
        engines = EnginePool({"synth": SynthEngine, "faulty": faulty(shared.fault)})
        with RecordedStation("faulty", engines=engines, clock=shared.clock, forked=found) as own:
            own.play(3)
            assert not own.station.resumed
            assert (own.station.prompt, own.station.now.data["title"]) == ("another", "Tone 0")


class Played:
    """What ``resume_point`` reads of a source."""

    def __init__(self, speed: float, *at_s: float) -> None:
        self.offset = 0
        self.pace = Pace(speed, 60.0)
        self.snapshots = tuple(StreamSnapshot(round(s * RATE), b"x", "p") for s in at_s)
        self.stream = None  # it has no snapshot at the wanted frame

    def submit(self, job) -> None:
        job()


@pytest.mark.parametrize(
    ("speed", "wanted_s", "from_s", "until_s"),
    [
        (20.0, 14, 0, 14),  # fourteen seconds are made again in less than one
        (2.0, 14, 15, 15),  # they would take seven: begin one second later
        (2.0, 3, 0, 3),
        (2.0, 29, 15, 29),  # no later snapshot: it takes as long as it takes
    ],
)
def test_a_slow_engine_begins_at_the_next_snapshot(speed, wanted_s, from_s, until_s):
    reserve = Reserve()
    reserve._end = 40 * RATE
    found = resume_point(Played(speed, 0, 15), reserve, wanted_s * RATE)
    assert (found.snapshot.frame, found.until) == (from_s * RATE, until_s * RATE)
    assert resume_point(Played(speed), reserve, wanted_s * RATE) is None
