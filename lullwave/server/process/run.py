"""Runs the application on uvicorn: process limits, memory settings, signals, a stop within two seconds."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import sys
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ...hosts import TrustedProxies
from ...settings import Settings
from ..app import release
from ..middleware.address_limit import REQUESTS_PER_AUDIO
from .bounded_server import ACCEPTED_AT_ONCE, BoundedServer
from .connection_limits import SPARE, ConnectionLimits
from .http_protocols import http_protocol
from .repeated_logs import limit_repeated_logs
from .sockets import address_of, check_certificate, listening_socket, most_connections, raise_file_limit
from .uvicorn_protocols import (
    limited_websocket,
    with_head_timeout,
    with_limits,
    with_paced_requests,
    with_transport_in_scope,
)

GRACE_S = 1  # seconds that open connections may take to end
SWITCH_S = 0.001  # seconds after which a composing thread yields the GIL, so that the event loop answers in time
WS_MAX_BYTES = 64 * 1024  # of one websocket message from a client
WS_FRAMES_PER_S, WS_FRAME_BURST = 10.0, 40  # of one websocket: a page sends two when its reader presses play
WS_PING_S = 8.0  # seconds between two pings, so that a proxy that closes silent connections after 10 s keeps them
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # parameters of mallopt: glibc, malloc.h
LARGE_BYTES = 2 << 20  # larger blocks are returned to the system when freed; a lower limit doubles the processor time
KEPT_BYTES = (
    16 << 20
)  # free memory at the heap's end that stays: returned at every turn, its pages cost a fifth of the engine's time

__all__ = ["Server", "address_of", "check_tls", "listening_socket", "raise_file_limit", "serve", "server_for"]


def check_tls(settings: Settings) -> None:
    """Check that the certificate and its key can be loaded.

    Raises:
        SettingsError: names the setting whose file is not usable.
    """
    check_certificate(settings.tls_cert, settings.tls_key)


class Server(BoundedServer):
    """A server that ends endless replies before it waits for connections to close."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        release(self._app)
        await super().shutdown(sockets)


def server_for(app: FastAPI, settings: Settings) -> Server:
    """Configure a server for ``app``; setting ``should_exit`` stops it."""
    proxies = TrustedProxies.parse(settings.trusted_proxies)
    most = REQUESTS_PER_AUDIO * settings.max_per_address + SPARE
    limits = ConnectionLimits(most, most_connections(), lambda address: address in proxies)
    http = with_transport_in_scope(with_head_timeout(with_paced_requests(with_limits(http_protocol(), limits))))
    config = uvicorn.Config(
        app,
        http=http,
        ws=limited_websocket(WebSocketsSansIOProtocol, limits, WS_FRAMES_PER_S, WS_FRAME_BURST),
        ws_per_message_deflate=False,  # a count of listeners does not get shorter
        ws_ping_interval=WS_PING_S,
        backlog=ACCEPTED_AT_ONCE,
        log_level="warning" if settings.log_level == "info" else settings.log_level,
        log_config=None,
        access_log=settings.log_level == "debug",
        lifespan="on",
        ws_max_size=WS_MAX_BYTES,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
        proxy_headers=False,  # the middleware Forwarded reads them
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    return Server(config, app)


def serve(app: FastAPI, settings: Settings, bound: socket.socket, ready: Callable[[], None] = lambda: None) -> None:
    """Serve ``app`` on ``bound`` until SIGINT or SIGTERM. ``ready`` is called once requests are answered."""
    raise_file_limit()
    limit_repeated_logs()
    keep_heap_small()
    sys.setswitchinterval(SWITCH_S)
    server = server_for(app, settings)
    server.ready = ready
    asyncio.run(server.serve([bound]))


def keep_heap_small() -> bool:
    """Configure glibc's allocator for many threads, before they start; False where the C library has no such settings.

    By default glibc gives every thread an arena of its own, up to eight per core, and memory freed in one is not used
    by another: five stations held nearly twice the memory that they used. One arena suffices, since NumPy allocates
    while it holds the GIL. With a fixed limit for large blocks, the free memory at the heap's end has one, too: at so
    little by default that the heap shrinks and grows with every array.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, LARGE_BYTES), (M_TRIM_THRESHOLD, KEPT_BYTES))
    done = [bool(mallopt(name, value)) for name, value in wanted]
    return all(done)
