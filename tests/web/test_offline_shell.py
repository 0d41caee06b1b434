"""Riff and the Studio without the server: they open, say so in the visitor's language, and go on when it is back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import Response

from tests.web.browsing import Radio, shell_kept, until

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


def test_a_file_that_is_on_its_way_when_the_shell_takes_over_is_kept(
    serve: Callable[..., Radio], visit: Callable[..., Any]
):
    file = "static/studio/studio.css"  # none of the radio's page
    asked, taken_over = threading.Event(), threading.Event()

    def around(app: Any) -> Any:
        async def held(scope: Any, receive: Any, send: Any) -> None:
            path = scope.get("path", "")
            await until_set(asked if path == "/sw.js" else taken_over if path == f"/{file}" else None)
            await app(scope, receive, send)

        return held

    radio = serve(around=around)
    page = visit(radio.url)
    page.evaluate(f"() => void fetch('{file}')")
    asked.set()
    until(page, "navigator.serviceWorker.controller")
    taken_over.set()
    shell_kept(page, file)


def test_a_file_that_a_busy_server_refuses_is_asked_for_again(serve: Callable[..., Radio], visit: Callable[..., Any]):
    file = "static/strings/de.js"
    refusals = iter((503, 429))

    def around(app: Any) -> Any:
        async def busy(scope: Any, receive: Any, send: Any) -> None:
            status = next(refusals, None) if scope.get("path") == f"/{file}" else None
            await (Response(status_code=status) if status else app)(scope, receive, send)

        return busy

    radio = serve(around=around)
    page = visit(radio.url, may_complain=True)
    shell_kept(page, file)
    assert next(refusals, None) is None


async def until_set(event: threading.Event | None) -> None:
    """Wait for it, without holding the server up."""
    while event and not event.is_set():
        await asyncio.sleep(0.02)
