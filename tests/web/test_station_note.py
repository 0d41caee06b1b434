"""The page says what is heard while a station's own engine is not, and says nothing any more when it is back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from faulty_engine import Fault, faulty
from sine_engine import SineEngine

from lullwave.clock import SystemClock
from lullwave.errors import EngineLost
from tests.web.browsing import EAR, Radio, play, until

pytestmark = pytest.mark.browser


def test_a_lost_engine_is_told_and_the_music_never_stops(serve: Callable[..., Radio], visit: Callable[..., Any]):
    fault = Fault(SystemClock(), load_error=EngineLost("nobody listens there"))
    radio = serve(engines={"faulty": faulty(fault), "synth": SineEngine}, engine="faulty")
    page = visit(radio.url)
    play(page)
    page.evaluate(EAR)
    until(page, "ear.levelDb > -60")
    page.get_by_text("You hear the embedded engine until it is back").wait_for()
    fault.load_error = None
    until(page, "document.querySelector('.station-note').hidden")
    until(page, "ear.at(330) > -60")
    assert page.evaluate("Math.min(...ear.heard.slice(10).map((each) => each.levelDb))") > -60
