"""Simulates many listeners of HLS, each with a connection that it keeps; one thread, nothing is decoded."""

from __future__ import annotations

import heapq
import random
import re
import select
import socket
import time
from typing import Any

EVERY_S = 2.0  # between two looks at the playlist: the target duration
BEHIND_S = 6.0  # how far players are behind the end of the playlist: a segment may take so long to come
CONNECT_S = 0.002  # pause between connections
HEADERS = "Accept: */*\r\nAccept-Encoding: identity\r\nUser-Agent: lullwave-bench\r\n"  # about as many as players send
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def segments_of(playlist: str) -> list[str]:
    """The names of the header and the segments that a playlist lists, oldest first."""
    header = re.findall('EXT-X-MAP:URI="([^"]+)"', playlist)
    return header + [line for line in playlist.splitlines() if line and not line.startswith("#")]


class _Listener:
    """One connection. It asks for one thing at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 20.0)
        self.socket.setblocking(False)
        self.received = bytearray()  # of a reply: its head, and what came with it; all of a playlist
        self.count = 0  # bytes of a reply that have come
        self.body = self.whole = 0  # bytes of its body, and of all of it; 0 until its head is there
        self.asked_at = self.looked_at = 0.0
        self.asks_playlist = True
        self.last = b""  # name of the newest segment that it has

    def take(self, data: memoryview) -> bool:
        """Take a part of a reply; tell whether that was the last one."""
        self.count += len(data)
        if not self.whole or self.asks_playlist:
            self.received += data
        if not self.whole and (end := self.received.find(b"\r\n\r\n")) >= 0:
            self.body = int(_LENGTH.search(self.received, 0, end)[1])  # type: ignore[index]
            self.whole = end + 4 + self.body
        return bool(self.whole) and self.count >= self.whole


class HlsCrowd:
    """``count`` listeners of the playlist at ``path``. One thread."""

    def __init__(self, port: int, path: str, count: int) -> None:
        self._path, self._folder, self._host = path, path.rpartition("/")[0], f"127.0.0.1:{port}"
        self._poll = select.epoll()
        self._listeners: dict[int, _Listener] = {}
        self._due: list[tuple[float, int]] = []  # when a listener looks at the playlist again
        self._random = random.Random(0)
        self._buffer = memoryview(bytearray(262144))
        self._heard = self._nothing()
        for _ in range(count):
            one = _Listener(port)
            self._listeners[one.socket.fileno()] = one
            self._poll.register(one.socket.fileno(), select.EPOLLIN)
            heapq.heappush(self._due, (time.perf_counter() + self._random.uniform(0, EVERY_S), one.socket.fileno()))
            time.sleep(CONNECT_S)

    def play(self, seconds: float) -> dict[str, Any]:
        """Listen for a while; returns what was heard meanwhile."""
        self._heard = self._nothing()
        began = time.perf_counter()
        while (now := time.perf_counter()) < began + seconds:
            while self._due and self._due[0][0] <= now:
                number = heapq.heappop(self._due)[1]
                self._ask(number, self._path, True)
            left = self._due[0][0] - now if self._due else 0.1
            for number, _ in self._poll.poll(max(0.0, min(left, 0.1))):
                self._read(number)
        return {**self._heard, "seconds": time.perf_counter() - began}

    @staticmethod
    def _nothing() -> dict[str, Any]:
        return {"bytes": 0, "segments": 0, "late": 0, "closed": 0, "refused": 0, "longest_gap_s": 0.0}

    def _ask(self, number: int, path: str, playlist: bool) -> None:
        one = self._listeners[number]
        query = f"?listener=crowd-{number}" if playlist else ""
        one.asked_at, one.asks_playlist = time.perf_counter(), playlist
        one.received.clear()
        one.count = one.whole = 0
        if playlist:
            one.looked_at = one.asked_at
        one.socket.sendall(f"GET {path}{query} HTTP/1.1\r\nHost: {self._host}\r\n{HEADERS}\r\n".encode())

    def _read(self, number: int) -> None:
        one = self._listeners[number]
        try:
            count = one.socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if not count:
            self._heard["closed"] += 1
            self._poll.unregister(number)
        elif one.take(self._buffer[:count]):
            if b" 200 " in one.received[:20]:
                self._answered(number, one)
            else:  # the first segments are not ready
                self._heard["refused"] += 1
                heapq.heappush(self._due, (one.looked_at + EVERY_S, number))

    def _answered(self, number: int, one: _Listener) -> None:
        took = time.perf_counter() - one.asked_at
        self._heard["longest_gap_s"] = max(self._heard["longest_gap_s"], took)
        if one.asks_playlist and (newest := one.received.rstrip().rpartition(b"\n")[2]) != one.last:
            one.last = bytes(newest)
            self._ask(number, f"{self._folder}/{newest.decode()}", False)
            return
        if not one.asks_playlist:
            self._heard["bytes"] += one.body
            self._heard["segments"] += 1
            self._heard["late"] += took > BEHIND_S
        heapq.heappush(self._due, (one.looked_at + EVERY_S, number))
