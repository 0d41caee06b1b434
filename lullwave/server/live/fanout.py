"""Gives each new chunk to every listener's socket in one sweep, and drops who does not read; knows no routes.

A listener costs one ``write`` a chunk: no task wakes and nothing is framed twice. What a slow one has not taken is
bounded in this process and waits in the ring. A reader whose system acknowledges nothing for a while has stalled:
its connection is aborted and its memory freed.
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

SWEEP_S = 1.0
MOST_WAITING = 1 << 20  # bytes in this process for one listener; what is more waits in the ring
_SIOCOUTQ = 0x5411  # Linux: bytes of the socket's send queue that are not acknowledged (tcp(7))

log = logging.getLogger(__name__)


class Connection:
    """One audio connection."""

    def __init__(
        self, transport: asyncio.Transport, at: int, chunked: bool, icy: Interleaver | None, title: Callable[[int], str]
    ) -> None:
        self.transport = transport
        self.at = at  # number of the chunk that it is given next
        self._chunked = chunked
        self._icy = icy
        self._title = title
        self.begun: Chunk | None = None  # what it was given first
        self.on_begin: Callable[[Chunk], None] | None = None
        self._given = 0  # bytes
        self._acknowledged = -1
        self._since = asyncio.get_running_loop().time()
        socket = transport.get_extra_info("socket")
        self._fd = socket.fileno() if socket is not None and sys.platform == "linux" else -1

    def give(self, chunk: Chunk, framed: bytes, begins: bool = False) -> None:
        """Write a chunk; ``framed`` is the same for all."""
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
        self._given += len(framed)
        self.transport.write(framed)

    @property
    def waits(self) -> bool:
        """Whether too much of what was written before has not been taken by the kernel."""
        return self.transport.get_write_buffer_size() > MOST_WAITING

    def stalled(self, now: float, stall_s: float) -> bool:
        """Whether nothing was acknowledged for too long though something was sent."""
        unsent = self.transport.get_write_buffer_size() + self._queued()
        acknowledged = self._given - unsent
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
    """The listeners of one station."""

    def __init__(self, chunks: Ring[Chunk], stall_s: float, on_drop: Callable[[], None]) -> None:
        self._stall_s = stall_s
        self._chunks = chunks
        self._on_drop = on_drop
        self._connections: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        chunks.watch(self._spread)

    def add(self, listener: Connection) -> None:
        """Give it what is there, and everything that comes."""
        self._connections.add(listener)
        self._catch_up(listener, begins=True)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def remove(self, listener: Connection) -> None:
        self._connections.discard(listener)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _spread(self, chunk: Chunk) -> None:
        framed = frame_of(chunk.data)
        for listener in self._connections:
            if listener.transport.is_closing() or listener.waits:
                continue
            if listener.at == chunk.number:
                listener.give(chunk, framed, begins=chunk.number == 0)
            else:
                self._catch_up(listener)

    def _catch_up(self, listener: Connection, begins: bool = False) -> None:
        """Everything from where the listener is; who fell out of the ring is dropped."""
        try:
            chunks = self._chunks.items(listener.at)
        except FellBehind:
            self._drop(listener)
            return
        for chunk in chunks:
            if listener.transport.is_closing():  # gone as soon as it came
                return
            listener.give(chunk, frame_of(chunk.data), begins)
            begins = False

    def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        for listener in [one for one in self._connections if one.stalled(now, self._stall_s)]:
            self._drop(listener)
        self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep) if self._connections else None

    def _drop(self, listener: Connection) -> None:
        self._connections.discard(listener)
        listener.transport.abort()
        self._on_drop()
