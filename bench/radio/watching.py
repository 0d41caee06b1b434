"""Plays the radio in a headless Chromium and measures how long its sound stood still.

The page's audio element is sampled ten times per second. After a reconnection the measurement continues.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BEGINS_MS = 45_000

LOOK = """() => {
  const element = document.querySelector('audio');
  window.looks = [];
  setInterval(() => looks.push([performance.now(), element.currentTime]), 100);
}"""


@contextmanager
def chromium() -> Iterator[Any]:
    """The installed browser; prints a note and returns None if there is no browser or no Playwright."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        print("Chromium or Playwright is not installed: nobody watches the page")
        yield None
        return
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Watcher:
    """A page that plays."""

    def __init__(self, browser: Any, port: int) -> None:
        self._context = browser.new_context(viewport={"width": 1000, "height": 700})
        self._page = self._context.new_page()
        self._page.set_default_timeout(BEGINS_MS)
        self._page.goto(f"http://127.0.0.1:{port}/")
        self._page.get_by_role("button", name="Play", exact=True).click()
        self._page.locator(".player-status[data-phase=playing]").wait_for(state="attached")
        self._page.evaluate(LOOK)

    def begin(self) -> None:
        """Begin to measure."""
        self._page.evaluate("() => { window.looks.length = 0; }")

    def stood_still_s(self) -> float:
        """The longest time in which the sound did not advance."""
        looks = self._page.evaluate("() => window.looks")
        longest, moved_ms, at_s = 0.0, looks[0][0], looks[0][1]
        for now_ms, time_s in looks[1:]:
            longest = max(longest, now_ms - moved_ms)
            if time_s != at_s:
                moved_ms, at_s = now_ms, time_s
        return round(longest / 1000, 2)

    def close(self) -> None:
        self._context.close()
