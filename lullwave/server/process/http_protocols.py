"""The class of uvicorn that speaks HTTP/1.1: by httptools where that is installed, else by h11.

httptools comes with the extra ``media``: thousands of players of HLS ask every second, and h11 takes eight times as
long to parse a request and to write the head of a reply. What h11 limits and httptools leaves open is added here. Like
``uvicorn_protocols``, this uses uvicorn's private interface.
"""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import Any

HEAD_BYTES = 64 * 1024  # of a request's head, or of what follows its body: as h11 allows
LENGTH = b"\r\ncontent-length: "  # as uvicorn writes it
PARSED_BYTES = 4096  # bytes that are parsed between two looks at these limits


def http_protocol() -> type[Any]:
    """The class to serve with."""
    if find_spec("httptools") is None:
        from uvicorn.protocols.http.h11_impl import H11Protocol

        return H11Protocol
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    return bounded(HttpToolsProtocol)


def bounded(protocol: type[Any]) -> type[Any]:
    """A subclass of ``HttpToolsProtocol`` that does as ``H11Protocol`` does where httptools leaves it to its caller.

    A head is limited, and so are trailers; a request has one ``Host``; requests of a pipeline are not parsed while
    others wait; replies in HTTP/1.0 are not chunked.
    """

    class Bounded(protocol):  # type: ignore[misc]
        transport: asyncio.Transport
        cycle: Any

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._unparsed = b""
            self._head = 0  # bytes parsed since the last head or part of a body was complete
            self._cycles: list[Any] = []  # requests whose replies are not finished, or were finished a moment ago

        def connection_lost(self, exc: Exception | None) -> None:
            for cycle in self._cycles:  # uvicorn tells the last one only
                if not cycle.response_complete:
                    cycle.disconnected = True
                cycle.message_event.set()
            super().connection_lost(exc)

        def handle_websocket_upgrade(self) -> None:
            if self._leave_replies():
                super().handle_websocket_upgrade()

        def send_400_response(self, msg: str) -> None:
            if self._leave_replies():
                super().send_400_response(msg)

        def data_received(self, data: bytes) -> None:
            self._unparsed += data
            self._parse()

        def on_headers_complete(self) -> None:
            version = self.parser.get_http_version()
            hosts = sum(name == b"host" for name, _ in self.headers)
            if hosts > 1 or (hosts == 0 and version == "1.1"):
                raise ValueError("a request names one host")  # httptools lets uvicorn answer 400
            super().on_headers_complete()
            self._head = 0
            if self.cycle is not None and self.cycle.scope is self.scope:
                for cycle in self._cycles:
                    if cycle.response_complete:
                        cycle.transport.flush()
                self._cycles = [cycle for cycle in self._cycles if not cycle.response_complete]
                self._cycles.append(self.cycle)
                self.cycle.transport = HeadWithBody(self.transport, asyncio.get_running_loop())
                if version == "1.0":
                    _leave_unchunked(self.cycle)

        def on_body(self, body: bytes) -> None:
            super().on_body(body)
            self._head = 0

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self._unparsed:
                self._parse()

        def _leave_replies(self) -> bool:
            """Tell whether all replies are finished; otherwise close the connection behind what was written of them."""
            for cycle in self._cycles:
                cycle.transport.flush()
            finished = all(cycle.response_complete for cycle in self._cycles)
            if not finished:
                self.transport.close()
            return finished

        def _parse(self) -> None:
            """Parse what was received, until a request waits for the one before it."""
            data, at = self._unparsed, 0
            while at < len(data) and not self.pipeline and not self.transport.is_closing():
                part = data[at : at + PARSED_BYTES]
                at += len(part)
                self._head += len(part)
                super().data_received(part)
                if self.transport.get_protocol() is not self:  # the connection has become a websocket
                    return
                if self._head > HEAD_BYTES and not self.transport.is_closing():
                    self.send_400_response("the head of the request is too long")
            self._unparsed = data[at:]
            if self._unparsed:
                self.flow.pause_reading()

    return Bounded


class HeadWithBody:
    """The transport of one reply: a head that tells a length goes out with what follows in this turn of the event loop.

    uvicorn writes a head and its body apart; each write is a call of the system, the dearest part of a short reply.
    Replies without a length are streams, which may write past this transport.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._head: bytes | None = None  # None before the first write; empty once it is out

    def write(self, data: bytes) -> None:
        if self._head is None and LENGTH in data:
            self._head = data
            self._loop.call_soon(self.flush)
        elif self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        else:
            self._head = b""
            self._transport.write(data)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def flush(self) -> None:
        """Write a head that waits for its body."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""


def _leave_unchunked(cycle: Any) -> None:
    """Let the reply of a request in HTTP/1.0 end with the connection, unless its length is known: before it begins."""
    send = cycle.send
    cycle.chunked_encoding = False

    async def sized(message: Any) -> None:
        if message["type"] == "http.response.body":
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)

    cycle.send = sized
