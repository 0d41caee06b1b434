"""Spans of hours such as ``22-6`` or ``6:30-9``, for programmes by the local time of day."""

from __future__ import annotations

import re
import time


def minute_of_day(wall: float) -> int:
    """The minute of the local day at a time in seconds since 1970."""
    local = time.localtime(wall)
    return 60 * local.tm_hour + local.tm_min


def minutes_of_span(span: str) -> tuple[int, int] | None:
    """The first minute of the day in a span of hours and the first after it; None where it is no span."""
    found = re.fullmatch(r"\s*(\d{1,2})(?::(\d\d))?\s*-\s*(\d{1,2})(?::(\d\d))?\s*", span)
    if found is None:
        return None
    hour, minute, until, until_minute = (int(number or 0) for number in found.groups())
    if hour > 23 or until > 24 or max(minute, until_minute) > 59 or (until == 24 and until_minute):
        return None
    return 60 * hour + minute, (60 * until + until_minute) % (24 * 60)
