"""Sends MP3 to a mount of an Icecast server (2.4 or later), as a source client.

The protocol is HTTP: ``PUT /mount`` with a body that never ends, and ``GET /admin/metadata`` for titles. Icecast does
not slow a source down, so the sender keeps the pace of the music by the clock.
"""

from __future__ import annotations

import base64
import logging
import re
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
MAX_NAME_BYTES = 200  # of the stream's name: Icecast reads 4 KB of headers
RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)  # pauses before the connection is tried again; then always the last

log = logging.getLogger(__name__)


class IcecastRefused(LullwaveError):
    """The Icecast server does not answer, or refuses the source."""


class WrongPassword(IcecastRefused):
    """The Icecast server refuses user or password."""


_EXAMPLE = "an address such as icecast://source:password@host:8000/mount.mp3"


@dataclass(frozen=True)
class IcecastAddress:
    """Where to send: ``icecast://user:password@host:port/mount``; ``icecasts://`` for TLS."""

    user: str
    password: str
    host: str  # as DNS has it, or an IP address without brackets
    port: int
    mount: str  # begins with a slash; not escaped
    tls: bool
    query: str = ""  # escaped, without the question mark; it may hold a secret

    @classmethod
    def parse(cls, url: str) -> IcecastAddress:
        """Read an address. The user is ``source`` if none is named.

        Raises:
            InvalidInput: it is none; the message shows nothing of it, for any part may be the password.
        """
        scheme, separator, rest = url.strip().partition("://")
        if not separator or scheme.lower() not in ("icecast", "icecasts"):
            raise _not_an_address("it begins with icecast:// or icecasts://")
        login, at, place = rest.rpartition("@")
        if re.search("[@/?#]", login) or "#" in place:
            raise _not_an_address("in a user, password or mount, @ is written %40, / %2F, ? %3F, # %23")
        user, _, password = map(unquote, login.partition(":"))
        if not at or not password or ":" in user or re.search(r"[\x00-\x1f]", user + password):
            raise _not_an_address("a password stands before the host")
        try:
            parts = urlsplit("//" + place)
            port = 8000 if parts.port is None else parts.port
            host = (parts.hostname or "").encode("idna").decode()
        except ValueError:  # a port that is no number, a label of 64 letters and more
            raise _not_an_address("its host is a name or an IP address, its port 1 to 65535") from None
        if not host or not port:
            raise _not_an_address("its host is a name or an IP address, its port 1 to 65535")
        if parts.path in ("", "/"):
            raise _not_an_address("a mount stands behind the host")
        query = quote(parts.query, safe="%=&+;,/?:~!$'()*")
        return cls(user or "source", password, host, port, unquote(parts.path), scheme.lower() == "icecasts", query)

    @property
    def target(self) -> str:
        """The mount as HTTP requests name it."""
        return quote(self.mount) + (f"?{self.query}" if self.query else "")

    @property
    def authority(self) -> str:
        """Host and port as HTTP names them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"icecast{'s' * self.tls}://{self.authority}{quote(self.mount)}"


def _not_an_address(rule: str) -> InvalidInput:
    return InvalidInput("to", "…", f"{_EXAMPLE} ({rule})")


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
        query = urlencode(
            {"mount": self._address.mount, "mode": "updinfo", "charset": "UTF-8", "song": text}, quote_via=quote
        )
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
            "Host": address.authority,
            **self._headers,
            "Content-Type": "audio/mpeg",
            "Ice-Name": _one_line(name),
            "Ice-Public": "0",
            "Ice-Bitrate": str(kbps),
            "Ice-Audio-Info": f"bitrate={kbps}",
            "Expect": "100-continue",
        }
        head = f"PUT {address.target} HTTP/1.1\r\n" + "".join(f"{key}: {lines[key]}\r\n" for key in lines)
        try:
            plain = socket.create_connection((address.host, address.port), TIMEOUT_S)
            if address.tls:
                plain = ssl.create_default_context().wrap_socket(plain, server_hostname=address.host)
            plain.sendall((head + "\r\n").encode())  # UTF-8, as Icecast passes names on
            status = plain.recv(4096).decode("latin-1").split("\r\n", 1)[0].split(" ", 2)
        except OSError as error:
            raise IcecastRefused(f"{address}: {error}") from None
        if len(status) < 2 or status[1] not in ("100", "200"):
            plain.close()
            if status[1:2] == ["401"]:
                raise WrongPassword(f"{address}: refused: wrong user or password")
            raise IcecastRefused(f"{address}: refused: {' '.join(status[1:]) or 'no answer'}")
        return plain


def _one_line(name: str) -> str:
    """A name without line breaks and control characters, which could end a header, and not too long for one."""
    line = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    return line.encode()[:MAX_NAME_BYTES].decode(errors="ignore")


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
        WrongPassword: so is a later one.
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
        except WrongPassword:
            raise
        except IcecastRefused as error:
            told(str(error))
            attempt += 1
