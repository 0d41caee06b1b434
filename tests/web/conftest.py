"""A real server and a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lullwave.server.live import channels
from tests.web.browsing import Radio, until

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")  # the first takes half of the time
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",  # WebGL in software
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=document-user-activation-required",
]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Radio]]:
    """Starts servers, which make no first clip of a minute; all are stopped at the end."""
    monkeypatch.setattr(channels, "first_clip", lambda *_: None)
    started: list[Radio] = []

    def start(port: int = 0, **settings: Any) -> Radio:
        started.append(Radio(tmp_path / "data", port, **settings))
        return started[-1]

    yield start
    for radio in started:
        radio.stop()


@pytest.fixture
def radio(serve: Callable[..., Radio]) -> Radio:
    return serve()


@pytest.fixture(scope="module")  # its event loop would disturb other tests of the same process
def browser() -> Iterator[Any]:
    """Headless Chromium, as installed on the system."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: set CHROMIUM to its path")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages, each in a browser profile of its own; complaints of a page fail the test.

    Pages are without motion, whose pictures cost more than all else; tests of motion ask for "no-preference".
    """
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_page(url: str, **options: Any) -> Any:
        may_complain = options.pop("may_complain", False)
        usual = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
        contexts.append(browser.new_context(**{**usual, **options}))
        page = contexts[-1].new_page()
        page.set_default_timeout(45_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if not may_complain:
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.goto(url)
        until(page, "!document.querySelector('[data-t]:empty')")  # the words are there, and the page is alive
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
