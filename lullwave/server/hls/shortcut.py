"""Answers what players of HLS ask again and again, before the routes: most requests of a server with many of them.

Only what needs no decision: the playlist of a listener that is known and of a station that plays, and a whole segment
that is here. All other requests go on to the routes, which would answer these in the same way.
"""

from __future__ import annotations

import re

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..clients import client_key
from ..deps import Services
from ..live.channel import Channel

_FILE = re.compile(
    r"/stations/([^/]+)/hls/(?:([0-9]{1,4})\.m3u8|([0-9a-f]{12}-[0-9]{1,4}-(?:[0-9]{1,12}\.m4s|init\.mp4)))"
)
_QUERY = re.compile(rb"(?:listener=([A-Za-z0-9_-]{1,64}))?")
# Headers on which the reply depends, or that announce a body; a relay looks at ``Via``.
_FOR_ROUTES = frozenset({b"range", b"if-none-match", b"content-length", b"transfer-encoding", b"expect", b"via"})


class HlsShortcut:
    """The middleware within the checks of access. Event loop only."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = self._reply(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        await (reply or self._app)(scope, receive, send)

    def _reply(self, scope: Scope) -> Response | None:
        """The reply, if it needs no decision."""
        found, asked = _FILE.fullmatch(scope["path"]), _QUERY.fullmatch(scope["query_string"])
        if found is None or asked is None or any(name in _FOR_ROUTES for name, _ in scope["headers"]):
            return None
        live, prefix = self._services.live, scope.get("root_path", "")
        channel = None if live is None else live.stations.get(found[1])
        if channel is None or (prefix and scope["path"].startswith(prefix)):  # routes remove such a prefix
            return None
        if found[2] is None:
            return self._services.hls_replies.file(channel, found[3])
        return self._playlist(scope, channel, int(found[2]), asked[1].decode() if asked[1] else None)

    def _playlist(self, scope: Scope, channel: Channel, kbps: int, listener: str | None) -> Response | None:
        """The playlist of a bit rate for a listener that is counted already, or need not be."""
        listeners, station = self._services.channels.hls_listeners, channel.station
        always_on = station.config.always_on
        if not (always_on or listeners.knows(station.id, listener)):
            return None
        reply = self._services.hls_replies.ready(channel, kbps)
        if reply is not None and not always_on:
            listeners.heard(station.id, listener, client_key(scope))
        return reply
