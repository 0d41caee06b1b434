"""A reverse proxy as people put before the radio: strips a path prefix, says for whom it asks, passes all else on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Proxy:
    """Listens on a port of its own and asks ``target`` for what is below ``prefix``."""

    def __init__(self, target: int, prefix: str, scheme: str = "") -> None:
        self.port = 0
        self._target = target
        self._prefix = prefix.encode()
        self._scheme = scheme.encode()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        async def listen() -> None:
            server = await asyncio.start_server(self._client, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()

        self._loop.run_until_complete(listen())
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One exchange; the connection is not kept for another one."""
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            line, _, fields = head.partition(b"\r\n")
            method, path, version = line.split(b" ")
            if not path.startswith(self._prefix):
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                writer.close()
                return
            kept = [field for field in fields.split(b"\r\n") if field and not field.lower().startswith(b"connection")]
            upgrade = b"upgrade: websocket" in fields.lower()
            kept += [b"Connection: Upgrade" if upgrade else b"Connection: close"]
            if self._scheme:  # without one the proxy leaves no trace
                kept += [b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-Proto: " + self._scheme]
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            stripped = path[len(self._prefix) :]
            far_writer.write(b"\r\n".join([b" ".join([method, stripped, version]), *kept, b"", b""]))
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextmanager
def proxied(target: int, prefix: str, scheme: str = "") -> Iterator[Proxy]:
    proxy = Proxy(target, prefix, scheme)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
