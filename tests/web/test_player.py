"""The page in a real browser: it plays across joins, comes back by itself, and leaves the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sine_engine
from radio_server import read_exactly, serving
from reverse_proxy import proxied
from sine_engine import RATE

from lullwave.codecs import fragmented_mp4
from lullwave.engines.synth.engine import SynthEngine
from tests.web.browsing import EAR, STATIONS, Radio, play, until

pytestmark = pytest.mark.browser

SILENCE_DB = -60.0
PIECE_S = 6.0  # instead of twenty seconds


def test_play_sounds_across_a_join(
    serve: Callable[..., Radio], visit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sine_engine, "PIECE_S", PIECE_S)
    page = visit(serve().url)
    play(page)
    page.evaluate(EAR)
    until(page, "ear.levelDb > -60")
    page.evaluate("ear.heard.length = 0")
    until(page, "ear.heard.length >= 80 && new Set(ear.heard.map((h) => h.title)).size >= 2", 60)
    heard = page.evaluate("ear.heard")
    assert min(h["levelDb"] for h in heard) > SILENCE_DB
    assert heard[-1]["time"] - heard[0]["time"] > PIECE_S

    # The title changed when the sound did: at the frame where the new piece begins, as this listener hears it.
    change = next(i for i in range(1, len(heard)) if heard[i]["title"] != heard[i - 1]["title"])
    first_frame = page.evaluate(
        """() => new Promise((done) => {
          const listener = new URL(document.querySelector('audio').src).searchParams.get('listener');
          const source = new EventSource(`api/events?station=first&listener=${listener}`);
          source.addEventListener('hello', (event) => {
            source.close();
            done(JSON.parse(event.data).first_frame);
          });
        })"""
    )
    number = int(heard[change]["title"].removeprefix("Tone "))
    heard_s = first_frame / RATE + heard[change]["time"]
    assert heard_s == pytest.approx(number * PIECE_S, abs=1.0)

    # What was heard before can be heard again, and leads back to the live stream.
    page.get_by_role("button", name=f"Play Tone {number - 1} again").click()
    page.get_by_text("Replay").wait_for()
    assert "/replay?" in page.evaluate("document.querySelector('audio').src")
    assert page.locator(".now-playing .title").inner_text() == f"Tone {number - 1}"
    until(page, "document.querySelector('audio').currentTime > 1 && ear.levelDb > -60")
    page.get_by_role("button", name="Back to live").click()
    page.get_by_text("Live", exact=True).wait_for()


TELLS_DATES = "HTMLMediaElement.prototype.getStartDate = () => new Date(NaN);"  # as Safari does, which plays HLS


def test_a_browser_that_tells_the_date_of_hls_plays_it_and_mp3_where_the_server_has_none(
    serve: Callable[..., Radio], visit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("av")
    for file in ("hls/index.m3u8?", "stream.mp3?"):
        page = visit("about:blank", may_complain=True)
        page.add_init_script(TELLS_DATES)
        page.goto(serve().url)
        play(page)
        until(page, f"document.querySelector('audio').src.includes({file!r})")
        until(page, "document.querySelector('audio').currentTime > 0.5")
        page.evaluate(EAR)
        until(page, "ear.levelDb > -60")
        monkeypatch.setattr(fragmented_mp4, "installed", lambda: False)


def test_pause_closes_the_connection_and_play_rejoins(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url)
    assert page.evaluate("document.querySelectorAll('audio').length") == 1
    assert not page.evaluate("document.querySelector('audio').hasAttribute('src')")
    play(page)
    page.get_by_text("1 person tuned in").wait_for()
    first = page.evaluate("document.querySelector('audio').src")
    assert "/stations/first/stream.mp3?" in first
    page.get_by_role("button", name="Pause", exact=True).click()
    assert not page.evaluate("document.querySelector('audio').hasAttribute('src')")
    page.get_by_text("Nobody tuned in yet").wait_for()
    play(page)
    assert page.evaluate("document.querySelector('audio').src") != first


def test_the_volume_outlives_a_reload(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url)
    slider = page.get_by_role("slider", name="Volume")
    slider.fill("30")
    assert page.evaluate("document.querySelector('audio').volume") < 0.2
    page.reload()
    assert slider.input_value() == "30"
    assert slider.get_attribute("aria-valuetext") == "30 percent"
    page.get_by_role("button", name="Mute").click()
    assert slider.input_value() == "0"
    page.get_by_role("button", name="Mute").click()
    assert slider.input_value() == "30"


def test_the_space_bar_plays_but_not_where_it_is_needed(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url)
    wanted = "document.querySelector('.play-button').classList.contains('-playing')"
    page.keyboard.press("Space")
    until(page, wanted)
    page.keyboard.press("Space")
    until(page, f"!{wanted}")

    box = page.get_by_role("textbox", name="How the music should sound")
    box.focus()
    page.keyboard.type("two words")
    assert box.input_value() == "two words"
    assert not page.evaluate(wanted)

    page.get_by_role("slider", name="Volume").focus()
    page.keyboard.press("Space")
    assert not page.evaluate(wanted)

    page.get_by_role("button", name="Play", exact=True).focus()
    page.keyboard.press("Space")  # the button's own press: once, not twice
    until(page, wanted)
    page.get_by_role("button", name="30 min").focus()
    page.keyboard.press("Space")
    assert page.get_by_role("button", name="30 min").get_attribute("aria-pressed") == "true"
    assert page.evaluate(wanted)


def test_a_restarted_server_is_found_again(serve: Callable[..., Radio], visit: Callable[..., Any]):
    radio = serve()
    page = visit(radio.url, may_complain=True)
    play(page)
    page.evaluate(EAR)
    until(page, "ear.levelDb > -60")
    radio.stop()
    until(page, "document.querySelector('.player-status').dataset.phase === 'waiting'")
    assert page.locator(".player-status .text").inner_text() == "The station cannot be reached. Trying again…"
    page.get_by_role("button", name="Try now").click()
    serve(radio.port)
    until(page, "document.querySelector('.player-status').dataset.phase === 'playing'")
    until(page, "ear.levelDb > -60")
    page.get_by_text("1 person tuned in").wait_for()


def test_a_full_station_says_so_and_lets_others_in_later(serve: Callable[..., Radio], visit: Callable[..., Any]):
    radio = serve(max_listeners=1)
    one, two = visit(radio.url), visit(radio.url, may_complain=True)
    play(one)
    two.get_by_role("button", name="Play", exact=True).click()
    two.locator(".player-status").get_by_text(
        "The station is full: it has as many listeners as it may have. Trying again soon…"
    ).wait_for()
    assert two.locator(".player-status").get_attribute("data-phase") == "waiting"
    one.get_by_role("button", name="Pause", exact=True).click()
    one.get_by_text("Nobody tuned in yet").wait_for()
    two.get_by_role("button", name="Pause", exact=True).click()
    play(two)


def test_it_plays_below_a_path_prefix(serve: Callable[..., Radio], visit: Callable[..., Any]):
    radio = serve(root_path="/some/radio")
    with proxied(radio.port, "/some/radio") as proxy:
        page = visit(f"http://127.0.0.1:{proxy.port}/some/radio/")
        play(page)
        page.get_by_text("1 person tuned in").wait_for()  # over the websocket
        page.get_by_role("heading", name="Tone").wait_for()  # over the event stream
        page.get_by_role("textbox", name="How the music should sound").fill("brighter")
        page.keyboard.press("Enter")
        page.get_by_text("You will hear it").wait_for()
        page.goto(f"http://127.0.0.1:{proxy.port}/some/radio/docs")
        page.get_by_text("/api/generate").first.wait_for()


def test_a_piece_of_the_embedded_engine_is_played_again(
    tmp_path: Path, serve: Callable[..., Radio], visit: Callable[..., Any]
):
    engines = {"synth": SynthEngine}
    with (
        serving(tmp_path / "data", engines=engines, stations=STATIONS, seed=1) as earlier,
        earlier.listening() as stream,
    ):
        for _ in range(4):
            earlier.clock.advance(5)
            read_exactly(stream, 100_000)
        title = earlier.json("/api/stations")["stations"][0]["now"]["title"]
    radio = serve(engine="synth", engines=engines, seed=2)
    page = visit(radio.url)
    play(page)
    page.evaluate(EAR)
    page.get_by_role("button", name=f"Play {title} again").click()
    page.get_by_text("Replay").wait_for()
    assert page.locator(".now-playing .title").inner_text() == title
    page.evaluate("ear.heard.length = 0")
    until(page, "ear.heard.filter((h) => h.time > 1 && h.levelDb > -60).length > 20")
    page.get_by_role("button", name="Back to live").click()
    page.get_by_text("Live", exact=True).wait_for()
    until(page, "ear.levelDb > -60")


def test_two_pages_are_two_people(radio: Radio, visit: Callable[..., Any]):
    one, two = visit(radio.url), visit(radio.url)
    play(one)
    play(two)
    for page in (one, two):
        page.get_by_text("2 people tuned in").wait_for()
    two.close()
    one.get_by_text("1 person tuned in").wait_for()


def test_another_station_is_a_choice_away(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url)
    play(page)
    page.get_by_role("radio", name="Second wind").check(force=True)
    until(page, "document.querySelector('audio').src.includes('/stations/second/')")
    until(page, "document.querySelector('audio').currentTime > 1")
    page.get_by_text("Now playing on Second wind").wait_for()
    page.reload()
    assert page.get_by_role("radio", name="Second wind").is_checked()
