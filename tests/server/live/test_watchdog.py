"""A station that falls silent: told at once, restarted inside the process, and the others play on."""

import json

import pytest
from radio_server import ENGINES, Served, serving
from sine_engine import SineEngine, SineStream

from lullwave.audio import Audio
from lullwave.request import Request
from lullwave.server.live.channels import Channels
from lullwave.settings.stations import StationSettings

pytestmark = pytest.mark.usefixtures("bare_playout")


@pytest.fixture
def faults() -> set[str]:
    """Words; a stream whose prompt has one of them breaks."""
    return set()


@pytest.fixture
def served(tmp_path, faults, monkeypatch):
    # No first clip: the default station would replay it.
    monkeypatch.setattr(Channels, "_first_clip", lambda self: self.default.station.fill_reserve())

    class Fragile(SineEngine):
        name = "synth"

        def open(self, request: Request, **audio_prompts: Audio) -> SineStream:
            return FragileStream(self, request, 220.0, 0, [])

        def restore(self, snapshot: bytes) -> SineStream:
            made = super().restore(snapshot)
            return FragileStream(self, made.request, 220.0, made.position, made._steers)

    class FragileStream(SineStream):
        def read(self, frames: int) -> Audio:
            if "all" in faults or any(word in self._prompt() for word in faults):
                raise RuntimeError("the engine broke")
            return super().read(frames)

    stations = (StationSettings(id="one", prompts=("first",)), StationSettings(id="two", prompts=("second",)))
    with serving(tmp_path, engines={**ENGINES, "synth": Fragile}, stations=stations, steer_every_s=0) as running:
        yield running


def ready(served: Served) -> tuple[int, dict]:
    response, data = served.ask("/readyz")
    return response.status, json.loads(data)


def keep_awake(served: Served) -> None:
    """Keep all stations on air without listeners, who would have to read."""
    channels = list(served.app.state.services.channels.stations.values())
    served.on_loop(lambda: [channel.keep_awake() for channel in channels])


def healthy(served: Served) -> bool:
    return served.ask("/healthz")[0].status == 200


def test_silent_stations_are_named_restarted_and_given_up_after_half_a_minute(served, faults):
    keep_awake(served)
    served.clock.advance(30)
    assert ready(served)[1]["silent"] == []
    faults.add("all")
    served.clock.advance(36)
    status, told = ready(served)
    assert (status, told["status"], sorted(told["silent"])) == (503, "silent", ["one", "two"])
    response, data = served.ask("/api/stations/one/prompt", "POST", {"prompt": "another way"})
    assert response.status == 503
    assert "silent" in json.loads(data)["error"]["message"]
    assert healthy(served)
    served.clock.advance(35)
    assert not healthy(served)
    assert sorted(served.json("/healthz")["stations"]) == ["one", "two"]
    faults.clear()
    served.clock.advance(30)
    assert healthy(served)
    assert ready(served)[1]["silent"] == []
    edge = served.json("/api/stations/one")["now"]["frame"]
    served.clock.advance(10)
    assert served.json("/api/stations/one")["now"]["frame"] > edge
    assert 'lullwave_station_restarts_total{station="one"} 0.0' not in served.ask("/metrics")[1].decode()
    assert served.ask("/api/stations/one/prompt", "POST", {"prompt": "another way"})[0].status == 200


def test_a_prompt_that_breaks_the_music_costs_neither_its_station_nor_the_others_theirs(served, faults):
    keep_awake(served)
    served.clock.advance(30)
    assert served.ask("/api/stations/one/prompt", "POST", {"prompt": "a cursed tune"})[0].status == 200
    served.clock.advance(5)
    faults.add("cursed")
    served.clock.advance(60)
    assert served.json("/api/stations/one")["prompt"] == "first"
    assert ready(served)[1]["silent"] == []
    assert served.ask("/api/stations/one/prompt", "POST", {"prompt": "another way"})[0].status == 200
    assert 'lullwave_station_restarts_total{station="one"} 0.0' in served.ask("/metrics")[1].decode()
    assert healthy(served)


def test_a_station_that_lost_a_thread_gets_another_and_a_lost_watchdog_is_told(served):
    live = served.app.state.services.channels
    keep_awake(served)
    served.clock.advance(10)
    station = live.default.station
    station._producer._stopping.set()
    station._producer._wake()
    served.clock.advance(6)
    assert station.alive
    assert (station.restarts, healthy(served)) == (1, True)
    live.watchdog._thread, thread = type(live.watchdog._thread)(), live.watchdog._thread
    assert not healthy(served)
    live.watchdog._thread = thread
