"""Limits the open requests of one address and how fast they follow each other."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from ..clients import Clients, client_address, client_key
from ..errors import Full, reply
from ..rate_limits import RateLimits

REQUESTS_PER_AUDIO = 4  # open requests per allowed audio connection of an address: also events, socket and pages
BURST_PER_AUDIO = 4  # requests at once per allowed audio connection; one per second follows for each
TRY_AGAIN_LATER = 1013  # WebSocket close code (IANA registry)
ALWAYS = "/healthz"  # costs little, and a monitor may share its address with an attacker


class AddressLimit:
    """Refuses requests of an address that has too many open, and lets those that come too fast wait. Event loop only.

    ``audio`` is the number of audio connections that an address may have; the limits follow from it. Streams, events
    and sockets are open requests until they end.
    """

    def __init__(self, app: ASGIApp, audio: int, clients: Clients) -> None:
        self._app = app
        self._most = REQUESTS_PER_AUDIO * audio
        self._clients = clients
        self._rate_limits = RateLimits(max(10, audio), max(100, BURST_PER_AUDIO * audio))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] == ALWAYS:
            await self._app(scope, receive, send)
            return
        key = client_key(scope)
        if self._clients.count(key) >= self._most:
            message = f"your address has {self._most} requests open, as many as it may have"
            await _refuse(Full(message), scope, receive, send)
            return
        if (left_s := self._clients.shut_out_s(client_address(scope))) > 0:
            await _refuse(Full("your address is shut out for a while", left_s), scope, receive, send)
            return
        with self._clients.request(scope):
            now = asyncio.get_running_loop().time()
            if (wait_s := self._rate_limits.of(key, now).turn(now)) > 0:
                await asyncio.sleep(wait_s)
            await self._app(scope, receive, send)


async def _refuse(error: Full, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": str(error)})
        return
    await reply(error, scope)(scope, receive, send)
