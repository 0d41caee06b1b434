"""Listening sockets, TLS files and the limit of open files."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from pathlib import Path

from ...errors import LullwaveError, SettingsError

SEND_BUFFER = 128 * 1024  # bytes that the kernel holds for one connection (it doubles the figure for its own use)
DEAD_PEER_MS = 10_000  # a peer that acknowledges nothing for this long is gone
FIRST_USER_PORT = 1024  # lower ones need a privilege
FILES_WANTED = 65536  # open files, one per connection
FILES_USED = 32  # files that a server has open at its start, where the system does not tell
FILES_SPARE = 64  # files that are not for connections: clips, history, remote engines, replies with files


class AddressTaken(LullwaveError):
    """The address cannot be bound: another program listens there, or it is not an address of this machine."""


def listening_socket(host: str, port: int) -> socket.socket:
    """Bind and listen at once, so that early connections wait instead of being refused.

    Raises:
        AddressTaken: names the reason and a remedy.
    """
    bound = None
    try:
        bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_PEER_MS)
        bound.bind((host, port))
        bound.listen(2048)
    except OSError as error:
        if bound is not None:
            bound.close()
        shown = f"[{host}]" if ":" in host else host
        raise AddressTaken(
            f"cannot listen on {shown}:{port}: {error.strerror or error}{_remedy(error, port)}"
        ) from None
    return bound


def _remedy(error: OSError, port: int) -> str:
    """What to do when an address cannot be bound, as the end of a message; empty if nothing is known."""
    if isinstance(error, socket.gaierror):
        return "; --host takes an address of this machine, such as 127.0.0.1 or 0.0.0.0"
    if error.errno == errno.EADDRINUSE:
        return "; another program listens there: stop it, or choose another port with --port"
    if error.errno in (errno.EACCES, errno.EPERM) and port < FIRST_USER_PORT:
        return (
            f"; ports below {FIRST_USER_PORT} are root's: choose --port 8000 and put a proxy in front, or allow it "
            "(systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE)"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return "; no interface of this machine has it: 127.0.0.1 is loopback, 0.0.0.0 every interface"
    if error.errno == errno.EAFNOSUPPORT:
        return "; this machine has no IPv6: choose an IPv4 address with --host"
    return ""


def address_of(bound: socket.socket, scheme: str = "http") -> str:
    """The URL of a listening socket, for a browser."""
    host, port = bound.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"


def check_certificate(cert: Path | None, key: Path | None) -> None:
    """Check that a certificate and its key can be loaded.

    Raises:
        SettingsError: names the setting whose file is not usable.
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


def most_connections() -> int:
    """How many connections fit the limit of open files beside the files that are open now and may still be opened."""
    try:
        import resource
    except ImportError:  # not on this platform
        return FILES_WANTED
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return FILES_WANTED
    try:
        used = len(os.listdir("/proc/self/fd"))
    except OSError:
        used = FILES_USED
    return max(1, limit - used - min(FILES_SPARE, limit // 3))


def raise_file_limit() -> None:
    """Raise the limit of open files to ``FILES_WANTED``, as far as the system allows."""
    try:
        import resource
    except ImportError:  # not on this platform
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
