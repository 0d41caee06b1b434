"""A station on a simulated clock airs what its engine rendered, sample for sample."""

import threading
import time

import numpy as np
import pytest
from recorded_station import RecordedStation, clicks
from sine_engine import RATE, SineEngine, tone

from lullwave.clock import SimulatedClock
from lullwave.codecs import decode
from lullwave.errors import PromptError
from lullwave.station import CHUNK_S
from lullwave.station.steering import STEER_LEAD_S


def test_the_programme_goes_on_air_by_the_clock_and_to_the_sample():
    with RecordedStation() as tape:
        tape.clock.settle()
        ahead = sum(a.chunk.frames for a in tape.steps)
        assert 2.5 * RATE <= ahead <= 3.5 * RATE  # the burst, at once
        tape.play(60)
        np.testing.assert_array_equal(tape.sound, tone(0, len(tape.sound), 220.0, []))
        assert abs(len(tape.sound) / RATE - 63) <= CHUNK_S + 0.01
        assert [a.chunk.number for a in tape.steps] == list(range(len(tape.steps)))
        ends = [a.chunk.frame + a.chunk.frames for a in tape.steps]
        assert [a.chunk.frame for a in tape.steps[1:]] == ends[:-1]


def test_piece_events_carry_the_frame_at_which_the_piece_is_heard():
    with RecordedStation() as tape:
        tape.play(45)
        pieces = [e for e in tape.events if e.kind == "piece"]
        assert [e.frame for e in pieces] == [0, 20 * RATE, 40 * RATE]
        assert tape.station.now.started_frame == 40 * RATE
        assert tape.station.now.data["title"] == "Tone 2"
        assert [e.data["state"] for e in tape.events if e.kind == "state"] == ["on air"]


def test_chunk_stamps_agree_with_the_decoded_sound():
    """Frame 0 of the decoded stream is the first chunk's frame: the tone's phase says so."""
    with RecordedStation() as tape:
        tape.play(30)
        decoded = decode(tape.mp3).samples[:, 0].astype(np.float64)
        at = tape.steps[20].chunk.frame
        begin = at - tape.steps[0].chunk.frame
        n = np.arange(RATE)
        turn = np.exp(-2j * np.pi * 220.0 * (n + at) / RATE)
        phase = np.angle(np.sum(decoded[begin : begin + RATE] * turn))
        ratio = 28.0 / 220.0  # the master's high-pass of second order turns the phase by this much
        turned = np.arctan2(np.sqrt(2) * ratio, 1 - ratio**2)
        assert abs(phase + np.pi / 2 - turned) < 2 * np.pi * 220.0 / RATE  # one frame


def test_the_reserve_is_kept_full():
    with RecordedStation(reserve_s=24.0) as tape:
        changed = threading.Event()
        tape.station._reserve.watch(changed.set)
        for _ in range(5):
            tape.play(7)
            while tape.station.reserve_s < 24.0:
                assert changed.wait(30)
                changed.clear()


def test_a_station_without_listeners_sleeps_and_continues_sample_for_sample():
    with RecordedStation(sleep_after_s=5.0) as tape:
        tape.play(20)
        tape.station.set_listening(False)
        tape.play(3600)
        assert tape.station.state == "asleep"
        frames = tape.station.edge
        assert abs(frames / RATE - 28) < 2 * CHUNK_S
        tape.station.set_listening(True)
        tape.clock.settle()
        assert tape.station.state == "on air"
        tape.play(10)
        np.testing.assert_array_equal(tape.sound, tone(0, len(tape.sound), 220.0, []))
        assert abs(len(tape.sound) - frames - 10 * RATE) < 2 * CHUNK_S * RATE
        assert tape.steps[-1].epoch.frame == frames
        assert [e.data["state"] for e in tape.events if e.kind == "state"] == ["on air", "asleep", "on air"]


def test_a_station_sleeps_where_its_moment_is_rounded_down(monkeypatch):
    monkeypatch.setattr("lullwave.clock.STUCK_S", 20.0)
    assert (9.54 + 60.0) - 9.54 < 60.0  # at the moment for which the playout waits, not quite 60 s seem to have passed
    with RecordedStation(sleep_after_s=60.0) as tape:
        tape.play(9.54)
        tape.station.set_listening(False)
        tape.play(61)
        assert tape.station.state == "asleep"


