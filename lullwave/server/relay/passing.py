"""Passes requests about stations on to the origin of a relay, and its replies back.

Steering carries the visitor's own token, never this server's, and the origin decides what it allows. Facts are the
origin's while its music is on air; this server's own addresses and listeners replace those in them.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..clients import client_address
from ..deps import Services, station_json
from ..errors import problem
from ..middleware.auth import FORK, PASSED_ON
from .origin import Origin
from .programme import moved_facts

FACTS = re.compile(r"/api/stations(?:/([^/]+))?")
PAST = re.compile(r"/api/stations/[^/]+/(history|replay|vocabulary)")
FORKS = re.compile(rf"/api/stations/[^/]+/{FORK}")
VISITORS_HEADERS = ("accept", "accept-language", "authorization", "content-type")


class PassingOn:
    """The innermost middleware of a relay. Event loop only."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = await self._reply(Request(scope, receive)) if scope["type"] == "http" else None
        await (reply or self._app)(scope, receive, send)

    async def _reply(self, request: Request) -> Response | None:
        """The origin's reply to a request that is for it; None for all that this server answers itself."""
        origin, path = self._services.channels.origin, request.scope["path"]
        if origin is None:
            return None
        if origin.via in request.headers.get("via", ""):
            return problem(508, "this server relays itself; the setting relay is another server's address")
        if request.method == "POST" and PASSED_ON.fullmatch(path):
            reply = await self._pass_on(origin, request, await request.body())
            away = "the origin of this relay does not answer; its music can be changed once it is back"
            return reply or problem(503, away, headers={"Retry-After": "10"})
        if request.method == "POST" and FORKS.fullmatch(path):
            return problem(501, "this server passes on another one's stations; it has no private streams")
        if request.method != "GET":
            return None
        if PAST.fullmatch(path):
            return await self._pass_on(origin, request, b"")
        if (found := FACTS.fullmatch(path)) is not None:
            return await self._facts(origin, request, found[1])
        return None

    async def _pass_on(self, origin: Origin, request: Request, body: bytes) -> Response | None:
        answer = await origin.ask(request.method, _target(request), self._headers(origin, request), body)
        return None if answer is None else Response(answer.body, answer.status, dict(answer.headers))

    async def _facts(self, origin: Origin, request: Request, station: str | None) -> Response | None:
        """What the origin tells of one station or of all, None if it tells nothing."""
        channels = self._services.channels
        if station is not None:
            channel = channels.stations.get(station)
            if channel is None or channel.relay is None or channel.relay.own:
                return None
        told = await origin.facts(_target(request), self._headers(origin, request))
        if not isinstance(told, dict):
            return None
        if station is not None:
            return JSONResponse(self._own_facts(request, told))
        listed = {one["id"]: one for one in told.get("stations", ()) if isinstance(one, dict) and "id" in one}
        found = []
        for name, channel in channels.stations.items():
            away = name not in listed or channel.relay is None or channel.relay.own
            found.append(station_json(channels, channel, request) if away else self._own_facts(request, listed[name]))
        return JSONResponse({"default": channels.default.station.id, "stations": found})

    def _own_facts(self, request: Request, told: dict[str, Any]) -> dict[str, Any]:
        """The origin's facts of a station, with what is this server's own."""
        channels = self._services.channels
        channel = channels.stations[told["id"]]
        own = station_json(channels, channel, request)
        moved = moved_facts(told, channel.relay.offset if channel.relay is not None else 0)
        return {**moved, **{name: own[name] for name in ("listeners", "busy", "stream", "hls")}}

    def _headers(self, origin: Origin, request: Request) -> dict[str, str]:
        """A visitor's headers for the origin; the token of this server stays here."""
        given: Headers = request.headers
        kept = {name: given[name] for name in VISITORS_HEADERS if name in given}
        if self._services.owner_token.allows(given):
            kept.pop("authorization", None)
        via = ", ".join(filter(None, (given.get("via"), origin.via)))
        return {**kept, "x-forwarded-for": client_address(request.scope), "via": via}


def _target(request: Request) -> str:
    query = request.url.query
    return quote(request.scope["path"]) + (f"?{query}" if query else "")
