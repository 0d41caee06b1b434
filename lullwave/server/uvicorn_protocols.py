"""Additions to uvicorn's HTTP protocol classes, kept in one file because they use its private interface.

``server_for`` in ``run`` combines them; the tests in ``tests/server/middleware/test_limits.py`` cover the timeout.
"""

from __future__ import annotations

import asyncio
from typing import Any

HEAD_S = 15.0  # seconds between two checks for a complete request head: a silent connection is closed after one or two


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
