"""One connection that speaks ``lullwave.v1``: messages in, messages out. Makes no music on the event loop.

Three tasks: one receives messages, one sends, one reports progress to a client that waits. The scheduler's threads do
all work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from starlette.websockets import WebSocketDisconnect

from ... import __version__
from ...engines.base import MAX_OVER_S, Engine, Stream
from ...engines.remote import protocol as wire
from ...errors import Busy, InvalidInput, ProtocolError
from ...request import Request
from .fair_scheduler import FairScheduler
from .streams import CommandQueue, Message, ServedStream

MAX_STREAMS = 64  # open streams of one client
MAX_BACKLOG = 4_000_000  # bytes that wait to be sent; beyond, no block is made
SILENCE_S = 60.0  # a client that sends nothing for this long is disconnected
PROGRESS_S = 1.0  # seconds between progress messages
_REQUEST_FIELDS = {"prompt", "seed", "duration_s", "options"}

log = logging.getLogger(__name__)


class SessionSocket(Protocol):
    """What carries the messages of a session; a websocket of Starlette, for example."""

    async def accept(self, subprotocol: str | None = None) -> None: ...
    async def receive(self) -> Mapping[str, Any]: ...
    async def send(self, message: Any) -> None: ...
    async def close(self, code: int = 1000, reason: str | None = None) -> None: ...


class Session:
    """One client. Event loop only, except for ``_send``."""

    def __init__(self, socket: SessionSocket, engine: Engine, scheduler: FairScheduler) -> None:
        self._socket = socket
        self._engine = engine
        self._scheduler = scheduler
        self._client = scheduler.client()
        self._loop = asyncio.get_running_loop()
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()
        self._backlog = 0  # bytes in the outbox; counted on the event loop
        self._streams: dict[int, ServedStream] = {}
        self._commands = CommandQueue(self._send)
        self._client.add(self._commands)

    async def run(self) -> None:
        """Serve the client until either side closes the connection."""
        await self._socket.accept(wire.SUBPROTOCOL)
        self._hello()
        tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._report())]
        try:
            await self._receive()
        except ProtocolError as error:
            log.warning("a client was disconnected: %s", error)
            await self._close(wire.BAD_MESSAGE, str(error))
        except TimeoutError:
            await self._close(wire.TIMED_OUT, f"nothing was received for {SILENCE_S:g} seconds")
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._client.leave()
            for served in self._streams.values():
                served.abandon()
            await asyncio.to_thread(_close_all, list(self._streams.values()))

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    def take_speed(self) -> float | None:
        """How fast the slowest stream was made since the last call, in times real time; None: nothing was made."""
        speeds = [speed for served in self._streams.values() if (speed := served.take_speed()) is not None]
        return min(speeds, default=None)

    def _hello(self) -> None:
        engine = self._engine
        hello = wire.pack(
            "hello",
            protocol=wire.SUBPROTOCOL,
            version=__version__,
            engine={
                "name": engine.name,
                "summary": engine.summary,
                "rate": engine.rate,
                "channels": engine.channels,
                "rewindable_s": engine.rewindable_s,
                "lighter": [dict(options) for options in engine.lighter],
            },
            limits={"streams": MAX_STREAMS, "backlog_bytes": MAX_BACKLOG, "message_bytes": wire.MAX_MESSAGE_BYTES},
        )
        self._put(Message(hello))

    async def _receive(self) -> None:
        while True:
            async with asyncio.timeout(SILENCE_S):
                message = await self._socket.receive()
            if message["type"] != "websocket.receive":
                return
            text, data = message.get("text"), message.get("bytes")
            if text is not None:
                if len(text) > wire.MAX_TEXT_BYTES:
                    await self._close(wire.TOO_LARGE, f"a text message has at most {wire.MAX_TEXT_BYTES} bytes")
                    return
                self._execute(wire.parse(text))
            elif data is not None:
                self._restore(wire.unpack(data))
            self._scheduler.wake()

    def _execute(self, message: Mapping[str, Any]) -> None:
        """Start what a text message asks for."""
        match message["op"]:
            case "open":
                request = message.get("request")
                self._open(message, lambda: self._engine.stream(_request(request)))
            case "fork":
                begin, source = _frame(message), self._streams.get(wire.int_field(message, "of"))
                if source is None:
                    raise ProtocolError(f"fork: there is no stream {message['of']}")
                self._open(message, lambda: source.fork(begin), source)
            case "steer":
                served, id = self._stream(message), wire.int_field(message, "id")
                epoch, at = wire.int_field(message, "epoch"), wire.int_field(message, "at", high=2**63 - 1)
                prompt, over_s = wire.str_field(message, "prompt"), message.get("over_s")
                if not isinstance(over_s, (int, float)) or not 0 <= over_s <= MAX_OVER_S:
                    raise ProtocolError(f"steer: over_s must be a number of seconds from 0 to {MAX_OVER_S:g}")
                served.call(id, lambda: served.steer(epoch, at, prompt, over_s))
            case "snapshot":
                served, id, frame = self._stream(message), wire.int_field(message, "id"), _frame(message)
                served.call(id, lambda: served.snapshot(id, frame))
            case "credit":
                number = wire.int_field(message, "stream")
                if number in self._streams:  # else the stream was cancelled while this message was on its way
                    self._streams[number].grant(wire.int_field(message, "to", high=2**63 - 1))
            case "understand":
                id, prompt = wire.int_field(message, "id"), wire.str_field(message, "prompt")
                self._commands.call(
                    id, lambda: {"understanding": wire.encode_understanding(self._engine.understand(prompt))}
                )
            case "cancel":
                if (gone := self._streams.pop(wire.int_field(message, "stream"), None)) is not None:
                    gone.abandon()
                    self._client.remove(gone)
                    self._loop.run_in_executor(None, _close_all, [gone])
            case "here":
                pass
            case other:
                raise ProtocolError(f"there is no op {other[:40]!r}")

    def _restore(self, message: wire.BinaryMessage) -> None:
        if message.kind != wire.SNAPSHOT:
            raise ProtocolError("a client sends no audio")
        fields = {"op": "restore", "stream": message.stream, "id": message.epoch, "encoding": message.encoding}
        self._open(fields, lambda: self._engine.restore(message.body))

    def _open(self, message: Mapping[str, Any], make: Callable[[], Stream], source: ServedStream | None = None) -> None:
        """Queue the creation of a stream by ``make``; a fork is queued among the commands of its source."""
        number, id = wire.int_field(message, "stream"), wire.int_field(message, "id")
        encoding = message.get("encoding", wire.ENCODINGS[0])
        if encoding not in wire.ENCODINGS:
            raise ProtocolError(f"{message['op']}: encoding must be one of " + ", ".join(wire.ENCODINGS))
        if number in self._streams:
            raise ProtocolError(f"{message['op']}: there is a stream {number} already")
        if len(self._streams) >= MAX_STREAMS:
            full = Busy(f"one client has at most {MAX_STREAMS} streams", 10.0)
            self._put(Message(wire.pack("failed", id=id, **wire.encode_error(full))))
            return
        served = self._streams[number] = ServedStream(number, encoding, self._send, self._room)
        self._client.add(served)

        def create() -> dict[str, Any]:
            try:
                return served.create(make)
            except Exception:
                with suppress(RuntimeError):  # the loop has ended
                    self._loop.call_soon_threadsafe(self._forget, served)
                raise

        (source or served).call(id, create)

    def _forget(self, served: ServedStream) -> None:
        """Drop a stream that could not be created."""
        if self._streams.get(served.number) is served:
            del self._streams[served.number]
        self._client.remove(served)

    def _stream(self, message: Mapping[str, Any]) -> ServedStream:
        number = wire.int_field(message, "stream")
        if number not in self._streams:
            raise ProtocolError(f"{message['op']}: there is no stream {number}")
        return self._streams[number]

    def _room(self) -> bool:
        return self._backlog < MAX_BACKLOG

    def _send(self, message: Message) -> None:
        """Queue a message to the client. Thread-safe."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._put, message)

    def _put(self, message: Message) -> None:
        self._backlog += len(message.data)
        self._outbox.put_nowait(message)

    async def _write(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError, OSError):
            while True:
                message = await self._outbox.get()
                if not message.stale():
                    await self._socket.send(
                        {"type": "websocket.send", "text": message.data}
                        if isinstance(message.data, str)
                        else {"type": "websocket.send", "bytes": message.data}
                    )
                was_full = not self._room()
                self._backlog -= len(message.data)
                if was_full and self._room():
                    self._scheduler.wake()

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_S)
            waiting = [p for served in self._streams.values() if (p := served.progress()) is not None]
            for progress in waiting:
                self._put(Message(wire.pack("progress", queue=self._scheduler.waiting(), **progress)))

    async def _close(self, code: int, reason: str) -> None:
        with suppress(RuntimeError, OSError):
            await self._socket.close(code, reason.encode()[:120].decode(errors="ignore"))


def _close_all(streams: list[ServedStream]) -> None:
    for served in streams:
        with suppress(Exception):  # an engine that fails while it closes
            served.close()


def _frame(message: Mapping[str, Any]) -> int | None:
    return None if message.get("at") is None else wire.int_field(message, "at", high=2**63 - 1)


def _request(fields: Any) -> Request:
    """Build the request of an ``open`` message."""
    if not isinstance(fields, dict):
        raise InvalidInput("request", fields, "an object")
    for name in fields.keys() - _REQUEST_FIELDS:
        raise InvalidInput(name, fields[name], "fields named " + ", ".join(sorted(_REQUEST_FIELDS)))
    return Request(**fields)
