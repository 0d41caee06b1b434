"""Limits the size of request bodies, counted while they are read, and the time that they take."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import TooLarge, TooSlow, reply

BODY_S = 20.0  # most seconds between two parts of a body


class BodyLimit:
    """Refuses bodies that are larger than ``limit_bytes``, announced or not, and bodies that stop arriving.

    ``larger`` holds other limits by the start of the path. Event loop only.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int, larger: Mapping[str, int] = MappingProxyType({})) -> None:
        self._app = app
        self._limit = limit_bytes
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = next((size for begin, size in self._larger.items() if scope["path"].startswith(begin)), self._limit)
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced[:20]) > limit:
            await reply(TooLarge(limit), scope)(scope, receive, send)
            return
        read = 0
        begun = whole = False
        refused: TooLarge | TooSlow | None = None

        async def counted() -> Message:
            nonlocal read, whole, refused
            try:
                async with asyncio.timeout(None if whole else BODY_S):
                    message = await receive()
            except TimeoutError:
                refused = TooSlow(BODY_S)
                raise refused from None
            whole = whole or not message.get("more_body", False)
            read += len(message.get("body", b""))
            if read > limit:
                refused = TooLarge(limit)
                raise refused
            return message

        async def noted(message: Message) -> None:
            nonlocal begun
            if refused is None or begun:  # a reply of the route to a broken body is dropped
                begun = True
                await send(message)

        with suppress(TooLarge, TooSlow):
            await self._app(scope, counted, noted)
        if refused is not None and not begun:
            await reply(refused, scope)(scope, receive, send)
