"""What prompts mean for the eye, from what the embedded engine understands of them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from lullwave.engines.base import Understanding
from lullwave.engines.synth.engine import understand
from lullwave.errors import PromptError
from lullwave.server.live.scenery import EXPLAINED_MOST, Scenery, SceneryReader


@pytest.mark.parametrize(
    ("prompt", "place", "time", "sounds", "mood"),
    [
        ("rainy night piano, slower", "city", "night", ("rain",), "sleepy"),
        ("warm synthwave", "road", "night", (), "calm"),
        ("sunny bossa guitar by the sea", "beach", "day", ("waves",), "calm"),
        ("folk by the campfire", "forest", "evening", ("fire",), "calm"),
        ("faster dance", "road", "night", (), "lively"),
        ("morning coffee", "window", "day", ("cafe",), "calm"),
        ("ambient drone :2 | folk :1", "stars", "night", (), "calm"),
        ("felt piano", "city", None, (), "calm"),
    ],
)
def test_a_prompt_has_the_scenery_of_what_was_understood(prompt, place, time, sounds, mood):
    found = Scenery.of(understand(prompt).understood)
    assert (found.place, found.time, found.sounds, found.mood) == (place, time, sounds, mood)


def test_a_station_keeps_its_own_place_in_the_weather_of_its_prompt():
    found = Scenery.of(understand("rainy folk").understood, own="stars")
    assert (found.place, found.sounds) == ("stars", ("rain",))


def test_an_engine_that_explains_nothing_has_the_plain_scenery():
    assert Scenery.of({}).data() == {"place": "city", "time": None, "sounds": [], "mood": "calm"}


class Station:
    """A station that counts what its engine is asked."""

    def __init__(self, prompt: str, scene: str = "") -> None:
        self.prompt = self.own_prompt = prompt
        self.config = SimpleNamespace(scene=scene)
        self.steered = False
        self.asked: list[str] = []

    def steer(self, prompt: str) -> None:
        self.prompt, self.steered = prompt, prompt != self.own_prompt

    def understand(self, prompt: str) -> Understanding:
        self.asked.append(prompt)
        if prompt == "(":
            raise PromptError("prompt", prompt, "no bracket alone")
        return understand(prompt)


def test_requests_move_the_place_and_the_own_programme_brings_it_back():
    station = Station("warm synthwave", scene="window")
    reader = SceneryReader(station)
    assert asyncio.run(reader.read()).place == "window"
    station.steer("bossa on the beach")
    assert asyncio.run(reader.read()).place == "beach"
    assert asyncio.run(reader.own_place()) == "window"
    station.steer("warm synthwave")
    assert asyncio.run(reader.read()).place == "window"
    assert station.asked == ["warm synthwave", "bossa on the beach"]  # each prompt once


def test_a_link_shows_the_own_place_of_a_station_that_is_steered():
    station = Station("warm synthwave")
    station.steer("bossa on the beach")
    assert asyncio.run(SceneryReader(station).own_place()) == "road"


def test_what_cannot_be_explained_leaves_the_scenery_as_it_was():
    station = Station("warm synthwave")
    reader = SceneryReader(station)
    before = asyncio.run(reader.read())
    station.steer("(")
    assert asyncio.run(reader.read()) == before


def test_only_the_newest_prompts_are_remembered():
    station = Station("folk")
    reader = SceneryReader(station)
    for bpm in range(60, 60 + EXPLAINED_MOST):
        station.steer(f"{bpm} bpm")
        asyncio.run(reader.read())
    station.steer("folk")
    asyncio.run(reader.read())
    station.steer("60 bpm")
    asyncio.run(reader.read())
    assert station.asked.count("60 bpm") == 2
    assert len(station.asked) == EXPLAINED_MOST + 2
