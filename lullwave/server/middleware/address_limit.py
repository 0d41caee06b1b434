"""Limits of connections: how long a request may take to arrive, and how many one address may hold; knows no route."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import Full, reply

HEAD_S = 15.0  # who has not sent a whole head of a request after this, twice at most, is let go
BESIDE_AUDIO = 4  # requests at once, for each audio connection that an address may have: events, socket, the page
TRY_AGAIN_LATER = 1013  # WebSocket close code (IANA registry)


def impatient(protocol: type[Any], head_s: float = HEAD_S) -> type[Any]:
    """A protocol of uvicorn that closes connections on which no request arrives.

    Uvicorn lets go of those that are idle between two requests, but waits for ever for the first, and for the end of
    a head that has begun.
    """

    class Impatient(protocol):  # type: ignore[misc]
        transport: asyncio.Transport
        cycle: Any

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._looked_at: object = self  # no cycle is this
            self._look_again()

        def connection_lost(self, exc: Exception | None) -> None:
            self._timer.cancel()
            super().connection_lost(exc)

        def _look_again(self) -> None:
            self._timer = asyncio.get_running_loop().call_later(head_s, self._look)

        def _look(self) -> None:
            """Close if nothing was asked since the last look; the first look is early enough for the first request."""
            if self.transport.get_protocol() is not self:  # a websocket now
                return
            cycle = self.cycle
            answered = cycle is None or cycle.response_complete
            if answered and (cycle is None or cycle is self._looked_at):
                self.transport.close()
                return
            self._looked_at = cycle
            self._look_again()

    return Impatient


class AddressLimit:
    """Refuses requests of an address that has too many open: streams, events and sockets stay open."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        address = scope["client"][0] if scope.get("client") else ""
        if self._open[address] >= self._most:
            await self._refuse(scope, receive, send)
            return
        self._open[address] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = f"your address has {self._most} requests open, as many as it may have"
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": message})
            return
        await reply(Full(message))(scope, receive, send)
