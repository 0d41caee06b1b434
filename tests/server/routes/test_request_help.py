"""What helps with a request before it is sent: words to choose, what it would mean, and whether it is allowed."""

from __future__ import annotations

from typing import ClassVar

import pytest
from radio_server import ENGINES, serving
from sine_engine import HIGH_HZ, SineEngine

from lullwave.server.live.prompt_queue import PREVIEW_BURST

STATIONS = [
    {"id": "open", "prompts": ["a tone"]},
    {"id": "owned", "prompts": ["a tone"], "policy": "owner"},
]


class WordyEngine(SineEngine):
    WORDS: ClassVar[dict[str, tuple[str, ...]]] = {"mood": ("brighter", "calmer"), "weather": ()}

    @classmethod
    def vocabulary(cls):
        return cls.WORDS


@pytest.fixture
def radio(tmp_path):
    engines = {**ENGINES, "sines": WordyEngine}
    with serving(tmp_path, engine="sines", engines=engines, stations=STATIONS, token="secret") as served:
        yield served


def test_a_request_is_explained_and_the_music_stays(radio):
    radio.clock.settle()  # the station has made all that it makes ahead
    before = radio.json("/api/stations/open")
    reply = radio.json("/api/stations/open/understand", "POST", {"prompt": "brighter gibberish"})
    assert reply["recognised"] is True
    assert "brighter" in reply["understood"]["text"]
    assert reply["understood"]["data"] == {"hz": HIGH_HZ}
    assert reply["understood"]["ignored"] == ["gibberish"]
    after = radio.json("/api/stations/open")
    assert (after["prompt"], after["waiting"], after["next"]) == (before["prompt"], [], before["next"])
    assert radio.json("/api/stations/open/undo", "POST")["error"]["message"] == "there is nothing to undo"


def test_questions_have_a_limit_of_their_own(radio):
    replies = [
        radio.ask("/api/stations/open/understand", "POST", {"prompt": "brighter"})[0].status
        for _ in range(PREVIEW_BURST + 20)
    ]
    assert set(replies[:PREVIEW_BURST]) == {200}
    assert 429 in replies
    assert radio.json("/api/stations/open/prompt", "POST", {"prompt": "brighter"})["state"] == "turning"


def test_questions_that_make_no_sense_are_refused(radio):
    assert radio.ask("/api/stations/open/understand", "POST", {"prompt": 5})[0].status == 422
    assert radio.ask("/api/stations/open/understand", "POST", {"prompt": "x" * 100_000})[0].status in (413, 422)
    assert radio.ask("/api/stations/nothing/understand", "POST", {"prompt": "x"})[0].status == 404
    assert radio.ask("/api/stations/nothing/vocabulary")[0].status == 404


def test_the_words_are_those_of_the_engine(radio):
    assert radio.json("/api/stations/open/vocabulary") == {
        "vocabulary": {"mood": ["brighter", "calmer"], "weather": []}
    }


def test_everybody_knows_before_whether_they_may_steer(radio, tmp_path):
    bearer = {"Authorization": "Bearer secret"}
    assert radio.json("/api/stations/open")["may_steer"] is True
    for headers, allowed in ((None, False), (bearer, True)):
        assert radio.json("/api/stations/owned", headers=headers)["may_steer"] is allowed
        status = radio.ask("/api/stations/owned/prompt", "POST", {"prompt": "brighter"}, headers)[0].status
        assert (status == 200) is allowed
    with serving(tmp_path / "public", host="0.0.0.0", token="secret", stations=STATIONS) as served:
        for headers, allowed in ((None, False), (bearer, True)):
            assert served.json("/api/stations/open", headers=headers)["may_steer"] is allowed
            status = served.ask("/api/stations/open/prompt", "POST", {"prompt": "brighter"}, headers)[0].status
            assert (status == 200) is allowed
    with serving(tmp_path / "steered", host="0.0.0.0", open_steering=True, stations=STATIONS) as served:
        assert served.json("/api/stations/open")["may_steer"] is True
        assert served.json("/api/stations/owned")["may_steer"] is False
