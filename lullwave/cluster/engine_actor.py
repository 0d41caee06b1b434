"""An actor with one engine, which serves the sessions of any number of processes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import ray

from ..engines import load_engine
from ..server.inference.fair_scheduler import FairScheduler
from ..server.inference.session import Session
from ..server.live.idle_timer import IdleTimer
from .scaling import ActorLoad

OUTBOX = 64  # messages of a session that wait for Ray
SILENT_S = 10.0  # a client that neither pings nor sends anything for this long is gone; it pings every two seconds

Message = str | bytes


class ActorSessionSocket:
    """What a websocket is elsewhere: its messages are put in by calls and taken out by a generator. Event loop only.

    ``on_end`` is called when the client is gone.
    """

    def __init__(self, on_end: Callable[[], object]) -> None:
        self._on_end = on_end
        self._inbox: asyncio.Queue[Message | None] = asyncio.Queue()
        self._early: dict[int, Message | None] = {}  # messages that overtook others
        self._next = 0  # number of the message that is put in next
        self._gone = False  # whether nothing is sent any more: the client is gone
        self._outbox: asyncio.Queue[Message | None] = asyncio.Queue(OUTBOX)
        self._silent = IdleTimer(self.end)
        self.heard()

    def heard(self) -> None:
        """Note that the client lives: the session ends when nothing is heard of it for ``SILENT_S``."""
        self._silent.hold(SILENT_S)

    def deliver(self, number: int, message: Message | None) -> None:
        """Take a message in; Ray may bring them in another order. None ends the session."""
        self.heard()
        self._early[number] = message
        while self._next in self._early:
            self._inbox.put_nowait(self._early.pop(self._next))
            self._next += 1

    def end(self) -> None:
        """End the session of a client that is gone, whatever has been delivered and sent."""
        self._gone = True
        self._silent.cancel()
        self._inbox.put_nowait(None)
        while not self._outbox.empty():  # nobody fetches it, and ``send`` or ``close`` may wait for room
            self._outbox.get_nowait()
        self._outbox.put_nowait(None)
        self._on_end()

    async def sent(self) -> Message | None:
        """The next message of the session; None after the last."""
        return await self._outbox.get()

    async def all_sent(self) -> list[Message | None]:
        """The messages of the session that wait, at least one; the last of all is None."""
        first = await self._outbox.get()
        return [first, *(self._outbox.get_nowait() for _ in range(self._outbox.qsize()))]

    # ---- what ``Session`` calls

    async def accept(self, subprotocol: str | None = None) -> None:
        """There is nothing to agree upon."""

    async def receive(self) -> Mapping[str, Any]:
        """The next message from the client, as ASGI has it."""
        message = await self._inbox.get()
        if message is None:
            return {"type": "websocket.disconnect"}
        return {"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send a message to the client, as ASGI has it; to one that is gone, nothing."""
        if not self._gone:
            await self._outbox.put(message.get("text") or message.get("bytes"))

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """End the session; the client sees that no more messages come."""
        if not self._gone:
            await self._outbox.put(None)


class EngineActor:
    """An engine, loaded when the actor starts, and its sessions. An asynchronous actor of Ray."""

    def __init__(self, engine: str, options: Mapping[str, Any]) -> None:
        self._engine = load_engine(engine, **options)
        self._scheduler = FairScheduler(self._engine.reads_at_once)
        self._sessions: dict[str, tuple[ActorSessionSocket, Session]] = {}
        self._waiting: dict[str, ActorSessionSocket] = {}  # messages that came before their session has begun
        self._fetched: dict[str, ActorSessionSocket] = {}  # sessions whose messages are fetched by calls
        self._idle_since = time.monotonic()

    async def connect(self, session: str) -> AsyncIterator[Message]:
        """Begin a session; its messages to the client."""
        socket = self._waiting.pop(session, None) or self._socket(session)
        running = self._begun(session, socket)
        try:
            while (message := await socket.sent()) is not None:
                yield message
        finally:
            socket.end()
            running.cancel()
            self._sessions.pop(session, None)

    async def fetch(self, session: str, first: bool) -> list[Message | None]:
        """The messages to the client of a session that wait, at least one; the last of all is None.

        For Ray's client, which carries no streaming generators. The ``first`` call begins the session; a later one, of
        a session that is forgotten, gets its end. One call at a time.
        """
        if session not in self._fetched:
            if not first:
                return [None]
            socket = self._waiting.pop(session, None) or self._socket(session)
            self._fetched[session] = socket
            self._begun(session, socket).add_done_callback(lambda _: self._forget(session))
        return await self._fetched[session].all_sent()

    async def deliver(self, session: str, number: int, message: Message | None) -> None:
        """Take in message ``number`` of a session; of one that has ended, it is dropped."""
        if session in self._sessions:
            self._sessions[session][0].deliver(number, message)
        elif number == 0 or session in self._waiting:
            if session not in self._waiting:
                self._waiting[session] = self._socket(session)
            self._waiting[session].deliver(number, message)

    async def ping(self, session: str) -> None:
        """Answer the client of a session."""
        if session in self._sessions:
            self._sessions[session][0].heard()

    async def load(self) -> dict[str, Any]:
        """What it does, for the pool: ``ActorLoad`` and where it runs."""
        sessions = [session for _, session in self._sessions.values()]
        streams = sum(session.streams for session in sessions)
        if streams:
            self._idle_since = time.monotonic()
        speeds = [speed for session in sessions if (speed := session.take_speed()) is not None]
        context = ray.get_runtime_context()
        return {
            "load": ActorLoad(
                streams, self._scheduler.waiting(), min(speeds, default=None), time.monotonic() - self._idle_since
            ),
            "pid": os.getpid(),
            "node": ray.util.get_node_ip_address(),
            "node_id": context.get_node_id(),
            "restarted": context.was_current_actor_reconstructed,
        }

    def _socket(self, session: str) -> ActorSessionSocket:
        """The socket of a session; messages that wait for a session are dropped when its client is gone."""
        return ActorSessionSocket(lambda: self._waiting.pop(session, None))

    def _begun(self, name: str, socket: ActorSessionSocket) -> asyncio.Task[None]:
        """The task of a session that begins."""
        served = Session(socket, self._engine, self._scheduler)
        self._sessions[name] = (socket, served)
        return asyncio.create_task(self._run(name, served, socket))

    def _forget(self, name: str) -> None:
        """Let what a session sent last be fetched for a while."""
        asyncio.get_running_loop().call_later(SILENT_S, self._fetched.__delitem__, name)

    async def _run(self, name: str, session: Session, socket: ActorSessionSocket) -> None:
        try:
            await session.run()
        finally:
            self._sessions.pop(name, None)  # its streams are closed, also if nobody fetches what was sent last
        await socket.close()
