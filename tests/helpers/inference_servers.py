"""Inference servers in this process, for tests; and a wire to them that can be stopped and cut."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lullwave.engines.base import Engine
from lullwave.server.inference.app import create_inference_app
from lullwave.server.inference.auth import AccessGuard
from lullwave.server.inference.run import inference_server
from lullwave.server.process.sockets import listening_socket

TIMEOUT_S = 60


class Inferring:
    """A running inference server."""

    def __init__(
        self,
        engine: Engine,
        token: str = "",
        legacy_open: bool = False,
        workers: int = 2,
        cert: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self.engine = engine
        self.app = create_inference_app(engine, AccessGuard(token, False, legacy_open), workers)
        self._bound = listening_socket("127.0.0.1", 0)
        self.port = self._bound.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self._server = inference_server(self.app, cert, key)
        self._ready = threading.Event()
        self._server.ready = self._ready.set
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve([self._bound])))
        self._thread.start()
        assert self._ready.wait(TIMEOUT_S)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive()
        self._bound.close()


@contextmanager
def inferring(engine: Engine, **how: object) -> Iterator[Inferring]:
    served = Inferring(engine, **how)
    try:
        yield served
    finally:
        served.stop()
        engine.close()


class Wire:
    """A port in front of another one. ``stop`` lets no byte through any more and closes nothing; ``cut`` closes."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._bound = socket.create_server(("127.0.0.1", 0))
        self.port = self._bound.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self._flowing = threading.Event()
        self._flowing.set()
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def stop(self) -> None:
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        for one in self._sockets:
            _shut(one)
        self._sockets.clear()

    def close(self) -> None:
        self._flowing.set()
        _shut(self._bound)
        self._bound.close()
        self.cut()
        for thread in self._threads:
            thread.join(TIMEOUT_S)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._bound.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            self._sockets += [near, far]
            for source, sink in ((near, far), (far, near)):
                thread = threading.Thread(target=self._pump, args=(source, sink), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._flowing.wait()
                sink.sendall(data)
        except OSError:
            pass
        _shut(source)
        _shut(sink)


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
