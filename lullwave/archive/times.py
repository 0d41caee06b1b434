"""Times of day as text: read, and written so that reading them leads to the same moment."""

from __future__ import annotations

import math
import re
import time
from datetime import UTC, datetime, tzinfo

from ..errors import InvalidInput

_PLUS_LOST = re.compile(r"(?<=[:.\d]) (\d\d:?\d\d)$")  # "…00.000 00:00": a query string's + that became a space


def wall_time(text: str, field: str = "at") -> float:
    """Parse a time: seconds since 1970, or ISO 8601 (local time without an offset). Returns seconds since 1970.

    Raises:
        InvalidInput: names ``field``.
    """
    try:
        seconds = float(text)
    except ValueError:
        try:
            iso = _PLUS_LOST.sub(r"+\1", text) if "T" in text else text
            seconds = datetime.fromisoformat(iso).timestamp()
        except (ValueError, OverflowError, OSError):
            seconds = float("nan")
    if not 0 <= seconds <= time.time() + 10 * 366 * 86400:
        raise InvalidInput(field, text, "a time such as 2025-01-31T22:15:00, or seconds since 1970")
    return seconds


def time_text(wall: float, zone: tzinfo | None = UTC) -> str:
    """ISO 8601 to the millisecond, which ``wall_time`` reads back; ``zone`` None is local time.

    Rounded up: what began at ``wall`` has begun at the time that is written.
    """
    seconds = math.ceil(round(wall * 1000, 3)) / 1000
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone).isoformat(timespec="milliseconds")
