"""A station that plays takes over other settings: what is heard changes by a crossfade, and nothing else happens."""

import numpy as np
import pytest
from faulty_engine import HZ
from faulty_station import FaultyStation, hz_at
from recorded_station import RecordedStation
from sine_engine import HIGH_HZ, RATE, SineEngine

pytestmark = pytest.mark.usefixtures("bare_playout")


def changed(tape, **settings):
    tape.station.configure(tape.station.config.model_copy(update=settings))


def heard(sound, hz) -> bool:
    turn = np.exp(-2j * np.pi * hz * np.arange(len(sound)) / RATE)
    return abs(np.mean(sound[:, 0] * turn)) > 0.005


def test_another_engine_is_crossfaded_in_and_back():
    with FaultyStation() as tape:
        tape.play(20)
        changed(tape, engine="synth")
        at = tape.station.edge
        tape.play(12)
        assert hz_at(tape.sound, at / RATE - 1) == HZ
        assert hz_at(tape.sound, len(tape.sound) / RATE - 1) == 220
        assert (tape.station.engine_name, tape.station.playing_engine) == ("synth", "synth")
        changed(tape, engine="faulty")
        tape.play(12)
        assert hz_at(tape.sound, len(tape.sound) / RATE - 1) == HZ
        assert tape.station.times_lost == 0
        tape.check(0.05)


def test_other_prompts_are_steered_to_and_end_what_was_requested():
    with RecordedStation() as tape:
        tape.play(6)
        tape.station.steer("one").result(30)
        changed(tape, prompts=("bright", "brighter"))
        tape.play(12)
        assert (tape.station.prompt, tape.station.steered) == ("bright", False)
        assert [e.data["steered"] for e in tape.events if e.kind == "programme"] == [True, False]
        assert heard(tape.sound[-2 * RATE :], HIGH_HZ)
        changed(tape, name="Another name", policy="vote")
        tape.play(50)
        assert tape.station.config.title == "Another name"
        assert tape.station.prompt == "brighter"  # the rotation goes on


def test_a_station_that_has_not_started_begins_with_the_new_settings():
    tape = RecordedStation()
    changed(tape, prompts=("bright",), engine="slow-rate")
    with tape:
        tape.play(8)
        assert (tape.station.prompt, tape.station.playing_engine) == ("bright", "slow-rate")


def test_another_seed_begins_another_stream_and_restarts_count_from_it(monkeypatch):
    seeds, opened = [], SineEngine.open
    monkeypatch.setattr(
        SineEngine, "open", lambda self, request: (seeds.append(request.seed), opened(self, request))[1]
    )
    with RecordedStation() as tape:
        tape.play(6)
        tape.station.restart()
        tape.play(6)
        changed(tape, seed=77)
        assert tape.station.seed == 77
        tape.play(6)
        changed(tape, seed=77, name="the same seed")
        changed(tape, seed=78, prompts=("bright",))
        tape.play(12)
        assert (tape.station.prompt, tape.station.steered) == ("bright", False)
        tape.station.restart()
        tape.play(6)
        changed(tape, seed=None)
        tape.play(6)
        assert tape.station.times_lost == 0
    assert seeds[:5] == [1, 2, 77, 78, 79]
    assert seeds[5] == tape.station.seed not in (1, 78, 79)
