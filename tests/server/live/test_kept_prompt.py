"""A restarted station plays the prompt that it was steered to, as long as its own programme is what it was."""

import pytest
from radio_server import events, serving

from lullwave.clock import SimulatedClock
from lullwave.settings.stations import StationSettings
from lullwave.station.programme import OwnProgramme

STATIONS = [{"id": "open", "prompts": ["a tone"]}, {"id": "second", "prompts": ["a tone"]}]
WEIGHED = "(warm:1.3) pads, -drums | 雨 :2"


def restarted(tmp_path, **flags):
    return serving(tmp_path, **{"stations": STATIONS, "steer_every_s": 0.0, **flags})


def steer(served, prompt, station="open"):
    assert served.json(f"/api/stations/{station}/prompt", "POST", {"prompt": prompt})["state"] == "turning"


def playing(served, station="open"):
    told = served.json(f"/api/stations/{station}")
    return told["prompt"], told["steered"]


@pytest.fixture
def steered(tmp_path):
    """A data directory in which one of two stations was steered."""
    with restarted(tmp_path) as served:
        assert playing(served) == ("a tone", False)
        steer(served, "passing")
        steer(served, WEIGHED)
        assert playing(served) == (WEIGHED, True)
    return tmp_path


def test_a_steered_station_goes_on_after_a_restart_until_it_is_led_back(steered):
    with restarted(steered) as served:
        assert playing(served) == (WEIGHED, True)
        assert playing(served, "second") == ("a tone", False)
        with served.listening() as stream, served.listening("/api/events") as feed:
            served.clock.advance(10)
            assert stream.read1(1000)
            assert next(data for kind, data in events(feed) if kind == "piece")["prompt"] == WEIGHED
            assert served.json("/api/stations/open/own-programme", "POST")["prompt"] == "a tone"
            told = next(data for kind, data in events(feed) if kind == "programme")
            assert (told["steered"], told["prompt"]) == (False, "a tone")
        assert playing(served) == ("a tone", False)
    with restarted(steered) as served:
        assert playing(served) == ("a tone", False)


@pytest.mark.parametrize(
    "changed",
    [
        {"stations": [{"id": "open", "prompts": ["another tone"]}]},
        {"stations": [{"id": "open", "prompts": ["a tone"], "hours": {"0-24": "a tone"}}]},
        {"stations": [{"id": "open", "prompts": ["a tone"], "ambience": ["rain"]}]},
        {"keep_steered": False},
    ],
)
def test_other_settings_mean_the_stations_own_programme(steered, changed):
    with restarted(steered, **changed) as served:
        assert playing(served)[1] is False


@pytest.mark.parametrize("content", ["", "[1]", '{"own": 1}', '{"own": {}, "prompt": 5}', "\ud83d", '"' * 5000])
def test_a_damaged_file_is_no_obstacle(steered, content):
    file = steered / "steered" / "open.json"
    file.write_bytes(content.encode(errors="surrogatepass"))
    with restarted(steered) as served:
        assert playing(served) == ("a tone", False)
        steer(served, "again")
    with restarted(steered) as served:
        assert playing(served) == ("again", True)


def test_a_directory_that_cannot_be_written_costs_nothing_but_the_memory(tmp_path):
    (tmp_path / "steered").write_text("in the way")
    with restarted(tmp_path) as served:
        steer(served, "one")
        assert playing(served) == ("one", True)


def test_the_own_programme_is_that_of_the_hour_or_the_prompt_whose_turn_it_is(tmp_path):
    config = StationSettings(id="day", prompts=("one", "two"), hours={"6-9": "bright"})
    programme = OwnProgramme(config, 7 * 60)
    assert programme.prompt == "bright"
    assert not any(programme.piece_began() for _ in range(9))  # an hour's prompt has no turn
    assert not programme.moved_to(8 * 60)
    assert programme.moved_to(9 * 60)
    programme.restart_turn()
    assert (programme.prompt, [programme.piece_began() for _ in range(3)]) == ("one", [False, False, True])
    assert programme.prompt == "two"

    always = [{"id": "open", "prompts": ["a tone"], "hours": {"0-12": "bright", "12-24": "bright"}}]
    with restarted(tmp_path, stations=always, clock=SimulatedClock()) as served:
        steer(served, "one")
        assert served.json("/api/stations/open/own-programme", "POST")["prompt"] == "bright"
        assert playing(served) == ("bright", False)
