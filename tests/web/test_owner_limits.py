"""The page says in plain words that a station is busy, and that the owner has frozen its steering."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.web.browsing import Radio, play

pytestmark = pytest.mark.browser


def test_a_busy_station_and_frozen_steering_are_told(serve: Callable[..., Radio], visit: Callable[..., Any]):
    radio = serve(max_awake=1)
    page = visit(radio.url, may_complain=True)  # of the 503
    play(page)
    page.get_by_text("busy", exact=True).wait_for()
    page.get_by_role("radio", name="Second wind").check(force=True)
    page.get_by_text("this machine already plays as many stations as it can (1)").first.wait_for()
    page.get_by_role("radio", name="First light").check(force=True)
    page.get_by_text("Live", exact=True).first.wait_for()
    urlopen(Request(f"{radio.url}api/stations/first/freeze", method="POST")).close()
    page.get_by_text("The owner has frozen the steering of this station for now.").wait_for()
