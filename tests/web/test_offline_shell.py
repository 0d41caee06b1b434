"""Riff and the Studio without the server: they open, say so in the visitor's language, and go on when it is back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.web.browsing import Radio, shell_kept

pytestmark = pytest.mark.browser


def test_riff_and_the_studio_open_without_the_server_and_go_on_when_it_is_back(
    serve: Callable[..., Radio], visit: Callable[..., Any]
):
    radio = serve()
    page = visit(f"{radio.url}riff?prompt=rain", may_complain=True)
    shell_kept(page, "riff", "static/strings/de.js")
    page.goto(f"{radio.url}studio")
    page.get_by_role("button", name="Make it").wait_for()
    shell_kept(page, "studio")
    radio.stop()

    page.goto(f"{radio.url}riff?prompt=snow")
    page.get_by_text("The server cannot be reached. Trying again…").wait_for()
    page.get_by_role("heading", name="snow").wait_for()  # what was asked for is not forgotten
    page.goto(f"{radio.url}studio")
    page.get_by_label("Language").select_option("de")
    away = page.get_by_role("alert")
    away.get_by_text("Der Server ist nicht erreichbar.").wait_for()
    assert page.get_by_role("heading", name="Deine Ergebnisse").count() == 0  # nothing is known of them
    serve(radio.port)
    page.get_by_role("heading", name="Deine Ergebnisse").wait_for()
    page.get_by_role("heading", name="Text zu Klang").wait_for()
    assert away.count() == 0
