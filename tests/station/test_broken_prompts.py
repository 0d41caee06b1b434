"""A station whose music breaks again and again on one prompt, that falls silent, or that loses a thread."""

import pytest
from recorded_station import RecordedStation
from sine_engine import RATE, SineEngine, SineStream

from lullwave.audio import Audio
from lullwave.errors import EngineFailed
from lullwave.request import Request
from lullwave.server.engine_pool import EnginePool
from lullwave.station import Tier

pytestmark = pytest.mark.usefixtures("bare_playout")
SURVIVES = 15 * RATE  # frames that a stream of a bad prompt gives


def picky(after: int = SURVIVES, fails: list[bool] | None = None, engine: str = "synth") -> type[SineEngine]:
    """An engine that breaks on prompts with ``bad``, and on all while ``fails`` is not empty."""

    class Picky(SineEngine):
        name = engine

        def open(self, request: Request, **audio_prompts: Audio) -> SineStream:
            made = super().open(request)
            return PickyStream(self, request, made._hz, 0, [])

        def restore(self, snapshot: bytes) -> SineStream:
            made = super().restore(snapshot)
            return PickyStream(self, made.request, made._hz, made.position, made._steers)

    class PickyStream(SineStream):
        def read(self, frames: int) -> Audio:
            since = self._steers[-1][0] if self._steers else 0
            bad = "bad" in self._prompt() and self._position + frames > since + after
            if bad or fails:
                raise ZeroDivisionError("float division by zero")
            return super().read(frames)

    return Picky


def station(prompt: str = "a tone", **changes) -> RecordedStation:
    return RecordedStation(prompts=(prompt,), engines=EnginePool({"synth": picky(**changes)}))


def test_a_prompt_that_breaks_at_every_piece_leads_back_to_the_last_that_played():
    with station() as tape:
        tape.play(30)
        bad = tape.station.steer("bad luck")
        tape.play(4)
        assert bad.result(10)
        tape.play(120)
        assert tape.station.prompt == "a tone"
        assert tape.station.silent_s < 1
        assert tape.station.late_s <= 1e-6
        assert [e.data["prompt"] for e in tape.events if e.kind == "steer"] == ["bad luck", "a tone"]
        losses = tape.station.times_lost
        good = tape.station.steer("another way")
        tape.play(60)
        assert good.result(10)
        assert tape.station.prompt == "another way"
        assert tape.station.times_lost == losses  # the prompt before plays without a break


@pytest.mark.parametrize("after", [0, SURVIVES])
def test_a_station_whose_own_prompt_breaks_plays_the_plain_programme(after):
    with station("bad from the start", after=after) as tape:
        tape.play(90)
        assert tape.station.prompt == ""
        assert tape.station.edge > 80 * RATE
        assert tape.station.times_lost <= 3


def test_a_request_that_breaks_at_once_fails_and_the_music_stays():
    with station(after=0) as tape:
        tape.play(30)
        bad = tape.station.steer("bad luck")
        tape.play(10)
        with pytest.raises(EngineFailed, match="division"):
            bad.result(10)
        tape.play(60)
        assert tape.station.prompt == "a tone"
        assert tape.station.failover.tier is Tier.PRIMARY
        assert tape.station.late_s <= 1e-6


def test_another_engine_and_the_embedded_one_that_break_on_a_prompt_play_the_plain_programme():
    engines = EnginePool({"synth": picky(after=0), "model": picky(after=0, engine="model")})
    with RecordedStation("model", prompts=("bad for both",), engines=engines) as tape:
        tape.play(60)
        assert tape.station.failover.tier is Tier.EMBEDDED
        assert tape.station.edge > 50 * RATE


def test_a_silent_station_refuses_requests_at_once_and_plays_on_after_a_restart():
    fails: list[bool] = []
    with station(fails=fails) as tape:
        tape.play(30)
        fails.append(True)
        tape.play(60)
        assert tape.station.silent_s > 30
        with pytest.raises(EngineFailed, match="silent"):
            tape.station.steer("another way")
        tape.station.restart()
        tape.play(10)
        assert tape.station.silent_s > 40  # the engine still breaks
        fails.clear()
        tape.station.restart()
        tape.play(20)
        assert tape.station.silent_s < 1
        frames = [step.block.frame for step in tape.steps]
        assert frames == [sum(len(s.block.samples) for s in tape.steps[:n]) for n in range(len(frames))]
        assert tape.station.steer("another way")
        assert tape.station.restarts == 2


def test_requests_that_wait_at_a_silent_station_fail_with_its_restart():
    fails: list[bool] = []
    with station(fails=fails) as tape:
        tape.play(30)
        fails.append(True)
        tape.play(20)
        waits = tape.station.steer("another way")
        tape.play(20)
        tape.station.restart()
        with pytest.raises(EngineFailed):
            waits.result(10)


def test_a_station_that_loses_its_playout_thread_goes_on_with_the_next_frame(monkeypatch):
    with station() as tape:
        tape.play(30)
        reserve = tape.station._reserve
        take = reserve.take
        monkeypatch.setattr(reserve, "take", lambda frames: 1 / 0)
        tape.play(2)
        assert not tape.station.alive
        monkeypatch.setattr(reserve, "take", take)
        tape.station.restart()
        tape.play(20)
        assert tape.station.alive
        assert tape.station.silent_s < 1
        assert tape.steps[-1].chunk.number == len(tape.steps) - 1


def test_a_station_that_loses_its_producer_thread_keeps_playing_after_a_restart():
    with station() as tape:
        tape.play(30)
        tape.station._producer._stopping.set()
        tape.station._producer._wake()
        tape.play(2)
        assert not tape.station.alive
        tape.station.restart()
        tape.play(90)
        assert tape.station.alive
        assert tape.station.late_s <= 1e-6
