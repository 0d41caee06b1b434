"""Runs the inference server's application on uvicorn until a signal, or until its parent is gone; knows no route."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from ...engines.remote import protocol as wire
from ..sockets import raise_file_limit

GRACE_S = 1  # how long open connections may take to end
LET_GO_S = 3.0  # how long after its parent's end a process may live
# A peer that is gone without a word is noticed by the kernel, which needs nothing of the peer's program: an old client
# may be silent for as long as it likes.
KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}


class InferenceServer(uvicorn.Server):
    """Says when it answers."""

    ready: Callable[[], None] = staticmethod(lambda: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready()


def inference_server(app: Starlette, cert: Path | None = None, key: Path | None = None) -> InferenceServer:
    """A server of ``app``; ``should_exit`` ends it."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        log_config=None,
        access_log=False,
        lifespan="on",
        ws_max_size=wire.MAX_MESSAGE_BYTES,
        ws_ping_interval=None,  # see KEEPALIVE; clients' own pings are answered
        ws_per_message_deflate=False,  # samples hardly shrink
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
        ssl_certfile=cert,
        ssl_keyfile=key,
    )
    return InferenceServer(config)


def keep_alive(bound: socket.socket) -> None:
    """Let the kernel find out about peers that are gone, on every connection that ``bound`` accepts."""
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):
            bound.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def serve_inference(server: InferenceServer, bound: socket.socket, with_parent: bool = False) -> None:
    """Serve on ``bound`` until SIGINT or SIGTERM; ``with_parent``: or until stdin ends, which a parent holds open."""
    raise_file_limit()
    keep_alive(bound)
    if with_parent:
        with suppress(OSError):  # when memory runs out, this process goes before its parent (Linux)
            Path("/proc/self/oom_score_adj").write_text("500")
        threading.Thread(target=_watch_parent, name="parent", daemon=True).start()
    asyncio.run(server.serve([bound]))


def _watch_parent() -> None:
    """The system closes a pipe when the process at its other end is gone, however it went."""
    while sys.stdin.buffer.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LET_GO_S)
    os._exit(0)
