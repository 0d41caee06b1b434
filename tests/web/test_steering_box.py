"""Steering from the page: everybody hears it, the queue and the vote are seen, the owner has a token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sine_engine import HIGH_HZ

from lullwave.settings.stations import StationSettings
from tests.web.browsing import EAR, Radio, play, until

pytestmark = pytest.mark.browser


def steer(page: Any, prompt: str) -> None:
    page.get_by_role("textbox", name="How the music should sound").fill(prompt)
    page.keyboard.press("Enter")


def test_two_browsers_hear_the_same_steering(radio: Radio, visit: Callable[..., Any]):
    one, two = visit(radio.url), visit(radio.url)
    for page in (one, two):
        play(page)
        page.evaluate(EAR)
        until(page, "ear.levelDb > -60")
        assert page.evaluate(f"ear.at({HIGH_HZ})") < -80
    steer(one, "brighter gibberish")
    one.get_by_text("You will hear it").wait_for()
    one.get_by_text("Understood:").wait_for()
    one.get_by_text("No effect: gibberish").wait_for()
    for page in (one, two):
        until(page, f"ear.at({HIGH_HZ}) > -60")
        until(page, "document.querySelector('.now-playing .prompt').textContent.includes('brighter')")
    one.get_by_text("Now you hear it: “brighter gibberish”").wait_for()


def test_the_city_lights_up_with_what_is_heard(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url, reduced_motion="no-preference")
    lights = """(() => {
      const view = document.querySelector('.view');
      const { data } = view.getContext('2d').getImageData(0, 60, view.width, 44);
      let lit = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i] === 0xff && data[i + 1] === 0xea) lit += 1;
      return lit;
    })()"""
    page.emulate_media(color_scheme="light")
    assert page.evaluate(lights) == 0
    play(page)
    until(page, f"{lights} > 50")
    page.get_by_role("button", name="Pause", exact=True).click()
    until(page, f"{lights} === 0")


def test_the_last_change_can_be_undone_and_all_of_them(serve: Callable[..., Radio], visit: Callable[..., Any]):
    page = visit(serve(steer_every_s=0).url)
    undo = page.get_by_role("button", name="Undo the last change")
    play(page)
    back = page.get_by_role("button", name="Back to the station’s own programme")
    assert not undo.is_visible()
    assert not back.is_visible()
    steer(page, "brighter")
    undo.wait_for()
    back.wait_for()
    undo.click()
    page.get_by_text("a steady tone").first.wait_for()
    back.wait_for(state="hidden")
    steer(page, "calmer")
    back.wait_for()
    back.focus()  # by keyboard, and the keyboard's place is kept when the button goes
    page.keyboard.press("Enter")
    back.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "How the music should sound"


def test_a_request_that_is_sent_before_the_last_one_is_answered_follows_it(
    serve: Callable[..., Radio], visit: Callable[..., Any]
):
    page = visit(serve(steer_every_s=0).url)
    play(page)
    asked: list[str] = []

    def held(route: Any) -> None:
        asked.append(route.request.post_data_json["prompt"])
        if asked[0] != asked[-1]:
            route.continue_()
            return
        words.fill("calmer")
        for _ in range(3):
            page.keyboard.press("Enter")
        words.fill("half a thought")
        assert asked == ["brighter"]
        route.continue_()

    page.route("**/prompt", held)
    words = page.get_by_role("textbox", name="How the music should sound")
    steer(page, "brighter")
    page.get_by_text("Understood: a tone for 'calmer'").wait_for()
    assert asked == ["brighter", "calmer"]
    assert words.input_value() == "half a thought"


def test_a_vote_and_an_owners_token(tmp_path: Path, serve: Callable[..., Radio], visit: Callable[..., Any]):
    stations = (
        StationSettings(id="voted", policy="vote", prompts=("a tone",)),
        StationSettings(id="owned", policy="owner", prompts=("a tone",)),
    )
    radio = serve(stations=stations, token="open sesame")
    one = visit(radio.url, may_complain=True)
    two = visit(radio.url)
    for page in (one, two):  # who listens has a vote
        play(page)
    one.get_by_text("Everyone has a vote").wait_for()
    steer(one, "rain")
    one.get_by_text("Your vote counts.").wait_for()
    two.get_by_role("button", name="Vote for rain, 1 so far").click()
    one.get_by_role("button", name="Vote for rain, 2 so far").wait_for()

    one.get_by_role("radio", name="Owned").check(force=True)
    one.get_by_text("Only the owner").first.wait_for()
    steer(one, "rain")
    token = one.get_by_label("Admin token")
    token.fill("guessed")

    def held(route: Any) -> None:  # the right token is there before the wrong one is answered
        token.fill("open sesame")
        steer(one, "rain")
        route.continue_()

    one.route("**/owned/prompt", held, times=1)
    steer(one, "rain")
    one.get_by_text("You will hear it").wait_for()
