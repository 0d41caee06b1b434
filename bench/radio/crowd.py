"""Simulates many listeners of one stream: one thread reads all their sockets and decodes nothing."""

from __future__ import annotations

import selectors
import socket
import threading
import time

SETTLE_S = 3.0  # seconds until the burst has arrived


class Crowd(threading.Thread):
    """``count`` listeners, from ``start`` to ``stop``."""

    def __init__(self, port: int, count: int, path: str = "/stream.mp3") -> None:
        super().__init__(name="crowd", daemon=True)
        self.count = count
        self.sent_away = 0
        self.gap_s = 0.0  # longest time in which one listener got no byte
        self._request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        self._address = ("127.0.0.1", port)
        self._stopped = threading.Event()

    def run(self) -> None:
        with selectors.DefaultSelector() as ready:
            last: dict[socket.socket, float] = {}
            for _ in range(self.count):
                one = socket.create_connection(self._address)
                one.sendall(self._request)
                one.setblocking(False)
                ready.register(one, selectors.EVENT_READ)
                last[one] = time.monotonic() + SETTLE_S
            while not self._stopped.is_set():
                for key, _ in ready.select(0.2):
                    one = key.fileobj
                    assert isinstance(one, socket.socket)
                    try:
                        data = one.recv(65536)
                    except OSError:
                        data = b""
                    now = time.monotonic()
                    self.gap_s = max(self.gap_s, now - last[one])
                    last[one] = max(now, last[one])
                    if not data:
                        self.sent_away += 1
                        ready.unregister(one)
            for one in last:
                one.close()

    def stop(self) -> None:
        self._stopped.set()
        self.join(10)
