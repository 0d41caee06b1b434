"""Sockets that listen, and what a process needs before it does; knows no application and no web framework."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from ..errors import LullwaveError, SettingsError

SEND_BUFFER = 128 * 1024  # bytes that the kernel holds for one connection (it doubles the figure for its own use)
DEAD_PEER_MS = 10_000  # a peer that acknowledges nothing for this long is gone
FILES_WANTED = 65536


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


def check_certificate(cert: Path | None, key: Path | None) -> None:
    """Read a certificate and its key once, before anything listens.

    Raises:
        SettingsError: names the setting whose file does not do.
    """
    for name, path in (("tls_cert", cert), ("tls_key", key)):
        if path is not None and not path.is_file():
            raise SettingsError(name, str(path), "a PEM file that exists")
    if cert is None:
        if key is not None:
            raise SettingsError("tls_cert", None, "the certificate that belongs to tls_key")
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, lambda: "")
    except (OSError, ValueError) as error:
        allowed = f"a certificate chain and its private key, both PEM and without a password ({error})"
        raise SettingsError("tls_cert", str(cert), allowed) from None


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
