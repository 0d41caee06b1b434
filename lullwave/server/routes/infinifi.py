"""The routes of infinifi's page of November 2024: the number of listeners as server-sent events, and who listens.

That page has no websocket and no listener id, so the server knows it by its address while its events are open.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractContextManager, suppress

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope, Send

from .. import streaming
from ..clients import client_key
from ..deps import Services
from ..live.audience import Audience
from ..live.channel import Channel
from ..middleware.auth import LISTENS


class ClientStatus(BaseModel):
    """What the page says when its reader presses play or pause."""

    model_config = ConfigDict(strict=True)

    listening: bool = Field(alias="isListening", description="whether the page plays")


def router(services: Services) -> APIRouter:
    """``/status`` and ``/client-status``."""
    routes = APIRouter(tags=["radio"], dependencies=services.checks)
    pages = StatusPages()

    @routes.get(
        "/status",
        response_class=Response,
        responses={
            200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "server-sent events"}
        },
    )
    async def status(request: Request) -> Response:
        """The number of listeners, at once and at each change, for infinifi's page."""
        channels = services.channels
        return StatusEvents(channels.default, channels.audience, pages, client_key(request.scope))

    @routes.post(LISTENS)
    async def client_status(request: Request, body: ClientStatus) -> JSONResponse:
        """Count infinifi's page as a listener, from play to pause or until its events end."""
        pages.set_listening(services.channels.audience, client_key(request.scope), body.listening)
        return JSONResponse({"isListening": body.listening})

    return routes


class StatusPages:
    """The addresses with open event streams, each one listener at most. Event loop only."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}  # address → event streams
        self._listening: dict[str, AbstractContextManager[None]] = {}

    def opened(self, address: str) -> None:
        """Note an event stream."""
        self._open[address] = self._open.get(address, 0) + 1

    def closed(self, address: str) -> None:
        """Note the end of an event stream; with its last one an address stops counting."""
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]
            self._stop(address)

    def set_listening(self, audience: Audience, address: str, listening: bool) -> None:
        """Count an address from now on, or no longer. One without an event stream is never counted."""
        if not listening:
            self._stop(address)
        elif address in self._open and address not in self._listening:
            self._listening[address] = counted = audience.socket(None)
            counted.__enter__()

    def _stop(self, address: str) -> None:
        if (counted := self._listening.pop(address, None)) is not None:
            counted.__exit__(None, None, None)


class StatusEvents(Response):
    """``{"listeners": 3}`` as server-sent events, until the client disconnects or the server stops. Event loop only."""

    media_type = streaming.EVENTS_TYPE

    def __init__(self, channel: Channel, audience: Audience, pages: StatusPages, address: str) -> None:
        self._channel, self._audience, self._pages, self._address = channel, audience, pages, address
        self.background = None
        self.status_code = 200
        self.init_headers(streaming.EVENTS_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        self._pages.opened(self._address)
        try:
            await streaming.while_connected(self._send(send), receive)
        finally:
            self._pages.closed(self._address)

    async def _send(self, send: Send) -> None:
        """Look at the number whenever anything happens at the station, and at each heartbeat."""
        events = self._channel.events
        sent: int | None = None
        while not events.closed:
            count = self._audience.total
            text = streaming.HEARTBEAT if count == sent else f"data: {json.dumps({'listeners': count})}\n\n"
            sent = count
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
            with suppress(TimeoutError):
                async with asyncio.timeout(streaming.HEARTBEAT_S):
                    while self._audience.total == sent and not events.closed:
                        await events.changed()
        await send({"type": "http.response.body", "body": b""})
