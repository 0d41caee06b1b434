"""Odd HTTP requests, seeded: strange headers, paths and queries, sent as bytes, and what the server answered."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TIMEOUT_S = 60
SHORT = 250  # requests of a default run; the variable FUZZ_REQUESTS asks for more
METHODS = ["GET"] * 6 + ["POST"] * 3 + ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "get", "BREW"]
HEADERS = [
    "Host",
    "Origin",
    "Range",
    "If-Range",
    "If-None-Match",
    "If-Modified-Since",
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Content-Type",
    "Content-Encoding",
    "Cookie",
    "Referer",
    "User-Agent",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "Forwarded",
    "Via",
    "X-Real-IP",
    "Icy-MetaData",
    "Last-Event-ID",
    "Expect",
    "TE",
    "Connection",
    "Upgrade",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Access-Control-Request-Method",
    "Access-Control-Request-Headers",
]
VALUES = [
    b"",
    b"*",
    b"null",
    b"-1",
    b"9" * 5000,
    b"http://[::1",
    b"http://[::1]:99999",
    b"http://]",
    b"http://localhost:x",
    b"//",
    b"://",
    b"[",
    b"]",
    b"[::1",
    b"127.0.0.1:",
    b"127.0.0.1:99999999",
    b"127.0.0.1:\xc2\xb2",
    b"127.0.0.1, evil.example",
    b"localhost/../x?y#z",
    b"user@localhost",
    b"localhost%00",
    "雨の音.example".encode(),
    b"\xff\xfe\x80",
    b"a" * 8000,
    b";;,,==\"'",
    b"bytes=",
    b"bytes=-",
    b"bytes=" + b"9" * 5000 + b"-",
    b"bytes=0-0,1-1",
    b"bytes=\xb2-\xb3",
    b'W/"',
    b"Bearer",
    b"Bearer \xe9",
    b"Basic !!!",
    b"application/json; charset=\xff",
    b"application/json; charset=utf-7",
    b"multipart/form-data",
    b"multipart/form-data; boundary=",
    b"application/x-www-form-urlencoded",
    b"websocket",
    b"upgrade, keep-alive",
    b"close",
    b"lullwave.v1",
    b"lullwave.v9",
    b"permessage-deflate; server_max_window_bits=99",
    b"AAAAAAAAAAAAAAAAAAAAAA==",
    b"13",
    b"for=[::1;proto=%",
    b"100-continue",
    b"gzip;q=9, br;q=x",
]
SEGMENTS = [
    "..",
    ".",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "a%00b",
    "%ff%fe",
    "%ed%a0%80",
    "%F0%9F%8E%B5",
    "%F0%9F%8E%B5" * 60,
    "%E9%9B%A8" * 90,
    "a" * 255,
    "a" * 300,
    "a" * 9000,
    "%25%32%65",
    "%",
    "%g0",
    "con",
    "x;y=z",
    "\\..\\",
    "-1",
    "1e999",
    "9" * 5000,
    "%C2%B2",
    "piano",
    "mp3",
]
QUERIES = [
    "",
    "?",
    "?&&==",
    "?at=%ff",
    "?%00=%00",
    "?at=" + "9" * 5000,
    "?seconds=nan",
    "?seconds=1e999",
    "?limit=" + "1" * 5000,
    "?before=0001-01-01T00:00:00&at=9999-12-31T23:59:59",
    "?listener=%0d%0a",
    "?at=-1e300",
    "?station=%F0%9F%8E%B5",
    "?format=%00",
    "?token=%ff",
    "?before=%2B14:00",
    "?at=2025-01-01T00:00:00%2B99:99",
]
BODIES = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"\xff",
    b'{"prompt": "x", "duration_s": 1}',
    b'{"prompt": "\\ud800"}',
    b"[" * 5000,
    b'{"prompt": "' + b"\\u0000" * 50 + b'"}',
    b"1e999",
    b'{"listener": "\\udfff", "prompt": "rain"}',
    b"9" * 5000,
]


@dataclass(frozen=True)
class Reply:
    """The begin of a reply: its status (0 if the server closed without one) and up to 64 kB."""

    request: bytes
    status: int
    data: bytes

    @property
    def honest(self) -> bool:
        """Tell whether it is no 5xx, or a 503 that gives its reason."""
        body = self.data.partition(b"\r\n\r\n")[2]
        return self.status < 500 or (self.status == 503 and (b"error" in body or self.request.startswith(b"HEAD")))


def send(port: int, request: bytes) -> Reply:
    """Send a request and read the begin of the reply, then close: endless replies are not read on."""
    data = b""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as one:
        try:
            one.sendall(request)
            while b"\r\n\r\n" not in data and (part := one.recv(65536)):
                data += part
            if data.startswith(b"HTTP/1.1 5"):
                while len(data) < 65536 and (part := one.recv(65536)):
                    data += part
        except ConnectionError:
            pass
    return Reply(request, int(data.split(b" ")[1]) if data.startswith(b"HTTP/1.1 ") else 0, data)


def with_headers(path: str, method: str = "GET", body: bytes = b"", **headers: bytes) -> bytes:
    """A request as bytes, with ``Host`` and ``Connection: close`` unless they are given."""
    lines = {"Host": b"127.0.0.1", "Connection": b"close", "Content-Length": b"%d" % len(body)}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in lines.items())
    return method.encode() + b" " + path.encode() + b" HTTP/1.1\r\n" + head + b"\r\n" + body


def odd_requests(paths: Sequence[str], seed: int) -> Iterator[bytes]:
    """``SHORT`` requests to ``paths`` (``{name}`` stands for any segment), or as many as FUZZ_REQUESTS says."""
    draw = random.Random(seed)
    for _ in range(int(os.environ.get("FUZZ_REQUESTS", SHORT))):
        path = draw.choice(paths)
        while "{" in path:
            before, _, rest = path.partition("{")
            path = before + draw.choice(SEGMENTS) + rest.partition("}")[2]
        if draw.random() < 0.15:
            path += "/" + draw.choice(SEGMENTS)
        if draw.random() < 0.4:
            path += draw.choice(QUERIES)
        names = draw.sample(HEADERS, draw.choice((0, 1, 1, 2, 4)))
        headers = {name: draw.choice(VALUES) for name in names}
        body = draw.choice(BODIES) if draw.random() < 0.4 else b""
        yield with_headers(path, draw.choice(METHODS), body, **headers)
