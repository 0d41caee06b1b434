"""The page says that what plays is not kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from lullwave.archive import history_file
from tests.web.browsing import Radio, play

pytestmark = pytest.mark.browser


def test_a_history_that_cannot_be_written_is_told(
    serve: Callable[..., Radio], visit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    def full(path: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(history_file, "open_for_writing", full)
    page = visit(serve().url, may_complain=True)  # the console notes the 503
    play(page)
    page.get_by_text("What plays now is not being kept").wait_for()
