"""The bar that stays, keys, links to stations and the full window, in a real browser at all sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sine_engine import SineEngine

from lullwave.settings.stations import StationSettings
from tests.web.browsing import Radio, play, until, violations

pytestmark = pytest.mark.browser
LONG = "w" * 500
SIZES = [(360, 740), (844, 390), (1280, 900), (2560, 1300)]
STATIONS = (
    StationSettings(id="first", name="First light", prompts=("a steady tone",)),
    StationSettings(id="long", name="L" * 60, prompts=(LONG,)),
)


# Whether one of the elements is whole in the window, in sight and not covered.
REACHABLE = """(selector) => [...document.querySelectorAll(selector)].some((element) => {
  const { left, top, right, bottom, width, height } = element.getBoundingClientRect();
  if (!element.checkVisibility() || Math.min(width, height) < 24) return false;
  if (left < 0 || top < 0 || right > innerWidth || bottom > innerHeight) return false;
  const there = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
  return element.contains(there);
})"""


def test_everything_is_reachable_at_every_size(serve: Callable[..., Radio], visit: Callable[..., Any]):
    page = visit(serve(stations=STATIONS).url + "#long")
    page.get_by_role("radio", name="LLL", checked=True).wait_for(state="attached")  # the link's station
    page.get_by_role("textbox", name="Your request").wait_for()
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for share in (0, 0.5, 1):
            page.evaluate(f"scrollTo(0, {share} * (document.documentElement.scrollHeight - innerHeight))")
            for control in (".play-button", ".mute", "form > .input", ".full-window-button"):
                until(page, f"({REACHABLE})({control!r})")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.keyboard.press("f")
        page.get_by_text("Focus timer").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.keyboard.press("Escape")
        page.get_by_text("Focus timer").wait_for(state="hidden")
    page.keyboard.press("f")
    page.get_by_role("button", name="Start").click()
    page.get_by_text("Focus, round 1 of 4").wait_for()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert violations(page) == []
        page.keyboard.press("Escape")
        assert violations(page) == []
        page.keyboard.press("?")
        assert violations(page) == []
        page.keyboard.press("Escape")
        page.keyboard.press("f")


def test_keys_do_what_the_list_says_until_they_are_switched_off(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url)
    page.get_by_role("radio", name="Second wind").wait_for(state="attached")
    play(page)
    page.keyboard.press("2")
    page.get_by_role("radio", name="Second wind", checked=True).wait_for(state="attached")
    assert page.url.endswith("#second")
    page.keyboard.press("m")
    until(page, "document.querySelector('audio').volume === 0")
    page.keyboard.press("m")
    page.get_by_role("textbox", name="Your request").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("brighter 1 m f ?")  # a field's own
    page.keyboard.press("Enter")
    until(page, "document.querySelector('.radio-bar .answer').textContent.includes('hear it')")
    assert page.locator("audio").evaluate("(audio) => audio.volume") > 0
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    assert violations(page) == []
    page.get_by_label("Keys are on").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.get_by_role("radio", name="Second wind", checked=True).wait_for(state="attached")
    for key in ("1", "Space", "f"):
        page.keyboard.press(key)
    assert page.get_by_role("radio", name="Second wind").is_checked()
    until(page, "document.querySelector('.player-status').dataset.phase === 'paused'")
    assert not page.get_by_text("Focus timer").is_visible()


class WordyEngine(SineEngine):
    @classmethod
    def vocabulary(cls) -> dict[str, tuple[str, ...]]:
        return {"mood": ("brighter", "calmer"), "weather": ("rain",)}


def test_a_request_is_chosen_and_explained_before_it_is_sent(serve: Callable[..., Radio], visit: Callable[..., Any]):
    stations = (*STATIONS, StationSettings(id="owned", policy="owner", prompts=("a tone",)))
    page = visit(serve(stations=stations, engines={"sines": WordyEngine, "synth": WordyEngine}, token="secret").url)
    box = page.get_by_role("textbox", name="How the music should sound")
    page.get_by_role("button", name="Mood").click()
    page.get_by_role("button", name="brighter", pressed=False).click()
    assert box.input_value() == "brighter"
    page.get_by_role("button", name="brighter", pressed=True).wait_for()
    page.get_by_text("Would mean: ").wait_for()
    box.fill(f"brighter gibberish {LONG[:400]}")
    page.get_by_text("No effect: gibberish").wait_for()
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert violations(page) == []
    page.get_by_role("button", name="Surprise me").click()
    until(page, "/^(brighter|calmer)(, rain)?$/.test(document.querySelector('.steering .input').value)")
    assert page.evaluate("document.querySelector('.now-playing .prompt').textContent").find("brighter") < 0
    page.get_by_role("radio", name="Owned").check(force=True)
    page.get_by_text("You can choose another station").wait_for()
    page.get_by_label("Admin token").wait_for()
    page.get_by_role("textbox", name="Your request").wait_for(state="hidden")


def test_the_sleep_timer_outlives_a_reload(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url)
    page.get_by_role("button", name="15 min").click()
    page.reload()
    page.get_by_text("Fades out in 15:00 of music.").wait_for()
    assert page.get_by_role("button", name="15 min").get_attribute("aria-pressed") == "true"
