"""One connection to an inference server: says hello, carries messages, notices when nobody is there any more.

A thread of its own with an event loop, so that nothing that blocks elsewhere keeps pings from being answered. Callers
on other threads ``ask`` and wait; blocks go to the stream that they belong to. Knows nothing of what is in a block.
When the connection is lost, everybody who waits gets ``EngineLost``; a link is never mended, the engine makes another.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from ...errors import EngineLost, LullwaveError, ProtocolError
from . import protocol as wire

CONNECT_S = 8.0  # to connect and to be greeted
PING_S = 2.0
HERE_S = 15.0  # a server hears from us at least this often
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Behind:
    """The engine at the other end."""

    name: str
    version: str  # of the program that runs it
    summary: str
    rate: int
    channels: int
    rewindable_s: float
    lighter: tuple[Mapping[str, Any], ...]


class Sink(Protocol):
    """A stream as its link sees it. Called on the link's thread; ``ProtocolError`` ends the connection."""

    def audio(self, block: wire.Binary) -> None: ...
    def told(self, message: Mapping[str, Any]) -> None: ...
    def lost(self, error: EngineLost) -> None: ...


@dataclass
class _Asked:
    """A question that has not been answered."""

    answer: Future[Any]
    settle: Callable[[Any], None]


class Link:
    """Connects at once; raises when that fails.

    ``behind`` is None when the server selected no subprotocol: it is an old one, and the connection is closed again.

    Raises:
        EngineLost: nobody is there, or refuses us, or speaks something else.
    """

    def __init__(self, url: str, token: str, deadline_s: float) -> None:
        self.behind: Behind | None = None
        self.rtt_s = 0.0  # measured
        self._url, self._token, self._deadline_s = url, token, deadline_s
        self._ready: Future[None] = Future()
        self._lock = threading.Lock()
        self._asked: dict[int, _Asked] = {}
        self._sinks: dict[int, Sink] = {}
        self._numbers = 0
        self._error: EngineLost | None = None
        self._heard = 0.0
        self._why = ""  # the connection was broken off from this side
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outbox: asyncio.Queue[str | bytes | None]  # None is the end
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._thread.start()
        self._ready.result()

    @property
    def open(self) -> bool:
        """Whether it still serves."""
        return self._error is None

    def number(self) -> int:
        """A number that nothing else on this connection has."""
        with self._lock:
            self._numbers += 1
            return self._numbers

    def join(self, number: int, sink: Sink) -> None:
        """What arrives for stream ``number`` goes to ``sink``.

        Raises:
            EngineLost
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            self._sinks[number] = sink

    def leave(self, number: int) -> None:
        """Nobody reads stream ``number`` any more."""
        with self._lock:
            self._sinks.pop(number, None)
        self.tell("cancel", stream=number)

    def tell(self, op: str, **fields: Any) -> None:
        """Send a message that has no answer; on a lost connection it goes nowhere."""
        self._send(wire.pack(op, **fields))

    def ask(
        self,
        message: Callable[[int], str | bytes],
        settle: Callable[[Any], None] = lambda answer: None,
    ) -> Future[Any]:
        """Send what ``message`` makes of an id. ``settle`` sees the answer first, on the link's thread.

        Raises:
            EngineLost
        """
        id = self.number()
        asked = _Asked(Future(), settle)
        with self._lock:
            if self._error is not None:
                raise self._error
            self._asked[id] = asked
        self._send(message(id))
        return asked.answer

    def close(self) -> None:
        """End the connection; whoever waits gets ``EngineLost``."""
        self._lose("it was closed")
        self._send(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)

    def _send(self, message: str | bytes | None) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(self._outbox.put_nowait, message)

    # ---- on the link's thread

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:
            log.exception("the connection to %s failed", self._url)
            self._lose(repr(error))
        if not self._ready.done():
            self._ready.set_exception(self._error or EngineLost(f"{self._url}: the connection ended"))

    async def _main(self) -> None:
        self._outbox = asyncio.Queue()
        try:
            async with asyncio.timeout(CONNECT_S):
                socket = await self._connected()
                if socket.subprotocol is None:
                    await socket.close()
                    self._error = EngineLost(f"{self._url}: an old server has no link")
                    self._ready.set_result(None)
                    return
                try:
                    self.behind = _behind(await socket.recv())
                except BaseException:
                    socket.transport.abort()
                    raise
        except TimeoutError:
            self._lose(f"no answer within {CONNECT_S:g} seconds")
            return
        except (OSError, WebSocketException, ProtocolError, ValueError) as error:
            self._lose(_words(error))
            return
        self._heard = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._ready.set_result(None)
        tasks = [asyncio.create_task(work(socket)) for work in (self._write, self._ping, self._watch)]
        try:
            await self._read(socket)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            socket.transport.abort()

    async def _connected(self) -> ClientConnection:
        return await connect(
            self._url,
            subprotocols=[Subprotocol(wire.SUBPROTOCOL)],
            additional_headers={"Authorization": f"Bearer {self._token}"} if self._token else None,
            compression=None,
            open_timeout=None,
            ping_interval=None,  # see _ping: what arrives counts as a sign of life as well
            close_timeout=1,
            max_size=wire.MAX_MESSAGE_BYTES,
            proxy=None if urlsplit(self._url).hostname in LOCAL else True,
        )

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for message in socket:
                self._heard = time.monotonic()
                if isinstance(message, str):
                    self._take(wire.parse(message))
                else:
                    self._take_binary(wire.unpack(message))
            self._lose(self._why or "the server closed the connection")
        except ConnectionClosed as error:
            self._lose(self._why or _words(error))
        except ProtocolError as error:
            self._lose(f"what arrived is garbled: {error}")
            with suppress(Exception):
                await socket.close(wire.JUNK, str(error)[:120])

    def _take_binary(self, message: wire.Binary) -> None:
        if message.kind == wire.SNAPSHOT:
            self._answer(message.epoch, message.body)
        elif (sink := self._sinks.get(message.stream)) is not None:
            sink.audio(message)

    def _take(self, message: Mapping[str, Any]) -> None:
        match message["op"]:
            case "done":
                self._answer(wire.whole(message, "id"), message)
            case "failed":
                with self._lock:
                    asked = self._asked.pop(wire.whole(message, "id"), None)
                if asked is not None:
                    _end(asked.answer, wire.error_in(message))
            case "notes" | "broken" | "progress":
                if (sink := self._sinks.get(wire.whole(message, "stream"))) is not None:
                    sink.told(message)
            case _:
                pass  # of a later server

    def _answer(self, id: int, answer: Any) -> None:
        with self._lock:
            asked = self._asked.pop(id, None)
        if asked is None:
            return
        try:
            asked.settle(answer)
        except ProtocolError as error:
            _end(asked.answer, EngineLost(f"{self._url}: {error}"))
            raise
        with suppress(InvalidStateError):  # nobody waits any more
            asked.answer.set_result(answer)

    async def _write(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while (message := await self._outbox.get()) is not None:
                await socket.send(message)
            await socket.close()

    async def _ping(self, socket: ClientConnection) -> None:
        heres = time.monotonic()
        with suppress(ConnectionClosed):
            while True:
                sent = time.monotonic()
                pong = asyncio.ensure_future(await socket.ping())
                pong.add_done_callback(partial(self._ponged, sent))
                if sent - heres > HERE_S:
                    heres = sent
                    await socket.send(wire.pack("here"))
                await asyncio.sleep(PING_S)

    def _ponged(self, sent: float, answer: asyncio.Future[float]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            self._heard = time.monotonic()
            self.rtt_s = self._heard - sent

    async def _watch(self, socket: ClientConnection) -> None:
        """Break the connection off when nothing came for too long: by the transport, which asks nobody."""
        while True:
            silent_s = time.monotonic() - self._heard
            if silent_s >= self._deadline_s:
                self._why = f"nothing was heard for {silent_s:.0f} seconds"
                self._lose(self._why)
                socket.transport.abort()
                return
            await asyncio.sleep(max(0.1, self._deadline_s - silent_s))

    def _lose(self, why: str) -> None:
        """Tell everybody, once."""
        with self._lock:
            if self._error is not None:
                return
            self._error = error = EngineLost(f"{self._url}: {why}")
            asked, self._asked = self._asked, {}
            sinks = list(self._sinks.values())
        for one in asked.values():
            _end(one.answer, error)
        for sink in sinks:
            sink.lost(error)


def _end(answer: Future[Any], error: LullwaveError) -> None:
    with suppress(InvalidStateError):  # nobody waits any more
        answer.set_exception(error)


def _behind(message: str | bytes) -> Behind:
    """The engine that the server's hello speaks of.

    Raises:
        ProtocolError: it is no hello, or of another version.
    """
    hello: Mapping[str, Any] = wire.parse(message) if isinstance(message, str) else {"op": ""}
    if hello["op"] != "hello" or hello.get("protocol") != wire.SUBPROTOCOL:
        raise ProtocolError(f"the server did not begin with a hello of {wire.SUBPROTOCOL}")
    try:
        engine = hello["engine"]
        return Behind(
            str(engine["name"]),
            str(hello["version"]),
            str(engine["summary"]),
            int(engine["rate"]),
            int(engine["channels"]),
            float(engine["rewindable_s"]),
            tuple(dict(options) for options in engine.get("lighter", ())),
        )
    except (KeyError, TypeError, ValueError):
        raise ProtocolError("the server's hello does not describe its engine") from None


def _words(error: Exception) -> str:
    """Why there is no connection, in one line."""
    if isinstance(error, InvalidStatus):
        body = bytes(error.response.body or b"")
        try:
            said = str(json.loads(body)["error"])
        except (ValueError, KeyError, TypeError):
            said = "no reason given"
        return f"refused with status {error.response.status_code}: {said}"
    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        return f"the server closed the connection: {error.rcvd.reason or error.rcvd.code}"
    if isinstance(error, ConnectionClosed):
        return "the connection broke"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error) or type(error).__name__
