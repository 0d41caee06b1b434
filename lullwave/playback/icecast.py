"""Sends MP3 to a mount of an Icecast server (2.4 or later), as a source client.

The protocol is HTTP: ``PUT /mount`` with a body that never ends, and ``GET /admin/metadata`` for titles. Icecast does
not slow a source down, so the sender keeps the pace of the music by the clock.
"""

from __future__ import annotations

import base64
import logging
import socket
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote, unquote, urlencode, urlsplit

from ..clock import Clock, Waiter
from ..errors import InvalidInput, LullwaveError

EARLY_S = 2.0  # seconds of sound that are sent ahead of the clock: what the server's listeners buffer
TIMEOUT_S = 10.0  # of a connection and of each write
RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)  # pauses before the connection is tried again; then always the last

log = logging.getLogger(__name__)


class IcecastRefused(LullwaveError):
    """The Icecast server does not answer, or refuses the source."""


@dataclass(frozen=True)
class IcecastAddress:
    """Where to send: ``icecast://user:password@host:port/mount``; ``icecasts://`` for TLS."""

    user: str
    password: str
    host: str
    port: int
    mount: str  # begins with a slash
    tls: bool

    @classmethod
    def parse(cls, url: str) -> IcecastAddress:
        """Read an address. The user is ``source`` if none is named.

        Raises:
            InvalidInput: it is none; the message does not show the password.
        """
        example = "an address such as icecast://source:password@host:8000/mount.mp3"
        try:
            parts = urlsplit(url)
            port = parts.port or 8000
        except ValueError:
            raise InvalidInput("to", "icecast://…", example) from None
        mount = parts.path
        if (
            parts.scheme not in ("icecast", "icecasts")
            or not parts.hostname
            or mount in ("", "/")
            or not parts.password
        ):
            raise InvalidInput("to", f"{parts.scheme}://…{mount}", example)
        return cls(
            unquote(parts.username or "source"),
            unquote(parts.password),
            parts.hostname,
            port,
            mount,
            parts.scheme == "icecasts",
        )

    def __str__(self) -> str:
        return f"icecast{'s' * self.tls}://{self.host}:{self.port}{self.mount}"


class IcecastSource:
    """One source connection. One thread."""

    def __init__(self, address: IcecastAddress, name: str, kbps: int) -> None:
        """Connect and be accepted.

        Raises:
            IcecastRefused
        """
        self._address = address
        pair = f"{address.user}:{address.password}".encode()
        self._headers = {"Authorization": "Basic " + base64.b64encode(pair).decode(), "User-Agent": "lullwave"}
        self._socket = self._connected(name, kbps)

    def send(self, data: bytes) -> None:
        """Send a part of the MP3.

        Raises:
            IcecastRefused: the connection is lost.
        """
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise IcecastRefused(f"{self._address}: {error}") from None

    def title(self, text: str) -> None:
        """Tell what plays now; a server that does not take it is ignored."""
        query = urlencode({"mount": self._address.mount, "mode": "updinfo", "charset": "UTF-8", "song": text})
        kind = HTTPSConnection if self._address.tls else HTTPConnection
        connection = kind(self._address.host, self._address.port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", "/admin/metadata?" + query, headers=self._headers)
            connection.getresponse().read()
        except (OSError, HTTPException) as error:
            log.info("%s: the title was not taken: %s", self._address, error)
        finally:
            connection.close()

    def close(self) -> None:
        """End the source; listeners hear the server's fallback, if it has one."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _connected(self, name: str, kbps: int) -> socket.socket:
        address = self._address
        lines = {
            "Host": f"{address.host}:{address.port}",
            **self._headers,
            "Content-Type": "audio/mpeg",
            "Ice-Name": name.encode("ascii", "replace").decode(),
            "Ice-Public": "0",
            "Ice-Bitrate": str(kbps),
            "Ice-Audio-Info": f"bitrate={kbps}",
            "Expect": "100-continue",
        }
        head = f"PUT {quote(address.mount)} HTTP/1.1\r\n" + "".join(f"{key}: {lines[key]}\r\n" for key in lines)
        try:
            plain = socket.create_connection((address.host, address.port), TIMEOUT_S)
            if address.tls:
                plain = ssl.create_default_context().wrap_socket(plain, server_hostname=address.host)
            plain.sendall((head + "\r\n").encode())
            status = plain.recv(4096).decode("latin-1").split("\r\n", 1)[0].split(" ", 2)
        except OSError as error:
            raise IcecastRefused(f"{address}: {error}") from None
        if len(status) < 2 or status[1] not in ("100", "200"):
            plain.close()
            reason = "wrong user or password" if status[1:2] == ["401"] else " ".join(status[1:]) or "no answer"
            raise IcecastRefused(f"{address}: refused: {reason}")
        return plain


@dataclass(frozen=True)
class Part:
    """Encoded sound of ``seconds``, and the title that begins with it, if one does."""

    data: bytes
    seconds: float
    title: str | None = None


def push(
    parts: Iterable[Part],
    connect: Callable[[], IcecastSource],
    clock: Clock,
    told: Callable[[str], None] = lambda text: None,
) -> None:
    """Send parts at the pace of the music, to their end. A lost connection is made again; its sound is dropped.

    Raises:
        IcecastRefused: the first connection is refused.
    """
    waiter = clock.waiter()
    source = connect()
    title: str | None = None
    sent_s, began = 0.0, clock.now()
    try:
        for part in parts:
            if part.title is not None and part.title != title:
                title = part.title
                source.title(title)
            try:
                source.send(part.data)
            except IcecastRefused as error:
                told(f"{error}; trying again")
                source.close()
                source = _again(connect, clock, waiter, told)
                if title is not None:
                    source.title(title)
                sent_s, began = 0.0, clock.now()
            sent_s += part.seconds
            early = began + sent_s - EARLY_S
            if early > clock.now():
                waiter.wait_until(early)
            elif early < clock.now() - EARLY_S:  # the engine was slower: do not catch up
                began = clock.now() - sent_s
    finally:
        source.close()
        waiter.close()


def _again(
    connect: Callable[[], IcecastSource], clock: Clock, waiter: Waiter, told: Callable[[str], None]
) -> IcecastSource:
    attempt = 0
    while True:
        waiter.wait_until(clock.now() + RETRY_S[min(attempt, len(RETRY_S) - 1)])
        try:
            return connect()
        except IcecastRefused as error:
            told(str(error))
            attempt += 1
