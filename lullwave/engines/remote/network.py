"""Network code that the clients for both protocols share: TCP keepalive, and connection errors in words."""

from __future__ import annotations

import json
import socket

from websockets.exceptions import ConnectionClosed, InvalidStatus


def keep_alive(connection: socket.socket, idle_s: int, interval_s: int, probes: int) -> None:
    """Let the kernel find a peer that disappeared without closing the connection.

    It probes after ``idle_s`` of silence, then every ``interval_s``; after ``probes`` without an answer the connection
    ends. On a listening socket this holds for every connection that the socket accepts. Options that the system does
    not have are left out.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in {"TCP_KEEPIDLE": idle_s, "TCP_KEEPINTVL": interval_s, "TCP_KEEPCNT": probes}.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def error_reason(error: Exception) -> str:
    """Describe a connection error in one line."""
    if isinstance(error, InvalidStatus):
        body = bytes(error.response.body or b"")
        try:
            said = str(json.loads(body)["error"])
        except (ValueError, KeyError, TypeError):
            said = "no reason given"
        return f"refused with status {error.response.status_code}: {said}"
    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        return f"the server closed the connection: {error.rcvd.reason or error.rcvd.code}"
    if isinstance(error, ConnectionClosed):
        return "the connection broke"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error) or type(error).__name__
