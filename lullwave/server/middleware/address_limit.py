"""Limits how many requests one address may have open; knows no route."""

from __future__ import annotations

from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import Full, reply

REQUESTS_PER_AUDIO = 4  # open requests per allowed audio connection of an address: also events, socket and pages
TRY_AGAIN_LATER = 1013  # WebSocket close code (IANA registry)


class AddressLimit:
    """Refuses requests of an address that has ``most`` open; streams, events and sockets stay open. Event loop only."""

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
        await reply(Full(message), scope)(scope, receive, send)
