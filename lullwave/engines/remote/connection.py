"""One connection to an inference server: handshake, requests and replies, detection of a dead peer.

It is a websocket; a subclass may connect by something else that carries messages (see ``MessageSocket``).

The connection runs an event loop on a thread of its own, so that blocking code elsewhere never delays a ping. Callers
on other threads use ``call`` and wait for the future; blocks of samples go to the stream with their number. When the
connection is lost, every waiting call and every stream gets ``EngineLost``. A connection never reconnects: the engine
opens a new one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from ...errors import EngineLost, LullwaveError, ProtocolError
from ...redaction import redacted
from . import protocol

CONNECT_S = 8.0  # timeout for connecting and for the server's hello
PING_S = 2.0  # interval of pings
MAX_WORDS = 400  # characters of a name, version or summary that is kept of a hello
HEARTBEAT_S = 15.0  # interval of the message ``here``, which keeps the server from closing a quiet connection
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemoteEngineInfo:
    """Describes the engine that the server runs, as its hello states it."""

    name: str
    version: str  # of lullwave on the server
    summary: str
    rate: int
    channels: int
    rewindable_s: float
    lighter: tuple[Mapping[str, Any], ...]


class StreamHandler(Protocol):
    """Receives what arrives for one stream, on the connection's thread; a ``ProtocolError`` ends the connection."""

    def on_audio(self, block: protocol.BinaryMessage) -> None: ...
    def on_message(self, message: Mapping[str, Any]) -> None: ...
    def on_lost(self, error: EngineLost) -> None: ...


class MessageSocket(Protocol):
    """What carries the messages, as a client of ``websockets``; an ``OSError`` says that the connection is lost."""

    @property
    def subprotocol(self) -> str | None: ...
    @property
    def transport(self) -> Any: ...  # ``abort()`` ends the connection at once
    def __aiter__(self) -> AsyncIterator[str | bytes]: ...
    async def recv(self) -> str | bytes: ...
    async def send(self, message: str | bytes, /) -> None: ...
    async def ping(self) -> Awaitable[float]: ...
    async def close(self, code: int = 1000, reason: str = "") -> None: ...


@dataclass
class _PendingReply:
    """A call whose reply has not arrived."""

    answer: Future[Any]
    on_reply: Callable[[Any], None]


