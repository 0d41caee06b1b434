"""Runs the application on uvicorn: sockets, signals, an end within two seconds; knows no route."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from ..settings import Settings
from .app import release
from .heap import keep_heap_small
from .live.fanout import transport_in_scope
from .middleware.address_limit import impatient
from .sockets import address_of, check_certificate, listening_socket, raise_file_limit

GRACE_S = 1  # how long open connections may take to end
SWITCH_S = 0.001  # after which a thread that composes lets the event loop have its turn
WS_MAX_BYTES = 64 * 1024

__all__ = ["Server", "address_of", "check_tls", "listening_socket", "raise_file_limit", "serve", "server_for"]


def check_tls(settings: Settings) -> None:
    """Read the certificate and its key once, before anything listens.

    Raises:
        SettingsError: names the setting whose file does not do.
    """
    check_certificate(settings.tls_cert, settings.tls_key)


class Server(uvicorn.Server):
    """Releases endless replies before it waits for connections to close."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._lullwave = app
        self.ready: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        release(self._lullwave)
        await super().shutdown(sockets)


def server_for(app: FastAPI, settings: Settings) -> Server:
    """A server of ``app``; ``should_exit`` ends it."""
    config = uvicorn.Config(
        app,
        http=transport_in_scope(impatient(AutoHTTPProtocol)),
        log_level="warning" if settings.log_level == "info" else settings.log_level,
        log_config=None,
        access_log=settings.log_level == "debug",
        lifespan="on",
        ws_max_size=WS_MAX_BYTES,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or "127.0.0.1",
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    return Server(config, app)


def serve(app: FastAPI, settings: Settings, bound: socket.socket, ready: Callable[[], None] = lambda: None) -> None:
    """Serve ``app`` on ``bound`` until SIGINT or SIGTERM. ``ready`` is called when requests are answered."""
    raise_file_limit()
    keep_heap_small()
    sys.setswitchinterval(SWITCH_S)
    server = server_for(app, settings)
    server.ready = ready
    asyncio.run(server.serve([bound]))
