"""The stems and notes of a past moment: they add up to what was heard, over a steer, and say who cannot write them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from recorded_station import RecordedStation
from sine_engine import RATE, SineEngine

from lullwave.archive.history import History
from lullwave.audio import Audio
from lullwave.engines.synth.engine import SynthEngine
from lullwave.errors import StreamClosed, Unsupported
from lullwave.mastering import Master
from lullwave.server.engine_pool import EnginePool
from lullwave.server.live.history_recorder import HistoryRecorder
from lullwave.settings import load
from lullwave.station.replay import MomentParts, replay_moment

pytestmark = pytest.mark.usefixtures("no_encoder")


@pytest.fixture
def recorded(tmp_path):
    """Play a station of ``kind``, steered after 6 s and skipped after 10 s; returns it with its history."""
    history = History(tmp_path / "h.sqlite3", 1e9)
    executor = ThreadPoolExecutor(1)

    def play(kind, seconds):
        tape = RecordedStation(engines=EnginePool({"synth": kind}), prompts=("rhodes and drums, 100 bpm",))
        HistoryRecorder(tape.station, history, executor, load(), tape.clock)
        with tape:
            tape.play(6)
            tape.station.steer("slow piano, no drums")
            tape.play(4)
            tape.station.skip()
            tape.play(seconds - 10)
        executor.shutdown()
        return tape, history

    yield play
    history.close()


def test_the_stems_of_a_moment_with_a_steer_and_a_crossfade_add_up_to_what_went_on_air(recorded, tmp_path):
    tape, history = recorded(SynthEngine, 18)
    points = [point for step in tape.steps for point in step.block.restore_points]
    (join,) = [point.frame for point in points if point.overlap]
    steered = max(point.frame for point in points if point.frame < join)
    assert steered > 6 * RATE
    engine = SynthEngine()
    begin, seconds = steered - RATE, (join - steered) / RATE + 3.0
    wall = tape.steps[0].epoch.wall + begin / RATE
    moment = ("test", wall, seconds, lambda name: engine)
    parts = MomentParts.find(history, *moment)
    assert parts.written() == ["midi", "stems"]
    stems = parts.stems(tmp_path)
    assert {"drums", "noise"} <= set(stems)
    mix = sum(samples.astype(np.float64) for samples in stems.values())
    aired = tape.sound[begin : begin + len(mix)]
    assert len(mix) == round(seconds * RATE)
    assert np.abs(mix - aired).max() < 1e-4
    assert np.sqrt(np.mean(aired**2)) > 0.03

    # Mastered from the state that the station had before it, the sum is the kept sound itself.
    anchor = history.states(history.moment("test", wall), len(mix))[0]
    master = Master(RATE, 2)
    master.restore(anchor.master)
    before = tape.sound[anchor.master_frame : begin]
    made = master.process(Audio(np.concatenate([before, mix]).astype(np.float32), RATE)).samples
    kept = replay_moment(history, *moment)[0].samples
    shift = len(before) + master.latency_frames
    n = len(made) - shift
    assert n > 5 * RATE
    assert np.abs(made[shift:] - kept[:n]).max() < 1e-3

    assert parts.midi().startswith(b"MThd")
    with pytest.raises(StreamClosed):
        parts.stems(tmp_path, lambda: True)


def test_an_engine_without_them_says_so(recorded, tmp_path):
    tape, history = recorded(SineEngine, 12)
    parts = MomentParts.find(history, "test", tape.steps[0].epoch.wall + 1.0, 3.0, lambda name: SineEngine())
    assert parts.written() == []
    with pytest.raises(Unsupported, match="the engine 'synth', which played then, cannot write MIDI"):
        parts.midi()
    with pytest.raises(Unsupported, match="cannot write stems"):
        parts.stems(tmp_path)
