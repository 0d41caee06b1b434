"""Replay of a station whose engine failed: rendered again sample for sample, or refused with a reason."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from faulty_engine import HZ, LIGHTER_HZ, SMALLER_HZ, faulty
from faulty_station import FaultyStation
from sine_engine import RATE, SineEngine

from lullwave.archive.history import History
from lullwave.clock import FOREVER
from lullwave.errors import EngineLost, SnapshotError
from lullwave.server.live.history_recorder import HistoryRecorder
from lullwave.settings import load
from lullwave.station import ArchiveEngine, Tier
from lullwave.station.output import OutputLevels
from lullwave.station.replay import replay

pytestmark = pytest.mark.usefixtures("no_encoder")


@pytest.fixture
def taped(tmp_path, clips):
    """A station that lost its engine for a while, with its history."""
    tape = FaultyStation(clips)
    history = History(tmp_path / "h.sqlite3", 1e9)
    executor = ThreadPoolExecutor(1)
    HistoryRecorder(tape.station, history, executor, load(), tape.clock)
    yield tape, history, executor
    history.close()


def rendered_again(tape, history, frame, seconds=3.0, archive=None):
    moment = history.moment("test", tape.steps[0].epoch.wall + frame / RATE)
    assert moment.frame == frame
    frames = round(seconds * RATE)
    engines = {"synth": SineEngine(), "faulty": faulty(tape.fault)(), ArchiveEngine.name: archive}
    sound, exact = replay(history.states(moment, frames + RATE), frame, frames, OutputLevels(), engines.__getitem__)
    assert exact
    return sound.samples


def aired(tape) -> np.ndarray:
    whole = np.concatenate([a.mastered for a in tape.steps])
    return whole[-tape.steps[0].mastered_frame :]


def test_every_tier_and_every_crossfade_is_rendered_again_sample_for_sample(taped, clips):
    tape, history, executor = taped
    with tape:
        tape.play(40)
        tape.fault.error = EngineLost("gone")
        tape.until(Tier.ARCHIVE)
        tape.play(50)
        tape.station.steer("something else")
        tape.until(Tier.EMBEDDED)
        tape.play(20)
        tape.fault.error = None
        tape.until(Tier.PRIMARY)
        tape.play(40)
        tape.check(0.1)
    executor.shutdown()
    joins = [s.frame for a in tape.steps for s in a.block.restore_points if s.overlap]
    assert len(joins) == 3
    sound = aired(tape)
    for join in joins:
        for frame in (join - RATE, join + RATE, join + 5 * RATE):
            again = rendered_again(tape, history, frame, archive=ArchiveEngine(clips))
            np.testing.assert_array_equal(again, sound[frame : frame + len(again)])
    past = [(p.data.get("source"), p.data.get("title")) for p in history.entries("test") if p.kind == "piece"]
    assert {source for source, _ in past} == {None, "recycled", "embedded"}
    for path in clips.files():
        path.unlink()
    with pytest.raises(SnapshotError, match="cannot be read"):
        rendered_again(tape, history, joins[0] + 5 * RATE, archive=ArchiveEngine(clips))


def test_lighter_options_are_rendered_again_with_the_switches_to_and_from_them(taped, clips):
    tape, history, executor = taped
    with tape:
        tape.play(20)
        tape.fault.speed, tape.fault.speeds = 0.6, {LIGHTER_HZ: 0.7, SMALLER_HZ: 2.0}
        tape.play(65)
        assert tape.station.lighter_level == 2
        tape.fault.speed, tape.fault.speeds = 5.0, {}
        tape.play(50)
        assert tape.station.lighter_level == 1
        tape.check()
    tape.fault.speed = FOREVER
    executor.shutdown()
    joins = [s.frame for a in tape.steps for s in a.block.restore_points if s.overlap]
    assert len(joins) == 3
    sound = aired(tape)
    for join in joins:
        again = rendered_again(tape, history, join - RATE, 6.0, ArchiveEngine(clips))
        np.testing.assert_array_equal(again, sound[join - RATE : join - RATE + len(again)])

    class Smaller(SineEngine):
        """Of the station's rate, but one model of it is not."""

        def restore(self, snapshot):
            stream = super().restore(snapshot)
            stream.rate = RATE if stream._hz == HZ else 32000
            return stream

    for frame, alike in ((5 * RATE, False), (joins[1] + 5 * RATE, True)):
        states = history.states(history.moment("test", tape.steps[0].epoch.wall + frame / RATE), RATE)
        assert replay(states, frame, RATE, OutputLevels(), lambda name: Smaller())[1] is not alike


def test_an_engine_without_snapshots_cannot_be_replayed(taped, clips):
    tape, history, executor = taped
    tape.fault.snapshots = False
    with tape:
        tape.play(40)
        tape.fault.error = EngineLost("gone")
        tape.until(Tier.ARCHIVE)
        tape.play(20)
        tape.fault.error = None
        tape.until(Tier.PRIMARY)
        tape.play(40)
        tape.check()
    executor.shutdown()
    back = [s.frame for a in tape.steps for s in a.block.restore_points if s.engine == "faulty"][-1]
    for frame in (5 * RATE, back + 5 * RATE):
        with pytest.raises(SnapshotError, match="has no snapshots"):
            rendered_again(tape, history, frame, archive=ArchiveEngine(clips))