class Connection:
    """An open connection, made by the constructor; thread-safe.

    ``engine_info`` is None when the server selected no subprotocol: it speaks a legacy protocol, and the connection is
    closed again.

    Raises:
        EngineLost: the server does not answer, refuses the connection or speaks another protocol.
    """

    def __init__(self, url: str, token: str, deadline_s: float) -> None:
        self.engine_info: RemoteEngineInfo | None = None
        self.rtt_s = 0.0  # round-trip time of the last ping
        self._url, self._token, self._deadline_s = url, token, deadline_s
        self._shown = redacted(url)  # for messages
        self._ready: Future[None] = Future()
        self._lock = threading.Lock()
        self._pending: dict[int, _PendingReply] = {}
        self._streams: dict[int, StreamHandler] = {}
        self._last_id = 0
        self._lost: EngineLost | None = None
        self._last_heard = 0.0
        self._close_reason = ""  # why this side closed the connection
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outbox: asyncio.Queue[str | bytes | None]  # None closes the connection
        self._thread = threading.Thread(target=self._run, name="connection", daemon=True)
        self._thread.start()
        self._ready.result()

    @property
    def open(self) -> bool:
        """Whether the connection still works."""
        return self._lost is None

    def next_id(self) -> int:
        """A number not used before on this connection, for a stream or a call."""
        with self._lock:
            self._last_id += 1
            return self._last_id

    def attach(self, number: int, stream: StreamHandler) -> None:
        """Deliver what arrives for stream ``number`` to ``stream``.

        Raises:
            EngineLost
        """
        with self._lock:
            if self._lost is not None:
                raise self._lost
            self._streams[number] = stream

    def detach(self, number: int) -> None:
        """Stop delivering stream ``number`` and cancel it on the server."""
        with self._lock:
            self._streams.pop(number, None)
        self.send("cancel", stream=number)

    def send(self, op: str, **fields: Any) -> None:
        """Send a message that has no reply; does nothing on a lost connection."""
        self._send(protocol.pack(op, **fields))

    def call(
        self,
        message: Callable[[int], str | bytes],
        on_reply: Callable[[Any], None] = lambda answer: None,
    ) -> Future[Any]:
        """Send ``message(id)`` and return a future of the reply.

        ``on_reply`` gets the reply on the connection's thread before the future does.

        Raises:
            EngineLost
        """
        id = self.next_id()
        reply = _PendingReply(Future(), on_reply)
        with self._lock:
            if self._lost is not None:
                raise self._lost
            self._pending[id] = reply
        self._send(message(id))
        return reply.answer

    def close(self) -> None:
        """Close the connection; waiting calls raise ``EngineLost``."""
        self._fail("it was closed")
        self._send(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)

    def _send(self, message: str | bytes | None) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._outbox.put_nowait, message)

    # ---- on the connection's thread

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:
            log.exception("the connection to %s failed", self._shown)
            self._fail(repr(error))
        if not self._ready.done():
            self._ready.set_exception(self._lost or EngineLost(f"{self._shown}: the connection ended"))

    async def _main(self) -> None:
        self._outbox = asyncio.Queue()
        try:
            async with asyncio.timeout(CONNECT_S):
                websocket = await self.connect()
                if websocket.subprotocol is None:
                    await websocket.close()
                    self._lost = EngineLost(f"{self._shown}: the server speaks a legacy protocol")
                    self._ready.set_result(None)
                    return
                try:
                    self.engine_info = _parse_hello(await websocket.recv())
                except BaseException:
                    websocket.transport.abort()
                    raise
        except TimeoutError:
            self._fail(f"no answer within {CONNECT_S:g} seconds")
            return
        except (OSError, WebSocketException, ProtocolError, ValueError) as error:
            self._fail(error_reason(error))
            return
        self._last_heard = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._ready.set_result(None)
        tasks = [asyncio.create_task(work(websocket)) for work in (self._write, self._ping, self._watch)]
        try:
            await self._read(websocket)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            websocket.transport.abort()

    async def connect(self) -> MessageSocket:
        """Open what carries the messages; on the connection's thread, within ``CONNECT_S``."""
        return await connect(
            self._url,
            subprotocols=[Subprotocol(protocol.SUBPROTOCOL)],
            additional_headers={"Authorization": f"Bearer {self._token}"} if self._token else None,
            compression=None,
            open_timeout=None,
            ping_interval=None,  # _ping does it: any message counts as a sign of life too
            close_timeout=1,
            max_size=protocol.MAX_MESSAGE_BYTES,
            proxy=None if urlsplit(self._url).hostname in LOOPBACK else True,
        )

    async def _read(self, websocket: MessageSocket) -> None:
        try:
            async for message in websocket:
                self._last_heard = time.monotonic()
                if isinstance(message, str):
                    self._on_text(protocol.parse(message))
                else:
                    self._on_binary(protocol.unpack(message))
            self._fail(self._close_reason or "the server closed the connection")
        except (ConnectionClosed, OSError) as error:
            self._fail(self._close_reason or error_reason(error))
        except ProtocolError as error:
            self._fail(f"the server sent an invalid message: {error}")
            with suppress(Exception):
                await websocket.close(protocol.BAD_MESSAGE, str(error)[:120])

    def _on_binary(self, message: protocol.BinaryMessage) -> None:
        if message.kind == protocol.SNAPSHOT:
            self._on_reply(message.epoch, message.body)
        elif (stream := self._streams.get(message.stream)) is not None:
            stream.on_audio(message)

    def _on_text(self, message: Mapping[str, Any]) -> None:
        match message["op"]:
            case "done":
                self._on_reply(protocol.int_field(message, "id"), message)
            case "failed":
                with self._lock:
                    reply = self._pending.pop(protocol.int_field(message, "id"), None)
                if reply is not None:
                    _reject(reply.answer, protocol.decode_error(message))
            case "notes" | "broken" | "progress":
                if (stream := self._streams.get(protocol.int_field(message, "stream"))) is not None:
                    stream.on_message(message)
            case _:
                pass  # sent by a newer server

    def _on_reply(self, id: int, answer: Any) -> None:
        with self._lock:
            reply = self._pending.pop(id, None)
        if reply is None:
            return
        try:
            reply.on_reply(answer)
        except ProtocolError as error:
            _reject(reply.answer, EngineLost(f"{self._shown}: {error}"))
            raise
        with suppress(InvalidStateError):  # the caller has given up
            reply.answer.set_result(answer)

    async def _write(self, websocket: MessageSocket) -> None:
        with suppress(ConnectionClosed, OSError):
            while (message := await self._outbox.get()) is not None:
                await websocket.send(message)
            await websocket.close()

    async def _ping(self, websocket: MessageSocket) -> None:
        last_heartbeat = time.monotonic()
        with suppress(ConnectionClosed, OSError):
            while True:
                sent = time.monotonic()
                pong = asyncio.ensure_future(await websocket.ping())
                pong.add_done_callback(partial(self._on_pong, sent))
                if sent - last_heartbeat > HEARTBEAT_S:
                    last_heartbeat = sent
                    await websocket.send(protocol.pack("here"))
                await asyncio.sleep(PING_S)

    def _on_pong(self, sent: float, answer: asyncio.Future[float]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            self._last_heard = time.monotonic()
            self.rtt_s = self._last_heard - sent

    async def _watch(self, websocket: MessageSocket) -> None:
        """Abort the transport when nothing arrived for ``deadline_s``; a closing handshake would wait for the peer."""
        while True:
            silent_s = time.monotonic() - self._last_heard
            if silent_s >= self._deadline_s:
                self._close_reason = f"the server sent nothing for {silent_s:.0f} seconds"
                self._fail(self._close_reason)
                websocket.transport.abort()
                return
            await asyncio.sleep(max(0.1, self._deadline_s - silent_s))

    def _fail(self, reason: str) -> None:
        """Mark the connection as lost, once, and pass the error to all calls and streams."""
        with self._lock:
            if self._lost is not None:
                return
            self._lost = error = EngineLost(f"{self._shown}: {reason}")
            pending, self._pending = self._pending, {}
            streams = list(self._streams.values())
        for reply in pending.values():
            _reject(reply.answer, error)
        for stream in streams:
            stream.on_lost(error)


def _reject(answer: Future[Any], error: LullwaveError) -> None:
    with suppress(InvalidStateError):  # the caller has given up
        answer.set_exception(error)


def _parse_hello(message: str | bytes) -> RemoteEngineInfo:
    """Parse the server's hello.

    Raises:
        ProtocolError: the message is not a hello of this protocol version, or announces sound that is not allowed.
    """
    hello: Mapping[str, Any] = protocol.parse(message) if isinstance(message, str) else {"op": ""}
    if hello["op"] != "hello" or hello.get("protocol") != protocol.SUBPROTOCOL:
        raise ProtocolError(f"the server did not begin with a hello of {protocol.SUBPROTOCOL}")
    try:
        engine = hello["engine"]
        rate, channels = protocol.int_field(engine, "rate"), protocol.int_field(engine, "channels")
        protocol.check_sound(rate, channels)
        return RemoteEngineInfo(
            str(engine["name"])[:MAX_WORDS],
            str(hello["version"])[:MAX_WORDS],
            str(engine["summary"])[:MAX_WORDS],
            rate,
            channels,
            min(
                protocol.float_field(engine, "rewindable_s", 0.0, float("inf")),
                protocol.MAX_REWINDABLE_S,
            ),
            tuple(dict(options) for options in engine.get("lighter", ())[: protocol.MAX_LIGHTER]),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ProtocolError("the server's hello does not describe its engine") from None


def keep_alive(connection: socket.socket, idle_s: int, interval_s: int, probes: int) -> None:
    """Let the kernel find a peer that disappeared without closing the connection.

    It probes after ``idle_s`` of silence, then every ``interval_s``; after ``probes`` without an answer the connection
    ends. On a listening socket this holds for every connection that the socket accepts. Options that the system does
    not have are left out.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in {"TCP_KEEPIDLE": idle_s, "TCP_KEEPINTVL": interval_s, "TCP_KEEPCNT": probes}.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def error_reason(error: Exception) -> str:
    """Describe a connection error in one line."""
    if isinstance(error, InvalidStatus):
        body = bytes(error.response.body or b"")
        try:
            said = str(json.loads(body)["error"])
        except (ValueError, RecursionError, KeyError, TypeError):
            said = "no reason given"
        return f"refused with status {error.response.status_code}: {said}"
    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        return f"the server closed the connection: {error.rcvd.reason or error.rcvd.code}"
    if isinstance(error, ConnectionClosed):
        return "the connection broke"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error) or type(error).__name__
