"""Writes each new chunk to every audio connection in one loop, and drops connections that stall.

A connection costs one ``write`` per chunk: no task wakes, and each chunk is framed once. Bytes that a slow client has
not taken are bounded in this process; the rest waits in the ring. A client whose system acknowledges nothing for
``stall_s`` has stalled: its connection is aborted and its memory freed.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import sys
from collections.abc import Callable

from ...ring import FellBehind, Ring
from ...station import Chunk
from .icy import Interleaver

SWEEP_S = 1.0  # seconds between two checks for stalled connections
MAX_UNSENT = 1 << 20  # bytes in this process for one connection; above, its chunks wait in the ring
_SIOCOUTQ = 0x5411  # Linux: unacknowledged bytes in the send queue of a socket (tcp(7))

log = logging.getLogger(__name__)


class AudioConnection:
    """One audio connection. Event loop only."""

    def __init__(
        self, transport: asyncio.Transport, at: int, chunked: bool, icy: Interleaver | None, title: Callable[[int], str]
    ) -> None:
        self.transport = transport
        self.at = at  # number of the next chunk to write
        self._chunked = chunked
        self._icy = icy
        self._title = title
        self.begun: Chunk | None = None  # the first chunk written
        self.on_begin: Callable[[Chunk], None] | None = None
        self._written = 0  # bytes
        self._acknowledged = -1  # bytes
        self._since = asyncio.get_running_loop().time()
        socket = transport.get_extra_info("socket")
        self._fd = socket.fileno() if socket is not None and sys.platform == "linux" else -1

    def write(self, chunk: Chunk, framed: bytes, begins: bool = False) -> None:
        """Write a chunk. ``framed`` is the chunk in the chunked coding, framed once for all connections."""
        if self._icy is not None:
            framed = frame_of(self._icy.feed(chunk.data, self._title(chunk.frame + chunk.frames // 2)), self._chunked)
        elif begins and chunk.lead:
            framed = frame_of(chunk.lead + chunk.data, self._chunked)
        elif not self._chunked:
            framed = chunk.data
        if self.begun is None:
            self.begun = chunk
            if self.on_begin is not None:
                self.on_begin(chunk)
        self.at = chunk.number + 1
        self._written += len(framed)
        self.transport.write(framed)

    @property
    def is_behind(self) -> bool:
        """Tell whether the kernel has yet to take more than ``MAX_UNSENT`` bytes."""
        return self.transport.get_write_buffer_size() > MAX_UNSENT

    def stalled(self, now: float, stall_s: float) -> bool:
        """Tell whether bytes were sent and none acknowledged for ``stall_s`` seconds."""
        unsent = self.transport.get_write_buffer_size() + self._queued()
        acknowledged = self._written - unsent
        if unsent == 0 or acknowledged > self._acknowledged:
            self._acknowledged = acknowledged
            self._since = now
        return now - self._since > stall_s

    def _queued(self) -> int:
        if self._fd < 0:
            return 0
        import fcntl

        try:
            return int(struct.unpack("i", fcntl.ioctl(self._fd, _SIOCOUTQ, b"\0\0\0\0"))[0])
        except OSError:
            return 0


def frame_of(data: bytes, chunked: bool = True) -> bytes:
    """One chunk of the chunked transfer coding (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data) if chunked else data


class Fanout:
    """The audio connections of one station. Event loop only."""

    def __init__(self, chunks: Ring[Chunk], stall_s: float, on_drop: Callable[[], None]) -> None:
        self._stall_s = stall_s
        self._chunks = chunks
        self._on_drop = on_drop
        self._connections: set[AudioConnection] = set()
        self._timer: asyncio.TimerHandle | None = None
        chunks.watch(self._spread)

    def add(self, connection: AudioConnection) -> None:
        """Write the chunks from ``connection.at`` on, and every new chunk."""
        self._connections.add(connection)
        self._catch_up(connection, begins=True)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def remove(self, connection: AudioConnection) -> None:
        """Write nothing more to a connection."""
        self._connections.discard(connection)

    def close(self) -> None:
        """Stop checking for stalled connections."""
        if self._timer is not None:
            self._timer.cancel()

    def _spread(self, chunk: Chunk) -> None:
        framed = frame_of(chunk.data)
        for connection in self._connections:
            if connection.transport.is_closing() or connection.is_behind:
                continue
            if connection.at == chunk.number:
                connection.write(chunk, framed, begins=chunk.number == 0)
            else:
                self._catch_up(connection)

    def _catch_up(self, connection: AudioConnection, begins: bool = False) -> None:
        """Write every chunk from ``connection.at`` on; drop the connection if the ring no longer holds that chunk."""
        try:
            chunks = self._chunks.items(connection.at)
        except FellBehind:
            self._drop(connection)
            return
        for chunk in chunks:
            if connection.transport.is_closing():  # the client disconnected at once
                return
            connection.write(chunk, frame_of(chunk.data), begins)
            begins = False

    def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in [c for c in self._connections if c.stalled(now, self._stall_s)]:
            self._drop(connection)
        self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep) if self._connections else None

    def _drop(self, connection: AudioConnection) -> None:
        self._connections.discard(connection)
        connection.transport.abort()
        self._on_drop()