def test_a_crossfade_replaces_an_engine_that_fails_and_the_failure_is_logged_once(caplog):
    with RecordedStation("broken") as tape:
        tape.play(40)
        assert "synth" in [e.data["engine"] for e in tape.events if e.kind == "rung"]
        assert clicks(tape.sound) < 0.02
        loud = [np.sqrt(np.mean(tape.sound[i : i + RATE // 2] ** 2)) for i in range(0, len(tape.sound), RATE // 2)]
        assert min(loud) > 0.02
        assert tape.steps[-1].chunk.number == len(tape.steps) - 1
    assert len([r for r in caplog.records if "told to" in r.getMessage()]) == 1


def test_a_subscriber_that_fails_does_not_stop_the_music(caplog):
    with RecordedStation() as tape:
        calls = []

        def breaks(thing):
            calls.append(thing)
            raise ValueError("no more")

        tape.station._sinks._on_step.insert(0, breaks)
        tape.station._sinks._on_event.insert(0, breaks)
        tape.play(30)
        np.testing.assert_array_equal(tape.sound, tone(0, len(tape.sound), 220.0, []))
        assert len(calls) > 50
    assert len([r for r in caplog.records if "goes on" in r.getMessage()]) == 1


def test_an_engine_of_another_rate_is_resampled():
    with RecordedStation("slow-rate") as tape:
        tape.play(45)
        ours, wanted = tape.sound[RATE:], tone(0, len(tape.sound), 220.0, [])[RATE:]
        assert np.max(np.abs(ours - wanted)) < 2e-3
        assert [e.frame for e in tape.events if e.kind == "piece"] == [0, 20 * RATE, 40 * RATE]


@pytest.mark.parametrize("engine", ["synth", "slow-rate"])
def test_steering_is_heard_soon_on_a_beat_and_without_a_click(engine):
    with RecordedStation(engine) as tape:
        tape.play(31.3)
        edge = tape.station.edge
        steered = tape.station.steer("more of it", over_s=2.0).result(30)
        assert edge + STEER_LEAD_S * RATE <= steered.frame <= edge + 1.4 * RATE
        assert steered.frame % (RATE // 2) == 0
        assert "more of it" in steered.understanding.text
        tape.play(20)
        wanted = tone(0, len(tape.sound), 220.0, [(steered.frame, "more of it", 2.0)])
        if engine == "synth":
            np.testing.assert_array_equal(tape.sound, wanted)
        else:
            assert np.max(np.abs(tape.sound[RATE:] - wanted[RATE:])) < 2e-3
        (told,) = [e for e in tape.events if e.kind == "steer"]
        assert told.data["prompt"] == "more of it"
        assert 0 <= told.frame - steered.frame <= (0 if engine == "synth" else 0.05 * RATE)
        assert tape.station.now.data["prompt"] == "more of it"


def test_several_steer_requests_are_all_carried_out():
    with RecordedStation() as tape:
        tape.play(10)
        requests = [tape.station.steer(f"request {n}", over_s=1.0) for n in range(3)]
        frames = [request.result(30).frame for request in requests]
        tape.play(20)
        steers = [(frame, f"request {n}", 1.0) for n, frame in enumerate(frames)]
        np.testing.assert_array_equal(tape.sound, tone(0, len(tape.sound), 220.0, steers))


def test_a_prompt_that_does_not_parse_is_refused_and_the_music_goes_on():
    with RecordedStation() as tape:
        with pytest.raises(PromptError):
            tape.station.steer("(open")
        tape.play(5)
        np.testing.assert_array_equal(tape.sound, tone(0, len(tape.sound), 220.0, []))


def test_restore_points_render_the_same_music_again():
    with RecordedStation() as tape:
        tape.play(50)
        steered = tape.station.steer("later", over_s=1.0).result(30)
        tape.play(60)
        states = [s for a in tape.steps for s in a.block.restore_points]
        assert states[0].frame == 0
        for state in states:
            stream = SineEngine().restore(state.snapshot)
            again = stream.read(RATE).samples
            np.testing.assert_array_equal(again, tape.sound[state.frame : state.frame + RATE])
        assert any(state.frame >= steered.frame for state in states)


@pytest.mark.usefixtures("bare_playout")
def test_several_configured_prompts_rotate():
    with RecordedStation(prompts=("one", "two")) as tape:
        for _ in range(16):
            tape.play(10)
        turned = [e.data["prompt"] for e in tape.events if e.kind == "steer"]
        assert turned[:3] == ["two", "one", "two"]
        frames = [e.frame for e in tape.events if e.kind == "steer"]
        assert all(gap >= 39 * RATE for gap in np.diff(frames))


@pytest.mark.usefixtures("bare_playout")
def test_the_time_of_day_chooses_the_prompt(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    clock = SimulatedClock()
    noon = 12 * 3600 - clock.wall() % 86400  # seconds until noon
    clock.advance(noon - 60)
    with RecordedStation(prompts=("one", "two"), hours={"12-12:02": "noon", "22-6": "night"}, clock=clock) as tape:
        assert tape.station.prompt == "one"
        for _ in range(30):
            tape.play(10)
        turned = [(e.data["prompt"], e.frame / RATE) for e in tape.events if e.kind == "steer"]
        by_hour = [(prompt, at) for prompt, at in turned if prompt == "noon" or turned.index((prompt, at)) > 0]
        noon_at = next(at for prompt, at in by_hour if prompt == "noon")
        after = next(at for prompt, at in by_hour if at > noon_at)
        assert 60 <= noon_at <= 66
        assert 180 <= after <= 186
    with RecordedStation(hours={"11-13": "late morning"}, clock=clock) as tape:
        assert tape.station.prompt == "late morning"


def test_stopping_ends_the_threads():
    before = threading.active_count()
    with RecordedStation() as tape:
        tape.play(3)
    assert threading.active_count() == before
    assert tape.station.state == "stopped"
