"""Runs the inference server's application on uvicorn until a signal arrives or its parent process ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ...engines.remote import protocol as wire
from ...engines.remote.connection import keep_alive
from ..process.bounded_server import ACCEPTED_AT_ONCE, BoundedServer
from ..process.connection_limits import ConnectionLimits
from ..process.http_protocols import http_protocol
from ..process.repeated_logs import limit_repeated_logs
from ..process.sockets import most_connections, raise_file_limit
from ..process.uvicorn_protocols import limited_websocket, with_head_timeout, with_limits, with_paced_requests

GRACE_S = 1  # seconds that open connections may take to end
WS_FRAMES_PER_S, WS_FRAME_BURST = 1000.0, 4000  # of one client: 64 streams, each asking several times per second
MAX_PER_ADDRESS = 512  # connections; 64 of them may be clients
ORPHAN_EXIT_S = 3.0  # seconds after its parent's end in which the process must have stopped


def inference_server(app: Starlette, cert: Path | None = None, key: Path | None = None) -> BoundedServer:
    """Configure a server for ``app``; setting ``should_exit`` stops it."""
    limits = ConnectionLimits(MAX_PER_ADDRESS, most_connections())
    config = uvicorn.Config(
        app,
        http=with_head_timeout(with_paced_requests(with_limits(http_protocol(), limits))),
        ws=limited_websocket(WebSocketsSansIOProtocol, limits, WS_FRAMES_PER_S, WS_FRAME_BURST),
        backlog=ACCEPTED_AT_ONCE,
        log_level="warning",
        log_config=None,
        access_log=False,
        lifespan="on",
        ws_max_size=wire.MAX_MESSAGE_BYTES,
        ws_ping_interval=None,  # TCP keepalive finds dead peers; legacy clients answer no pings
        ws_per_message_deflate=False,  # audio hardly compresses
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
        proxy_headers=False,  # the middleware Forwarded reads them
        ssl_certfile=cert,
        ssl_keyfile=key,
    )
    return BoundedServer(config)


def serve_inference(server: BoundedServer, bound: socket.socket, with_parent: bool = False) -> None:
    """Serve on ``bound`` until SIGINT or SIGTERM arrives or, ``with_parent``, until the parent closes stdin.

    Connections that ``bound`` accepts use TCP keepalive, so that the kernel notices a peer that disappeared: legacy
    clients may be silent for any time.
    """
    raise_file_limit()
    limit_repeated_logs()
    keep_alive(bound, idle_s=20, interval_s=5, probes=4)
    if with_parent:
        with suppress(OSError):  # Linux: when memory runs out, the kernel kills this process before its parent
            Path("/proc/self/oom_score_adj").write_text("500")
        threading.Thread(target=_watch_parent, name="parent", daemon=True).start()
    asyncio.run(server.serve([bound]))


def _watch_parent() -> None:
    """Stop when the parent ends: the system closes its end of the pipe however the parent ended."""
    while sys.stdin.buffer.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_EXIT_S)
    os._exit(0)
