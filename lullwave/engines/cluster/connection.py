"""A connection to an engine actor: the messages of ``lullwave.v1`` through Ray instead of a websocket.

What the actor sends is one streaming generator, which waits while ``BACKPRESSURE`` messages have not been fetched;
Ray's client (``ray://``) carries no such generators, so its messages are fetched by calls, all that wait with each.
What the actor receives are calls; Ray may start these in another order, so each has a number.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any

from ray.exceptions import RayError

from ..remote import protocol
from ..remote.connection import Connection
from .calls import ActorCalls, by_client, calls_of, first_line, is_part

BACKPRESSURE = 16  # messages of the generator that wait to be fetched
ABORTED = "the connection was ended"

Message = str | bytes


class ActorSocket:
    """What a websocket is elsewhere: carries the messages of one session. Event loop only."""

    def __init__(self, actor: Any) -> None:
        self._calls = calls_of(actor)
        self._session = secrets.token_hex(8)
        self._sent = 0
        self._messages = _fetched(self._calls, self._session) if by_client() else _streamed(actor, self._session)
        self._receiving: asyncio.Future[Message] | None = None
        self._aborted = False

    @property
    def subprotocol(self) -> str:
        """That of every engine actor."""
        return protocol.SUBPROTOCOL

    @property
    def transport(self) -> ActorSocket:
        """What ``abort`` is called on: the socket itself."""
        return self

    def __aiter__(self) -> AsyncIterator[Message]:
        return self._all()

    async def recv(self) -> Message:
        """The next message.

        Raises:
            ConnectionError: the actor is lost, it has ended the session, or ``abort`` was called.
        """
        if self._aborted:
            raise ConnectionError(ABORTED)
        self._receiving = asyncio.ensure_future(anext(self._messages))
        try:
            return await self._receiving
        except StopAsyncIteration:
            raise ConnectionError("the engine ended the session") from None
        except RayError as error:
            raise ConnectionError(first_line(error)) from None
        except asyncio.CancelledError:
            if self._aborted:
                raise ConnectionError(ABORTED) from None
            raise

    async def send(self, message: Message, /) -> None:
        """Send a message; how it fares tells ``recv``."""
        self._deliver(message)

    async def ping(self) -> Awaitable[float]:
        """An awaitable that is done when the actor has answered."""
        return asyncio.ensure_future(self._pinged())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End the session."""
        self._deliver(None)

    def abort(self) -> None:
        """End the session at once, whatever the actor does: nothing more is fetched."""
        if self._aborted:
            return
        self._aborted = True
        if self._receiving is not None:
            self._receiving.cancel()
        with suppress(ConnectionError):
            self._deliver(None)
        self._calls.end()

    def _deliver(self, message: Message | None) -> None:
        self._calls.tell("deliver", self._session, self._sent, message)
        self._sent += 1

    async def _pinged(self) -> float:
        await self._calls.call("ping", self._session)
        return 0.0

    async def _all(self) -> AsyncIterator[Message]:
        while True:
            yield await self.recv()


class ActorConnection(Connection):
    """A connection to one actor; made and used as ``Connection``."""

    def __init__(self, actor: Any, name: str, deadline_s: float) -> None:
        self._actor = actor
        super().__init__(name, "", deadline_s)

    async def connect(self) -> ActorSocket:
        if not is_part():
            raise ConnectionError("this process has left the cluster")
        return ActorSocket(self._actor)


async def _streamed(actor: Any, session: str) -> AsyncIterator[Message]:
    """The messages of a session, of the actor's generator."""
    streaming = {"num_returns": "streaming", "_generator_backpressure_num_objects": BACKPRESSURE}
    async for message in actor.connect.options(**streaming).remote(session):
        yield await message


async def _fetched(calls: ActorCalls, session: str) -> AsyncIterator[Message]:
    """The messages of a session, fetched by calls."""
    first = True
    while True:
        for message in await calls.call("fetch", session, first):
            if message is None:
                return
            yield message
        first = False
