"""How old inference servers are asked for five clips: ``generate`` over a websocket, or requests over HTTP.

Such a server may do nothing else for minutes while it makes music, not even answer a ping. So no ping is sent, and a
peer that is gone is noticed by the kernels of the two machines. Knows nothing of what is in a clip.
"""

from __future__ import annotations

import hashlib
import http.client
import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from ...errors import EngineLost

CLIPS = 5
CONNECT_S = 8.0
BATCH_S = 3600.0  # more than the slowest machine takes for five clips
SAME_S = 900.0  # after so long an HTTP clip is taken, though it is that of the batch before
LOOK_S = 0.5  # how often those who wait see whether they still should
POLL_S = (2.0, 4.0)  # HTTP clips are asked for as often, at random in between
RENEW_S = 60.0  # after so long without a clip the server is asked for them again
REPLY_S = 30.0  # for one HTTP reply
MAX_CLIP_BYTES = 64 * 1024 * 1024
KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 15_000}


class SocketDialect:
    """The text ``generate`` is answered by five binary messages."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._connection: ClientConnection | None = None
        self._stack = ExitStack()  # closes it

    def batch(self, stopping: threading.Event) -> Iterator[bytes]:
        try:
            connection = self._connection or self._connected()
            self._connection = connection
            connection.send("generate")
            until = time.monotonic() + BATCH_S
            for _ in range(CLIPS):
                while True:
                    if stopping.is_set():
                        return
                    with suppress(TimeoutError):
                        message = connection.recv(LOOK_S)
                        break
                    if time.monotonic() > until:
                        raise TimeoutError(f"no clip within {BATCH_S:g} seconds")
                if isinstance(message, str):
                    raise EngineLost(f"{self._url}: the server sent words instead of a clip: {message[:80]!r}")
                yield message
        except (OSError, WebSocketException) as error:
            self.close()
            raise EngineLost(f"{self._url}: {_words(error)}") from None
        except EngineLost:
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
            self._stack.close()

    def _connected(self) -> ClientConnection:
        parts = urlsplit(self._url)
        assert parts.hostname is not None
        secure = parts.scheme == "wss"
        plain = socket.create_connection((parts.hostname, parts.port or (443 if secure else 80)), CONNECT_S)
        _keep_alive(plain)
        opening = connect(
            self._url,
            sock=plain,
            ssl=ssl.create_default_context() if secure else None,
            additional_headers={"Authorization": f"Bearer {self._token}"} if self._token else None,
            open_timeout=BATCH_S,  # who makes music for somebody else answers afterwards
            ping_interval=None,
            close_timeout=1,
            max_size=MAX_CLIP_BYTES,
            proxy=None,
        )
        return self._stack.enter_context(opening)


class HttpDialect:
    """``POST /generate`` begins a batch, ``POST /clips/0`` to ``/clips/4`` give it, once they are there.

    Some servers give the clips of the batch before until new ones are there. So one that is the same as then is not
    taken, unless the server said since that it had none, or goes on giving it. A server that broke or was started again
    meanwhile has forgotten that it was asked: it is asked again now and then, and says 409 if it had not.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url.rstrip("/"), token
        self._before = [""] * CLIPS  # digests of the last batch

    def batch(self, stopping: threading.Event) -> Iterator[bytes]:
        self._ask()
        began = asked = time.monotonic()
        cleared = False
        for number in range(CLIPS):
            while True:
                status, body = self._post(f"/clips/{number}")
                took_s = time.monotonic() - began
                digest = hashlib.sha256(body).hexdigest()
                if status == 200 and (cleared or digest != self._before[number] or took_s > SAME_S):
                    break
                cleared = cleared or status == 404
                if status not in (200, 404, 409, 425, 503):
                    raise EngineLost(f"{self._url}/clips/{number}: refused with status {status}: {body[:80]!r}")
                if took_s > BATCH_S:
                    raise EngineLost(f"{self._url}: no clip within {BATCH_S:g} seconds")
                if stopping.wait(random.uniform(*POLL_S)):
                    return
                if time.monotonic() - asked > RENEW_S:
                    self._ask()
                    asked = time.monotonic()
            self._before[number] = digest
            yield body

    def close(self) -> None:
        """Every exchange is short, and ends by itself."""

    def _ask(self) -> None:
        status, body = self._post("/generate")
        if status not in (200, 201, 202, 204, 409):
            raise EngineLost(f"{self._url}/generate: refused with status {status}: {body[:80]!r}")

    def _post(self, path: str) -> tuple[int, bytes]:
        parts = urlsplit(self._url)
        assert parts.hostname is not None
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=REPLY_S)
        try:
            headers = {"Authorization": f"key {self._token}"} if self._token else {}
            connection.request("POST", parts.path + path, b"", headers)
            response = connection.getresponse()
            body = response.read(MAX_CLIP_BYTES + 1)
            if len(body) > MAX_CLIP_BYTES:
                raise EngineLost(f"{self._url}{path}: a clip has at most {MAX_CLIP_BYTES} bytes")
            return response.status, body
        except (OSError, http.client.HTTPException) as error:
            raise EngineLost(f"{self._url}: {_words(error)}") from None
        finally:
            connection.close()


def _keep_alive(plain: socket.socket) -> None:
    """Let the kernel find out that the peer is gone."""
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):
            plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _words(error: Exception) -> str:
    if isinstance(error, ConnectionClosed):
        reason = error.rcvd.reason if error.rcvd is not None else ""
        return f"the server closed the connection{': ' + reason if reason else ''}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error) or type(error).__name__
