"""A network between two servers whose connections can be disturbed while they are in use.

It is an asyncio proxy in its own thread. Its condition is a frozen ``Way``; a new one applies to every byte that
arrives from then on, on existing connections as well.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

PART = 16384  # bytes that are moved at a time
Passing = asyncio.Queue[tuple[float, bytes]]  # (time at which it is due, bytes); no bytes mean the end


@dataclass(frozen=True)
class Way:
    """The condition of the network: what happens to the bytes that pass."""

    silent: bool = False  # no byte passes, nothing closes: a cable that was pulled
    delay_s: float = 0.0  # each way
    bytes_per_s: float = 0.0  # each way; 0: as fast as it goes
    from_server: Callable[[bytes], bytes] | None = None  # changes the server's bytes
    to_server: Callable[[bytes], bytes] | None = None
    ends_after: int = 0  # bytes from the server after which the connection is cut, within a frame


OPEN = Way()
SILENT = Way(silent=True)


class Wire:
    """A proxy that listens on its own port and connects to the port ``to``."""

    def __init__(self, to: int) -> None:
        self.way = OPEN
        self.connections = 0  # connections so far
        self._to = to
        self._dead: set[asyncio.StreamWriter] = set()  # half open: their bytes are dropped
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._thread.start()
        started = asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(started, self._loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Break every open connection."""
        self._loop.call_soon_threadsafe(lambda: [writer.transport.abort() for writer in list(self._writers)])

    def forget(self) -> None:
        """Leave every open connection half open; new ones work."""
        self._loop.call_soon_threadsafe(lambda: self._dead.update(self._writers))

    def close(self) -> None:
        """End all connections and the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # the proxy is closed
            await self._join(near, back)

    async def _join(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            far, forth = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            back.transport.abort()
            self._tasks.discard(task)
            return
        self._writers |= {back, forth}
        try:
            async with asyncio.TaskGroup() as all_four:
                for source, sink, from_server in ((near, forth, False), (far, back, True)):
                    passing: Passing = asyncio.Queue()
                    all_four.create_task(self._take(source, passing, from_server))
                    all_four.create_task(self._give(passing, sink))
        except* (OSError, _Cut):
            pass  # one side has ended, so the other ends, too
        finally:
            for writer in (back, forth):
                writer.transport.abort()
                self._writers.discard(writer)
                self._dead.discard(writer)
            self._tasks.discard(task)

    async def _take(self, source: asyncio.StreamReader, passing: Passing, from_server: bool) -> None:
        """Receive one direction."""
        passed = 0
        while data := await source.read(PART):
            way = self.way
            change = way.from_server if from_server else way.to_server
            if change is not None:
                data = change(data)
            if from_server and 0 < way.ends_after < passed + len(data):
                passing.put_nowait((0.0, data[: max(0, way.ends_after - passed)]))
                break
            passed += len(data)
            passing.put_nowait((self._loop.time() + way.delay_s, data))
        passing.put_nowait((0.0, b""))

    async def _give(self, passing: Passing, sink: asyncio.StreamWriter) -> None:
        """Send one direction, each part when it is due."""
        while True:
            due, data = await passing.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            ends = not data
            while data or ends:
                while self.way.silent or (ends and sink in self._dead):
                    await asyncio.sleep(0.05)
                if ends:
                    raise _Cut
                rate = self.way.bytes_per_s
                part, data = (data[:512], data[512:]) if rate else (data, b"")
                if sink not in self._dead:
                    sink.write(part)
                    await sink.drain()
                if rate:
                    await asyncio.sleep(len(part) / rate)


class _Cut(Exception):
    """Raised to end the other direction when one has ended."""


def garbled(seed: int) -> Callable[[bytes], bytes]:
    """Change eight bytes in about every fourth part that passes."""
    chance = random.Random(seed)

    def spoil(data: bytes) -> bytes:
        if chance.random() > 1 / 4:
            return data
        spoilt = bytearray(data)
        for _ in range(8):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        return bytes(spoilt)

    return spoil


def replaced(before: bytes, after: bytes) -> Callable[[bytes], bytes]:
    """Replace a word by another of the same length."""
    assert len(before) == len(after)
    return lambda data: data.replace(before, after)
