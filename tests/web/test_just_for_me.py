"""Just for me in a real browser: the music goes on for one listener, who steers it alone and comes back."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from sine_engine import HIGH_HZ

from lullwave.server.live import private
from tests.web.browsing import EAR, STATIONS, Radio, play, until, violations

pytestmark = pytest.mark.browser
OWNERS = tuple(station.model_copy(update={"policy": "owner"}) for station in STATIONS)


def told(radio: Radio, path: str) -> Any:
    with urllib.request.urlopen(f"{radio.url}{path}") as reply:
        return json.load(reply)


def private_streams(radio: Radio) -> int:
    return int(told(radio, "readyz")["private"])


def test_one_listener_goes_on_alone_and_comes_back(
    serve: Callable[..., Radio], visit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(private, "GONE_S", 1.0)
    radio = serve(stations=OWNERS, token="secret")  # nobody but the owner may steer what everyone hears
    page = visit(radio.url)
    play(page)
    page.evaluate(EAR)
    until(page, "ear.levelDb > -60")
    title = "document.querySelector('.now-playing .title').textContent"
    before = page.evaluate(title)
    page.get_by_role("button", name="Just for me").click()
    page.get_by_text("Only you hear this, and only you steer it.").wait_for()
    page.get_by_text("It is a new stream").wait_for(state="hidden")
    assert page.evaluate(title) == before  # the same piece goes on
    until(page, "document.querySelector('.player-status').dataset.phase === 'playing'")
    until(page, "ear.levelDb > -60")
    page.get_by_text("The music changes for you alone.").wait_for()
    page.get_by_role("textbox", name="How the music should sound").fill("brighter")
    page.keyboard.press("Enter")
    until(page, f"ear.at({HIGH_HZ}) > -60")
    assert private_streams(radio) == 1
    assert told(radio, "api/stations/first")["prompt"] == "a steady tone"  # what everyone hears
    for width in (360, 2560):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert violations(page) == []
    page.get_by_role("button", name="Back to everyone").click()
    until(page, f"ear.at({HIGH_HZ}) < -80 && ear.levelDb > -60")
    page.get_by_text("Only you hear this").wait_for(state="hidden")
    while private_streams(radio):
        page.wait_for_timeout(100)


def test_a_full_server_says_so_and_plays_on(serve: Callable[..., Radio], visit: Callable[..., Any]):
    page = visit(serve(max_awake=1).url, may_complain=True)  # the browser logs the refusal
    play(page)
    page.get_by_role("button", name="Just for me").click()
    page.get_by_text("No stream of your own: this machine already plays as much as it can").wait_for()
    until(page, "document.querySelector('.player-status').dataset.phase === 'playing'")
