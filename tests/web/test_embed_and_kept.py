"""The small player, and a moment that a link leads to and a visitor keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lullwave.codecs import decode
from tests.web.browsing import Radio, until, violations

pytestmark = pytest.mark.browser

HISTORY = """async () => {
  const reply = await (await fetch('api/stations/first/history')).json();
  return reply.history.filter(({ kind, wall }) => kind === 'piece' && wall !== null)[0]?.wall ?? null;
}"""


def test_the_small_player_plays_and_a_linked_moment_is_heard_and_kept(radio: Radio, visit: Callable[..., Any]):
    page = visit(f"{radio.url}embed/first", viewport={"width": 420, "height": 120})
    page.get_by_role("button", name="Play", exact=True).click()
    page.get_by_text("Live", exact=True).wait_for()
    page.get_by_role("heading", name="Tone").wait_for()
    page.get_by_text("First light").wait_for()

    assert page.evaluate("document.documentElement.scrollWidth") == 420

    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(radio.url)
    while (wall := page.evaluate(HISTORY)) is None:
        page.wait_for_timeout(100)
    until(page, f"Date.now() / 1000 > {wall} + 3.2")
    page.goto(f"{radio.url}?station=first&at={wall}&seconds=3")
    page.get_by_role("heading", name="Tone").wait_for()
    page.get_by_text("From a while ago").wait_for()
    page.get_by_role("button", name="Keep Tone").click()
    download = page.get_by_role("link", name="Download")
    download.wait_for()
    reply = page.request.get(page.evaluate("document.querySelector('.kept a').href"))
    assert (reply.ok, reply.headers["content-type"]) == (True, "audio/mpeg")
    assert page.locator(".now-playing .keep-button").get_attribute("aria-pressed") == "true"
    with page.expect_download() as rendered:
        page.get_by_role("button", name="Download FLAC").click()
    name = page.locator(".kept a").get_attribute("download")
    assert rendered.value.suggested_filename == name.replace(".mp3", ".flac")
    lossless = decode(Path(rendered.value.path()).read_bytes())
    assert (lossless.duration_s, lossless.rate) == (3.0, 44100)
    shades = "(canvas) => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size"
    assert page.locator(".kept .picture").evaluate(shades) > 8
    assert violations(page) == []
    page.get_by_text("Only you see these: up to 100 pieces, 250 MB.").wait_for()

    page.get_by_role("textbox", name="Tags of").fill("Night, slow piano")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="slow piano", exact=True).click()
    assert page.get_by_role("button", name="slow piano", pressed=True).evaluate("it => it === document.activeElement")
    link = page.url
    page.get_by_role("button", name="Play as my tape").click()
    page.get_by_text("On your tape").wait_for()
    until(page, "document.querySelector('.player-status').dataset.phase === 'playing'")
    began = page.evaluate("performance.now()")
    until(page, f"performance.now() > {began} + 3500")  # longer than the piece: it begins again
    page.get_by_text("On your tape").wait_for()
    assert page.get_by_role("radio", name="My tape").is_checked()
    assert page.locator(".radio-bar .station").text_content() == "My tape"
    assert page.title().startswith("Tone")
    assert page.evaluate("location.hash") == "#my-tape"
    page.keyboard.press("2")
    page.get_by_text("Now playing on Second wind").wait_for()
    page.keyboard.press("3")
    page.get_by_text("On your tape").wait_for()
    page.get_by_role("button", name="Pause", exact=True).click()
    page.reload()
    page.get_by_text("On your tape").wait_for()
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, "document.querySelector('.player-status').dataset.phase === 'playing'")
    page.get_by_role("button", name="Remove: Tone").click()
    page.get_by_text("Now playing on First light").wait_for()
    assert page.locator(".stations .station").count() == 2

    other = visit(link)  # another browser, without the first one's storage
    other.get_by_role("heading", name="Tone").wait_for()
    assert other.locator(".kept").is_hidden()
    other.get_by_role("button", name="Play", exact=True).click()
    until(other, "document.querySelector('audio').src.includes('/replay?at=')")
    until(other, "document.querySelector('.player-status').dataset.phase === 'playing'")
    heard = other.request.get(other.evaluate("document.querySelector('audio').src"))
    kept, replayed = (decode(sound.body()).samples for sound in (reply, heard))
    assert kept.shape == replayed.shape
    assert np.abs(kept).max() > 0.05
    assert np.array_equal(kept, replayed)
