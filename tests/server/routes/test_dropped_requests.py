"""A request that waited, or a vote, and came to nothing is told to all, without an engine's own words."""

import json
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager

import pytest
from radio_server import events, serving

from lullwave.errors import EngineFailed
from lullwave.server.live import prompt_queue
from lullwave.station import Station

STATIONS = [{"id": "open", "prompts": ["a tone"]}, {"id": "voted", "prompts": ["a tone"], "policy": "vote"}]
FLAGS = {"stations": STATIONS, "steer_every_s": 600.0, "vote_s": 1.0, "token": "secret"}


def ask(served, station: str, prompt: str, listener: str | None = None) -> str:
    body = {"prompt": prompt, "listener": listener}
    response, data = served.ask(f"/api/stations/{station}/prompt", "POST", body)
    assert response.status == 200, data
    return json.loads(data)["state"]


@contextmanager
def listening(served, station: str = "open"):
    """The events of a station, with the listeners a and b at the default one."""
    with ExitStack() as stack:
        for who in "ab":
            stack.enter_context(served.listening(f"/stream.mp3?listener={who}"))
        yield stack.enter_context(served.listening(f"/api/events?station={station}"))


def dropped(feed) -> dict[str, object]:
    found = next(data for kind, data in events(feed) if kind == "dropped")
    assert found.pop("frame") >= 0
    return found


def failing(monkeypatch) -> Future:
    """Let each request after this one wait for the future that is returned."""
    later: Future = Future()
    monkeypatch.setattr(Station, "steer", lambda self, prompt, over_s=8.0: later)
    return later


@pytest.mark.parametrize("waits_for", ["its turn", "a slow engine"])
def test_a_request_that_fails_later_is_told_without_the_engines_words(tmp_path, monkeypatch, waits_for):
    slow = waits_for == "a slow engine"
    if slow:
        monkeypatch.setattr(prompt_queue, "ANSWER_S", 0.2)
    flags = {**FLAGS, "steer_every_s": 0.0 if slow else 0.3}
    with serving(tmp_path, **flags) as served, listening(served) as feed:
        if not slow:
            assert ask(served, "open", "now") == "turning"
        later = failing(monkeypatch)
        assert ask(served, "open", "rain") == "queued"
        later.set_exception(EngineFailed("no such file: /home/owner/secret"))
        assert dropped(feed) == {"prompt": "rain", "undo": False, "reason": "the engine failed"}


def test_what_the_owner_drops_is_told(tmp_path):
    with serving(tmp_path, **FLAGS) as served, listening(served) as feed:
        assert ask(served, "open", "now") == "turning"
        assert ask(served, "open", "scream", "a") == ask(served, "open", "rain", "b") == "queued"
        served.ask("/api/refused-words", "POST", {"words": ["scream"]})
        assert dropped(feed)["prompt"] == "scream"
        served.ask("/api/stations/open/freeze", "POST")
        assert dropped(feed) == {"prompt": "rain", "undo": False, "reason": "the owner has frozen the steering"}


def test_those_who_lose_a_vote_are_told(tmp_path):
    with serving(tmp_path, **FLAGS) as served, listening(served, "voted") as feed:
        for prompt, who in (("rain", None), ("snow", "a"), ("rain", "b")):
            assert ask(served, "voted", prompt, who) == "voted"
        assert dropped(feed) == {"prompt": "snow", "undo": False, "reason": "another prompt won the vote"}
