"""Replies with bytes in memory: strong ETag, conditional requests, byte ranges (RFC 9110)."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

_ONE_RANGE = re.compile(r"^bytes=\s*(\d*)-(\d*)\s*$")


def whole_or_part(request: Request, data: bytes, etag: str, media_type: str, headers: dict[str, str]) -> Response:
    """Reply with ``data``, with the requested range of it, or with 304 or 416. ``etag`` includes its quotes."""
    bare, headers = headers, {"ETag": etag, "Accept-Ranges": "bytes", **headers}
    head = request.method == "HEAD"
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    asked = request.headers.get("range")
    condition = request.headers.get("if-range")
    if asked is None or head or (condition is not None and condition.strip() != etag):
        return whole(data, etag, media_type, bare, head)
    span = _span(asked, len(data))
    if span is None:
        return whole(data, etag, media_type, bare, head)
    start, stop = span
    if start >= stop:
        refused = {**headers, "Content-Range": f"bytes */{len(data)}", "Cache-Control": "no-store"}
        return Response(status_code=416, headers=refused)
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return Response(data[start:stop], 206, media_type=media_type, headers=headers)


def whole(data: bytes, etag: str, media_type: str, headers: dict[str, str], head: bool = False) -> Response:
    """Reply with all of ``data``, or with only its headers. ``etag`` includes its quotes."""
    headers = {"ETag": etag, "Accept-Ranges": "bytes", **headers}
    if head:
        return Response(media_type=media_type, headers={**headers, "Content-Length": str(len(data))})
    return Response(data, media_type=media_type, headers=headers)


def _span(asked: str, size: int) -> tuple[int, int] | None:
    """(start, stop) of one range; None if the header is to be ignored: several ranges, other units, bad syntax."""
    match = _ONE_RANGE.match(asked)
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = (digits.lstrip("0") or digits[:1] for digits in match.groups())
    if last and first and (len(last), last) < (len(first), first):
        return None
    if not first:
        return size - _at_most(last, size), size
    return _at_most(first, size), _at_most(last, size - 1) + 1 if last else size


def _at_most(digits: str, limit: int) -> int:
    """The smaller of ``limit`` and a decimal number with any number of digits."""
    return limit if len(digits) > len(str(limit)) else min(int(digits), limit)


def _matches(condition: str | None, etag: str) -> bool:
    """Tell whether ``If-None-Match`` lists ``etag``, compared weakly."""
    if condition is None:
        return False
    if condition.strip() == "*":
        return True
    return etag in [tag.strip().removeprefix("W/") for tag in condition.split(",")]
