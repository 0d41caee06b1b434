"""One connection that speaks ``lullwave.v1``: messages in, messages out; makes no music on the event loop.

Three tasks: one reads and obeys, one writes, one tells who waits how far things are. All work is done by ``turns``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from ... import __version__
from ...engines.base import Engine, Stream
from ...engines.remote import protocol as wire
from ...errors import Busy, InvalidInput, ProtocolError
from ...request import Request
from .fair_scheduler import Turns
from .streams import Chores, Parcel, Playing

MAX_STREAMS = 64  # of one client
MAX_BACKLOG = 4_000_000  # bytes made for a client that it has not taken
SILENCE_S = 60.0  # a client says something at least this often
PROGRESS_S = 1.0
_REQUEST = {"prompt", "seed", "duration_s", "options"}

log = logging.getLogger(__name__)


class Session:
    """One client."""

    def __init__(self, socket: WebSocket, engine: Engine, turns: Turns) -> None:
        self._socket = socket
        self._engine = engine
        self._turns = turns
        self._table = turns.table()
        self._loop = asyncio.get_running_loop()
        self._outbox: asyncio.Queue[Parcel] = asyncio.Queue()
        self._backlog = 0  # bytes in the outbox; counted on the event loop
        self._streams: dict[int, Playing] = {}
        self._chores = Chores(self._send)
        self._table.sit(self._chores)

    async def run(self) -> None:
        """Serve the client until one of the two goes away."""
        await self._socket.accept(wire.SUBPROTOCOL)
        self._hello()
        tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._report())]
        try:
            await self._obey()
        except ProtocolError as error:
            log.warning("a client was sent away: %s", error)
            await self._close(wire.BAD_MESSAGE, str(error))
        except TimeoutError:
            await self._close(wire.TIMED_OUT, f"nothing was heard for {SILENCE_S:g} seconds")
        except (WebSocketDisconnect, RuntimeError, OSError):
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._table.leave()
            for playing in self._streams.values():
                playing.abandon()
            await asyncio.to_thread(_close_all, list(self._streams.values()))

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
        self._put(Parcel(hello))

    async def _obey(self) -> None:
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
                self._obeyed(wire.parse(text))
            elif data is not None:
                self._restore(wire.unpack(data))
            self._turns.wake()

    def _obeyed(self, message: Mapping[str, Any]) -> None:
        """Begin what a text message asks for."""
        match message["op"]:
            case "open":
                request = message.get("request")
                self._begin(message, lambda: self._engine.stream(_request(request)))
            case "fork":
                begin, source = _frame(message), self._streams.get(wire.int_field(message, "of"))
                if source is None:
                    raise ProtocolError(f"fork: there is no stream {message['of']}")
                self._begin(message, lambda: source.fork(begin), source)
            case "steer":
                playing, id = self._playing(message), wire.int_field(message, "id")
                epoch, at = wire.int_field(message, "epoch"), wire.int_field(message, "at", high=2**63 - 1)
                prompt, over_s = wire.str_field(message, "prompt"), message.get("over_s")
                if not isinstance(over_s, (int, float)) or not 0 <= over_s <= 3600:
                    raise ProtocolError("steer: over_s must be a number of seconds from 0 to 3600")
                playing.call(id, lambda: playing.steer(epoch, at, prompt, over_s))
            case "snapshot":
                playing, id, frame = self._playing(message), wire.int_field(message, "id"), _frame(message)
                playing.call(id, lambda: playing.snapshot(id, frame))
            case "credit":
                number = wire.int_field(message, "stream")
                if number in self._streams:  # else it was cancelled, and this one was on its way
                    self._streams[number].grant(wire.int_field(message, "to", high=2**63 - 1))
            case "understand":
                id, prompt = wire.int_field(message, "id"), wire.str_field(message, "prompt")
                self._chores.call(
                    id, lambda: {"understanding": wire.encode_understanding(self._engine.understand(prompt))}
                )
            case "cancel":
                if (gone := self._streams.pop(wire.int_field(message, "stream"), None)) is not None:
                    gone.abandon()
                    self._table.rise(gone)
                    self._loop.run_in_executor(None, _close_all, [gone])
            case "here":
                pass
            case other:
                raise ProtocolError(f"there is no op {other[:40]!r}")

    def _restore(self, message: wire.BinaryMessage) -> None:
        if message.kind != wire.SNAPSHOT:
            raise ProtocolError("a client sends no audio")
        fields = {"op": "restore", "stream": message.stream, "id": message.epoch, "encoding": message.encoding}
        self._begin(fields, lambda: self._engine.restore(message.body))

    def _begin(self, message: Mapping[str, Any], make: Callable[[], Stream], source: Playing | None = None) -> None:
        """A new stream, made by ``make`` when its turn comes (by the turn of the stream that it is forked from)."""
        number, id = wire.int_field(message, "stream"), wire.int_field(message, "id")
        encoding = message.get("encoding", wire.ENCODINGS[0])
        if encoding not in wire.ENCODINGS:
            raise ProtocolError(f"{message['op']}: encoding must be one of " + ", ".join(wire.ENCODINGS))
        if number in self._streams:
            raise ProtocolError(f"{message['op']}: there is a stream {number} already")
        if len(self._streams) >= MAX_STREAMS:
            full = Busy(f"one client has at most {MAX_STREAMS} streams", 10.0)
            self._put(Parcel(wire.pack("failed", id=id, **wire.encode_error(full))))
            return
        playing = self._streams[number] = Playing(number, encoding, self._send, self._room)
        self._table.sit(playing)

        def begun() -> dict[str, Any]:
            try:
                return playing.begin(make)
            except Exception:
                with suppress(RuntimeError):  # the loop has ended
                    self._loop.call_soon_threadsafe(self._forget, playing)
                raise

        (source or playing).call(id, begun)

    def _forget(self, playing: Playing) -> None:
        """It never began: it takes nobody's place."""
        if self._streams.get(playing.number) is playing:
            del self._streams[playing.number]
        self._table.rise(playing)

    def _playing(self, message: Mapping[str, Any]) -> Playing:
        number = wire.int_field(message, "stream")
        if number not in self._streams:
            raise ProtocolError(f"{message['op']}: there is no stream {number}")
        return self._streams[number]

    def _room(self) -> bool:
        return self._backlog < MAX_BACKLOG

    def _send(self, parcel: Parcel) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._put, parcel)

    def _put(self, parcel: Parcel) -> None:
        self._backlog += len(parcel.data)
        self._outbox.put_nowait(parcel)

    async def _write(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError, OSError):
            while True:
                parcel = await self._outbox.get()
                if not parcel.stale():
                    await self._socket.send(
                        {"type": "websocket.send", "text": parcel.data}
                        if isinstance(parcel.data, str)
                        else {"type": "websocket.send", "bytes": parcel.data}
                    )
                was_full = not self._room()
                self._backlog -= len(parcel.data)
                if was_full and self._room():
                    self._turns.wake()

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_S)
            waiting = [p for playing in self._streams.values() if (p := playing.progress()) is not None]
            for progress in waiting:
                self._put(Parcel(wire.pack("progress", queue=self._turns.waiting(), **progress)))

    async def _close(self, code: int, reason: str) -> None:
        with suppress(RuntimeError, OSError):
            await self._socket.close(code, reason.encode()[:120].decode(errors="ignore"))


def _close_all(streams: list[Playing]) -> None:
    for playing in streams:
        with suppress(Exception):  # an engine that breaks while it lets go
            playing.close()


def _frame(message: Mapping[str, Any]) -> int | None:
    return None if message.get("at") is None else wire.int_field(message, "at", high=2**63 - 1)


def _request(fields: Any) -> Request:
    """What the client asks for, checked like every request."""
    if not isinstance(fields, dict):
        raise InvalidInput("request", fields, "an object")
    for name in fields.keys() - _REQUEST:
        raise InvalidInput(name, fields[name], "fields named " + ", ".join(sorted(_REQUEST)))
    return Request(**fields)
