"""A real server on a free port in this process, for tests: engines of sines, a simulated clock where wanted."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Coroutine
from contextlib import contextmanager, nullcontext
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

from sine_engine import BrokenEngine, SineEngine, SlowRateEngine

from lullwave.clock import Clock, SimulatedClock
from lullwave.server.app import create_app
from lullwave.server.engine_pool import EnginePool
from lullwave.server.live import channels
from lullwave.server.process.run import listening_socket, server_for
from lullwave.settings import Settings, load

ENGINES = {"synth": SineEngine, "sines": SineEngine, "broken": BrokenEngine, "slow-rate": SlowRateEngine}
TIMEOUT_S = 60


class Served:
    """A running server and ways to talk to it."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None,
        engines: dict[str, type] | EnginePool | Literal["own"] | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or SimulatedClock()
        if engines == "own":  # as the settings have them
            pool = None
        else:
            pool = engines if isinstance(engines, EnginePool) else EnginePool(engines or ENGINES)
        self.app = create_app(settings, pool, self.clock)
        self.bound = listening_socket("127.0.0.1", 0)
        self.port = self.bound.getsockname()[1]
        self.server = server_for(self.app, settings)
        self._ready = threading.Event()
        self.server.ready = self._ready.set
        self._thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([self.bound])))

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(TIMEOUT_S)

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive()
        self.bound.close()

    def ask(
        self, path: str, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[HTTPResponse, bytes]:
        """A whole exchange; a body that is not bytes is sent as JSON."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response, data

    def json(self, path: str, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None) -> Any:
        return json.loads(self.ask(path, method, body, headers)[1])

    @contextmanager
    def listening(self, path: str = "/stream.mp3", headers: dict[str, str] | None = None):
        """An endless reply, of a listener whom the stations know already; read it with ``read1``."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        self._run(self._settled())
        try:
            yield response
        finally:
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)
            response.close()
            connection.close()

    def on_loop(self, function) -> Any:
        """Call ``function()`` on the server's event loop and give its result."""

        async def call() -> Any:
            return function()

        return self._run(call())

    async def _settled(self) -> None:
        """Just after others came or went, the audience tells the stations a little later."""
        audience = self.app.state.services.live.audience
        while not audience.settled:
            await audience.changed()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        loop = self.app.state.services.channels.default.main.chunks._loop
        return asyncio.run_coroutine_threadsafe(work, loop).result(TIMEOUT_S)


@contextmanager
def serving(
    tmp_path: Path,
    clock: Clock | None = None,
    engines: dict[str, type] | EnginePool | Literal["own"] | None = None,
    first_clip: bytes | None = b"no music",
    **flags: Any,
):
    """A server while the block runs. ``first_clip`` is that of a new installation; None: a minute of music is made."""
    served = Served(
        load({"data_dir": tmp_path, "log_level": "error", "stall_s": 60.0, "max_awake": 64, **flags}), clock, engines
    )
    with patch.object(channels, "first_clip", return_value=first_clip) if first_clip else nullcontext():
        served.start()
        try:
            yield served
        finally:
            served.stop()


def read_exactly(response: HTTPResponse, size: int) -> bytes:
    """``size`` bytes of an endless reply."""
    data = bytearray()
    while len(data) < size:
        part = response.read1(size - len(data))
        assert part, f"the reply ended after {len(data)} of {size} bytes"
        data += part
    return bytes(data)


def events(response: HTTPResponse):
    """The server-sent events of an endless reply, as (kind, data)."""
    kind = ""
    while line := response.readline():
        text = line.decode().rstrip("\n")
        if text.startswith("event: "):
            kind = text[7:]
        elif text.startswith("data: "):
            yield kind, json.loads(text[6:])
