"""Checks who may change state: the owner's token, and the ``Origin`` and ``Host`` of browsers.

A browser sends ``Origin`` with every request that a page of another site makes, and ``Host`` as that page wrote it.
Checking both keeps web pages from controlling a server on their reader's machine, even through a name that resolves
to 127.0.0.1 (DNS rebinding).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ...settings import Settings
from ..errors import problem

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN_TO_PAGES = frozenset({"/run_inference", "/run_inference/"})  # Riffusion's web page is on another origin
LEGACY = ("/run_inference", "/generate", "/clips/")  # the legacy routes, by the start of their path


def digest(token: str) -> bytes:
    """The SHA-256 of a token, or the hash that ``sha256:…`` gives; only hashes are compared."""
    if token.startswith("sha256:"):
        return bytes.fromhex(token.removeprefix("sha256:"))
    return hashlib.sha256(token.encode()).digest()


class OwnerToken:
    """The token that allows changes. Immutable, so thread-safe.

    If one is needed and the settings hold none, a new one is generated (``made``, to be shown to the owner).
    """

    def __init__(self, settings: Settings) -> None:
        needed = settings.public or any(own.policy == "owner" for own in settings.stations)
        self.made = secrets.token_urlsafe(24) if needed and not settings.token else ""
        given = settings.token or self.made
        self._digest = digest(given) if given else None

    def allows(self, headers: Headers) -> bool:
        """Tell whether a request carries the token (``Authorization: Bearer …`` or ``key …``). Constant time."""
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if self._digest is None or scheme.lower() not in ("bearer", "key"):
            return False
        return hmac.compare_digest(hashlib.sha256(shown.strip().encode()).digest(), self._digest)


class OriginAndTokenGuard:
    """Refuses foreign origins and host names, and, on a public server, changes without the token."""

    def __init__(self, app: ASGIApp, settings: Settings, owner_token: OwnerToken) -> None:
        self._app = app
        self._settings = settings
        self._owner_token = owner_token
        self._origins = _split(settings.allowed_origins)
        self._hosts = _split(settings.allowed_hosts) | (frozenset() if settings.public else LOCAL_NAMES)
        self._any_host = settings.public and not settings.allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[1]})
        else:
            status, message, field = refusal
            headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
            await problem(status, message, field, None, headers)(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        settings, headers = self._settings, Headers(scope=scope)
        legacy = scope["path"].startswith(LEGACY)
        if legacy and settings.legacy_open:
            return None
        if not self._any_host and host_name(headers.get("host", "")) not in self._hosts:
            return 403, "this server does not answer to that name; see the setting allowed_hosts", "Host"
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE
        if changes and scope["path"] not in OPEN_TO_PAGES and not self._allowed_origin(headers):
            return 403, "pages of another origin may not do this; see the setting allowed_origins", "Origin"
        if scope["type"] == "websocket" or not changes or not settings.public or self._owner_token.allows(headers):
            return None
        if settings.open_steering and scope["path"].startswith("/api/stations/"):
            return None
        return 401, "this needs the owner's token: Authorization: Bearer …", "Authorization"

    def _allowed_origin(self, headers: Headers) -> bool:
        """Tell whether a request comes from outside a page, from this server's page, or from an allowed origin."""
        origin = headers.get("origin")
        if origin is None or "*" in self._origins or origin in self._origins:
            return True
        return origin_host(origin) == headers.get("host")


def origin_host(origin: str) -> str | None:
    """The host and port in an ``Origin`` header; None for ``null`` and for anything else that names no host.

    The header is a scheme, ``://`` and a host (RFC 6454, 6.2). It is compared as text: ``urlsplit`` raises on some.
    """
    return origin.partition("://")[2] or None


def _split(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())


def host_name(header: str) -> str:
    """The host name in a Host header, without the port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()
