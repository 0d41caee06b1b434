"""Cross-origin access of browsers (CORS): any page may play the streams, listed origins may use the whole interface.

Nothing here lets a page act: ``auth`` decides that. No reply allows credentials.
"""

from __future__ import annotations

import re

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .auth import OPEN_TO_PAGES

SOUND = re.compile(
    r"/(stations/[^/]+/)?stream\.mp3|/current\.mp3|/stream\.m3u8|/stations/[^/]+/hls/[^/]+"
)  # paths that pages of every origin may read
MAX_AGE_S = 86400  # a browser may remember a preflight's answer for this long
REQUEST_HEADERS = ["Authorization", "Content-Type", "Icy-MetaData", "If-None-Match", "Last-Event-ID", "Range"]
REPLY_HEADERS = [
    "Content-Range",
    "ETag",
    "Retry-After",
    "X-Lullwave-Exact",
    "X-Lullwave-Seconds",
    "icy-br",
    "icy-metaint",
    "icy-name",
]
_ANY_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": ", ".join(REPLY_HEADERS),
}
_PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": ", ".join(REQUEST_HEADERS),
    "Access-Control-Max-Age": str(MAX_AGE_S),
    "Allow": "GET, HEAD, OPTIONS",
}


class Cors:
    """Adds the headers of CORS and answers preflights. ``allowed_origins`` is the setting: commas, or ``*``."""

    def __init__(self, app: ASGIApp, allowed_origins: str) -> None:
        self._app = app
        origins = sorted({part.strip() for part in allowed_origins.split(",")} - {""})
        self._listed: ASGIApp = app
        if origins:
            self._listed = CORSMiddleware(
                app,
                allow_origins=origins,
                allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
                allow_headers=REQUEST_HEADERS,
                expose_headers=REPLY_HEADERS,
                max_age=MAX_AGE_S,
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] in OPEN_TO_PAGES:  # these answer preflights themselves
            await self._app(scope, receive, _with_any_origin(send))
        elif not SOUND.fullmatch(scope["path"]):
            await self._listed(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, send)
        else:
            await self._app(scope, receive, _with_any_origin(send))


def _with_any_origin(send: Send) -> Send:
    """Add the headers that let pages of every origin read a reply, except for those that it has."""
    added = [(name.lower().encode(), value.encode()) for name, value in _ANY_ORIGIN.items()]

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            more = [pair for pair in added if pair[0] not in given]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return with_headers
