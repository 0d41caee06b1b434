"""Every view of the Studio: none is wider than the page, all can be used by everybody, and together they are small."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from typing import Any

import pytest

from lullwave.paths import web_dir
from tests.web.browsing import Radio, page_width, too_wide, violations

pytestmark = pytest.mark.browser

SIZES = ((360, 740), (844, 390), (1366, 768), (2560, 1440))
TASKS = (
    "text",
    "batch",
    "interpolate",
    "transform",
    "repaint",
    "image-to-audio",
    "audio-to-image",
    "sample-clips",
    "stems",
    "moment",
    "models",
)


def test_no_view_overflows_complains_or_fails_axe(serve: Callable[..., Radio], visit: Callable[..., Any]):
    radio = serve()
    page = visit(radio.url + "studio")
    page.get_by_label("How it should sound", exact=True).fill("W" * 500)
    page.get_by_label("Length in seconds", exact=True).fill("1")
    page.get_by_role("button", name="Make it").click()
    page.get_by_role("button", name="as A").click()
    for task in TASKS:
        page.evaluate("(task) => { location.hash = task; }", task)
        page.locator(f'.task[href="#{task}"][aria-current]').wait_for()
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            assert page_width(page) == width, (task, width)
            if width == SIZES[0][0]:
                assert too_wide(page) == [], task
    for scheme, rules in (("light", ()), ("dark", ("color-contrast",))):  # only colours differ
        page.emulate_media(color_scheme=scheme)
        assert violations(page, rules=rules) == [], scheme
        for task in TASKS:
            page.evaluate("(task) => { location.hash = task; }", task)
            page.locator(f'.task[href="#{task}"][aria-current]').wait_for()
            page.locator(".lead details").evaluate_all("(all) => all.forEach((one) => { one.open = true; })")
            assert violations(page, ".bench", rules) == [], (scheme, task)
    page.evaluate("location.hash = 'interpolate'")
    page.get_by_text("riffusion").first.wait_for()  # what the interpolation lacks
    assert page.get_by_role("button", name="Make it").count() == 0
    page.get_by_label("Language").select_option("de")
    page.get_by_role("heading", name="Übergang").wait_for()
    page.goto(radio.url + "docs")
    page.get_by_role("heading", name="studio").wait_for()
    page.locator("summary", has_text="/api/jobs/tasks").click()
    page.locator(".route[open] button").click()
    page.locator(".route[open] pre", has_text='"image-to-audio"').wait_for()
    assert violations(page) == []
    for width, _ in SIZES:
        page.set_viewport_size({"width": width, "height": 800})
        assert page_width(page) == width
    page.get_by_role("link", name="Studio", exact=True).click()
    page.get_by_role("heading", name="Text zu Klang").wait_for()


def test_all_files_of_the_studio_together_are_small():
    web, seen, todo = web_dir(), set(), {"studio.html"}
    while todo:
        name = todo.pop()
        seen.add(name)
        if not name.endswith((".html", ".js", ".css")):
            continue
        text = (web / name).read_text()
        found = {one for pair in re.findall(r'(?:src|href)="static/([^"]+)"', text) for one in [pair]}
        for relative in re.findall(r"""(?:from|import\(?|url\()\s*['"`](\.[^'"`$]+)['"`]""", text):
            found.add((web / name).parent.joinpath(relative).resolve().relative_to(web.resolve()).as_posix())
        todo |= {one for one in found if (web / one).is_file()} - seen
    seen |= {path.relative_to(web).as_posix() for path in (web / "strings").iterdir()}
    assert {"studio/paint/painting.js", "shared/fft.js", "fonts/lull-pixel.woff", "strings/de.js"} <= seen
    assert sum(len(gzip.compress((web / name).read_bytes())) for name in seen) < 250_000
