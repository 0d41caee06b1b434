"""Additions to uvicorn's protocol classes, kept in one file because they use its private interface.

``server_for`` in ``run`` and ``inference_server`` combine them. Each bounds what one connection can cost, so that a
flood on some of them leaves the event loop to the others.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from websockets.exceptions import InvalidState

from ..rate_limits import RateLimit
from .connection_limits import ConnectionLimits

HEAD_S = 15.0  # seconds between two checks for a complete request head: a silent connection is closed after one or two
REQUESTS_PER_S, REQUEST_BURST = 50.0, 200  # of one connection; further ones wait: a page loads with about 50 requests
PARSED_BYTES = 4096  # bytes of a websocket that are parsed between two looks at its limit
FLOOD_CLOSE_S = 1.0  # seconds that a flooding peer has to take the close frame
POLICY_VIOLATION = 1008  # WebSocket close code (RFC 6455, 7.4.1)


def with_head_timeout(protocol: type[Any], head_s: float = HEAD_S) -> type[Any]:
    """A subclass of ``protocol`` that closes connections on which no complete request head arrives.

    Uvicorn closes connections that are idle between two requests, but waits for the first request, and for the end of
    an incomplete head, without limit.
    """

    class HeadTimeout(protocol):  # type: ignore[misc]
        transport: asyncio.Transport
        cycle: Any

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._last_cycle: object = self  # differs from every cycle
            self._schedule_check()

        def connection_lost(self, exc: Exception | None) -> None:
            self._timer.cancel()
            super().connection_lost(exc)

        def _schedule_check(self) -> None:
            self._timer = asyncio.get_running_loop().call_later(head_s, self._check)

        def _check(self) -> None:
            """Close the connection if no request began since the last check and none is being answered."""
            if self.transport.get_protocol() is not self:  # the connection has become a websocket
                return
            cycle = self.cycle
            answered = cycle is None or cycle.response_complete
            if answered and (cycle is None or cycle is self._last_cycle):
                self.transport.close()
                return
            self._last_cycle = cycle
            self._schedule_check()

    return HeadTimeout


def with_transport_in_scope(protocol: type[Any]) -> type[Any]:
    """A subclass of ``protocol`` whose requests carry their transport in ``scope["lullwave.transport"]``."""

    class WithTransport(protocol):  # type: ignore[misc]
        app: Any

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            inner = self.app

            async def app(scope: Any, receive: Any, send: Any) -> None:
                scope["lullwave.transport"] = transport
                await inner(scope, receive, send)

            self.app = app

    return WithTransport


def with_paced_requests(protocol: type[Any], per_s: float = REQUESTS_PER_S, burst: int = REQUEST_BURST) -> type[Any]:
    """A subclass of ``protocol`` in which the requests of one connection wait for their turn.

    While one waits, uvicorn reads no further from the connection, so that pipelined requests cost nothing.
    """

    class Paced(protocol):  # type: ignore[misc]
        app: Any

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            inner, pace, loop = self.app, RateLimit(per_s, burst), asyncio.get_running_loop()

            async def app(scope: Any, receive: Any, send: Any) -> None:
                if (wait_s := pace.turn(loop.time())) > 0:
                    await asyncio.sleep(wait_s)
                await inner(scope, receive, send)

            self.app = app

    return Paced


def with_limits(protocol: type[Any], limits: ConnectionLimits) -> type[Any]:
    """A subclass of an HTTP ``protocol`` whose connections are counted by ``limits`` until they are closed.

    The websocket protocol must be made by ``limited_websocket`` with the same ``limits``: it takes connections over.
    """

    class Limited(protocol):  # type: ignore[misc]
        transport: asyncio.Transport
        client: tuple[str, int] | None
        cycle: Any

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            limits.add(transport, self.client[0] if self.client else "", self._idle)

        def connection_lost(self, exc: Exception | None) -> None:
            limits.remove(self.transport)
            super().connection_lost(exc)

        def _idle(self) -> bool:
            if self.transport.get_protocol() is not self:  # the connection has become a websocket
                return False
            return self.cycle is None or bool(self.cycle.response_complete)

    return Limited


def limited_websocket(protocol: type[Any], limits: ConnectionLimits | None, per_s: float, burst: int) -> type[Any]:
    """A subclass of uvicorn's sans-I/O websocket ``protocol`` that closes a connection which floods it.

    A peer may send ``per_s`` frames per second, ``burst`` at once: messages, their fragments, pings. Beyond, it is
    closed with 1008. Data are parsed in small parts, so that a flood is noticed before the rest of it is parsed.
    """

    class LimitedWebSocket(protocol):  # type: ignore[misc]
        transport: asyncio.Transport
        conn: Any
        _pace: RateLimit | None = None

        def handle_connect(self, event: Any) -> None:
            super().handle_connect(event)
            if (scope := getattr(self, "scope", None)) is not None:  # its task begins after this
                scope["lullwave.transport"] = self.transport

        def connection_lost(self, exc: Exception | None) -> None:
            if limits is not None:
                limits.remove(self.transport)
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._pace is None:  # uvicorn passes on the request that opens the websocket, whole
                self._pace = RateLimit(per_s, burst)
                super().data_received(data)
                return
            for at in range(0, len(data), PARSED_BYTES):
                if self.transport.is_closing():
                    return
                super().data_received(data[at : at + PARSED_BYTES])

        def shutdown(self) -> None:
            try:
                super().shutdown()
            except InvalidState:  # the peer has begun to close, and does not read the rest
                self.transport.close()

        def handle_events(self) -> None:
            frames = len(self.conn.events)
            super().handle_events()
            now = asyncio.get_running_loop().time()
            if self._pace is not None and not all(self._pace.allows(now) for _ in range(frames)):
                self._close_flood()

        def _close_flood(self) -> None:
            if self.transport.is_closing():
                return
            with suppress(InvalidState):  # the peer has begun to close
                self.conn.send_close(POLICY_VIOLATION, "too many messages")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
            asyncio.get_running_loop().call_later(FLOOD_CLOSE_S, self.transport.abort)

    return LimitedWebSocket
