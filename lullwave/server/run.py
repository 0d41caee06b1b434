"""Runs the application on uvicorn: sockets, signals, an end within two seconds; knows no route."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from ..errors import LullwaveError, SettingsError
from ..settings import Settings
from .app import release
from .fanout import transport_in_scope

GRACE_S = 1  # how long open connections may take to end
SEND_BUFFER = 128 * 1024  # bytes that the kernel holds for one connection (it doubles the figure for its own use)
DEAD_PEER_MS = 10_000  # a peer that acknowledges nothing for this long is gone
FILES_WANTED = 65536
WS_MAX_BYTES = 64 * 1024


class AddressTaken(LullwaveError):
    """Another program listens there, or the address is not ours."""


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that is bound and listens from now on, so that nobody who comes early is turned away.

    Raises:
        AddressTaken: says why, and what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_MS)
        bound.bind((host, port))
        bound.listen(2048)
    except OSError as error:
        bound.close()
        hint = "; another program listens there: stop it, or choose another port with --port"
        raise AddressTaken(
            f"cannot listen on {host}:{port}: {error.strerror or error}{hint if error.errno in (98, 48, 10048) else ''}"
        ) from None
    return bound


def address_of(bound: socket.socket, scheme: str = "http") -> str:
    """What to type into a browser."""
    host, port = bound.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"


def check_tls(settings: Settings) -> None:
    """Read the certificate and its key once, before anything listens.

    Raises:
        SettingsError: names the setting whose file does not do.
    """
    for name, path in (("tls_cert", settings.tls_cert), ("tls_key", settings.tls_key)):
        if path is not None and not path.is_file():
            raise SettingsError(name, str(path), "a PEM file that exists")
    if settings.tls_cert is None:
        if settings.tls_key is not None:
            raise SettingsError("tls_cert", None, "the certificate that belongs to tls_key")
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key, lambda: "")
    except (OSError, ValueError) as error:
        allowed = f"a certificate chain and its private key, both PEM and without a password ({error})"
        raise SettingsError("tls_cert", str(settings.tls_cert), allowed) from None


def raise_file_limit() -> None:
    """As many open connections as the system lets us have."""
    try:
        import resource
    except ImportError:  # not on this platform
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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
        http=transport_in_scope(AutoHTTPProtocol),
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
    server = server_for(app, settings)
    server.ready = ready
    asyncio.run(server.serve([bound]))
