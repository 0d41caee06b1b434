"""TCP keepalive: the kernel finds peers that disappeared without closing, and needs nothing of the peer's program."""

from __future__ import annotations

import socket


def keep_alive(connection: socket.socket, idle_s: int, interval_s: int, probes: int) -> None:
    """Probe after ``idle_s`` of silence, then every ``interval_s``; ``probes`` without answer end the connection.

    On a listening socket, it holds for every connection that the socket accepts. Options that the system does not have
    are left out.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in {"TCP_KEEPIDLE": idle_s, "TCP_KEEPINTVL": interval_s, "TCP_KEEPCNT": probes}.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
