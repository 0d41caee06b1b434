"""The floods of the attack bench: each bounded in connections and time, from one address of loopback. Measures nothing.

``python -m bench.radio.floods NAME PORT SECONDS`` runs one and prints what came of it as JSON.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

STRANGER = "127.0.0.2"  # listeners and probes come from 127.0.0.1
HEAD = b" HTTP/1.1\r\nHost: 127.0.0.1\r\n"
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
UPGRADE += b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
LISTENING, PAUSED, PING = (
    struct.pack(">BB", 0x80 | opcode, 0x80 | len(text)) + bytes(4) + text
    for opcode, text in ((1, b"listening"), (1, b"paused"), (9, b"x"))
)
AGAIN_S = 0.05  # before a flooding client tries again
BOMB_SIDE = 60_000  # pixels of the image that is small only while it is packed

Counts = Counter[str]
Client = Callable[[int, float, Counts], Awaitable[None]]


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(STRANGER, 0))


def _socket_flood(data: bytes) -> Client:
    async def client(port: int, until: float, counts: Counts) -> None:
        reader, writer = await _connect(port)
        counts["connections"] += 1
        try:
            writer.write(b"GET /ws" + HEAD + UPGRADE)
            while time.monotonic() < until:
                writer.write(data * 500)
                counts["messages"] += 1000
                await writer.drain()
                await asyncio.sleep(0)
        finally:
            counts["closed by the server"] += reader.at_eof() or writer.is_closing() or reader.exception() is not None
            writer.close()

    return client


def _requests(request: Callable[[int], bytes], at_once: int, hang_up_s: float = 0.0) -> Client:
    """A client that sends ``at_once`` requests without reading, reads for a while, or hangs up after ``hang_up_s``."""

    async def client(port: int, until: float, counts: Counts) -> None:
        reader, writer = await _connect(port)
        counts["connections"] += 1
        try:
            while time.monotonic() < until:
                writer.write(b"".join(request(n) for n in range(at_once)))
                counts["requests"] += at_once
                await writer.drain()
                async with asyncio.timeout(hang_up_s or max(0.1, until - time.monotonic())):
                    said = await reader.read(65536)
                if not said:
                    return
                if said.startswith(b"HTTP/1.1 ") and said[9:10] != b"2":
                    counts[f"answered {said[9:12].decode()}"] += 1
        finally:
            writer.close()

    return client


async def _idle(port: int, until: float, counts: Counts) -> None:
    held = []
    try:
        for _ in range(100):
            held.append(await _connect(port))
            counts["connections"] += 1
        while time.monotonic() < until:
            await asyncio.sleep(0.2)
    finally:
        counts["closed by the server"] += sum(reader.at_eof() or reader.exception() is not None for reader, _ in held)
        for _, writer in held:
            writer.close()


def _get(path: str) -> Callable[[int], bytes]:
    return lambda n: b"GET " + path.encode() + HEAD + b"\r\n"


def _post(path: str, method: bytes = b"POST", body: Callable[[int], bytes] = lambda n: b"{}") -> Callable[[int], bytes]:
    def request(n: int) -> bytes:
        data = body(n)
        head = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data)
        return method + b" " + path.encode() + HEAD + head + data

    return request


def _bomb() -> bytes:
    """A PNG of ``BOMB_SIDE`` squared black pixels of one bit, a few hundred kilobytes long."""
    packing = zlib.compressobj(9)
    row = bytes(1 + BOMB_SIDE // 8)
    packed = b"".join(packing.compress(row) for _ in range(BOMB_SIDE)) + packing.flush()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", BOMB_SIDE, BOMB_SIDE, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def _floods() -> dict[str, tuple[int, Callable[[], Client]]]:
    """Name → (clients at once, maker of the client)."""
    replay = _get(f"/api/stations/piano/replay?at={time.time() - 8:.3f}&seconds=5")
    prompt = _post("/api/stations/piano/prompt", body=lambda n: b'{"prompt": "rain, flood number %d"}' % n)
    return {
        "messages on /ws": (30, lambda: _socket_flood(LISTENING + PAUSED)),
        "pings on /ws": (30, lambda: _socket_flood(PING + PING)),
        "pipelined requests": (30, lambda: _requests(_get("/api/stations"), 200)),
        "new connections": (30, lambda: _requests(_get("/api/stations/piano"), 1, hang_up_s=1.0)),
        "event streams": (300, lambda: _requests(_get("/api/events"), 1)),
        "prompts": (20, lambda: _requests(prompt, 20)),
        "replays, hung up": (30, lambda: _requests(replay, 1, hang_up_s=0.3)),
        "image bombs": (4, lambda: _requests(_post("/api/riffusion/seed-images/b", b"PUT", _constant(_bomb())), 1)),
        "idle connections": (20, lambda: _idle),
    }


def _constant(data: bytes) -> Callable[[int], bytes]:
    return lambda n: data


NAMES = tuple(_floods())


async def flood(name: str, port: int, seconds: float) -> Counts:
    """Run one flood for ``seconds`` and count what it did and what the server did."""
    clients, make = _floods()[name]
    client, counts, until = make(), Counter[str](), time.monotonic() + seconds

    async def again_and_again() -> None:
        while time.monotonic() < until:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await client(port, until, counts)
            await asyncio.sleep(AGAIN_S)

    running = [asyncio.create_task(again_and_again()) for _ in range(clients)]
    await asyncio.wait(running, timeout=seconds + 2.0)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return counts


if __name__ == "__main__":
    print(json.dumps(asyncio.run(flood(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))))
