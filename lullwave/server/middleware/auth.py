"""Checks who may change state: the admin token, and the ``Origin`` and ``Host`` of browsers.

A browser sends ``Origin`` with every request that a page of another site makes, and ``Host`` as that page wrote it.
Checking both keeps web pages from controlling a server on their reader's machine, even through a name that resolves
to 127.0.0.1 (DNS rebinding).

A request is the owner's if it carries the token, or if it comes straight from this machine to a server that only this
machine can reach. A request that a proxy passed on does not come straight from this machine (see ``forwarded``).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from functools import lru_cache

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ...hosts import host_names, host_of, is_loopback
from ...settings import Settings
from ..errors import problem
from ..ownership import OWNER
from .forwarded import PORTLESS, came_by_proxy

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PROBES = frozenset({"/healthz", "/readyz"})  # answered by any name: probes ask for addresses
OPEN_TO_PAGES = frozenset({"/run_inference", "/run_inference/"})  # Riffusion's web page is on another origin
NAMES_KEPT, LONGEST_NAME = 256, 260  # values of ``Host`` whose answer is remembered: a name has 253 characters at most
DEFAULT_PORTS = {"http": ":80", "https": ":443"}  # browsers leave them out
NAME_REMEDY = "see the settings allowed_hosts and, behind a proxy, trusted_proxies"
ORIGIN_REMEDY = (
    "see the setting allowed_origins; behind a proxy, trusted_proxies and allowed_hosts, and let it pass Host on"
)
PROXY_REMEDY = "set trusted_proxies to the proxy's address, allowed_hosts to its name, and token"
STUDIO = "/api/jobs"  # the path of the jobs of the Studio
STATIONS, FORK = "/api/stations/", "private"  # a station is forked at STATIONS + its id + "/" + FORK
LISTENS = "/client-status"  # infinifi's page says on it that it plays, as others do over the websocket
# what a relay leaves to its origin
PASSED_ON = re.compile(r"/api/stations/[^/]+/(prompt|understand|undo|own-programme|skip|freeze)")
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

    @property
    def given(self) -> bool:
        """Whether there is a token at all."""
        return self._digest is not None

    def allows(self, headers: Headers) -> bool:
        """Tell whether a request carries the token (``Authorization: Bearer …`` or ``key …``). Constant time."""
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if self._digest is None or scheme.lower() not in ("bearer", "key"):
            return False
        return hmac.compare_digest(hashlib.sha256(shown.strip().encode()).digest(), self._digest)


class OriginAndTokenGuard:
    """Refuses foreign origins and host names, and, on a public server, changes without the token.

    ``is_private`` tells whether an id is that of a private stream: a client that knows it may steer there, without the
    token.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, owner_token: OwnerToken, is_private: Callable[[str], bool]
    ) -> None:
        self._app = app
        self._is_private = is_private
        self._settings = settings
        self._owner_token = owner_token
        self._origins = frozenset(part.strip() for part in settings.allowed_origins.split(",") if part.strip())
        self._names = AnsweredNames(settings.allowed_hosts, settings.public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None
        if scope["type"] in ("http", "websocket"):
            scope[OWNER] = self._is_owner(scope)
            refusal = self._refusal(scope)
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
        path = scope["path"]
        if path.startswith(LEGACY) and settings.legacy_open:
            return None
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE
        if not changes and (path in PROBES or "host" not in headers):  # the oldest players send no Host, browsers do
            return None
        if host := self._names.refused(headers):
            return 403, f"this server does not answer to the name {host}; {NAME_REMEDY}", "Host"
        if changes and path not in OPEN_TO_PAGES and not self._allowed_origin(scope, headers):
            return 403, f"pages of another origin may not do this; {ORIGIN_REMEDY}", "Origin"
        if scope["type"] == "websocket" or not changes or path == LISTENS or scope[OWNER]:
            return None
        if settings.relay and scope["method"] == "POST" and PASSED_ON.fullmatch(path):
            return None
        if settings.open_studio and (path == STUDIO or path.startswith(f"{STUDIO}/")):
            return None
        if path.startswith(STATIONS):
            station, _, action = path.removeprefix(STATIONS).partition("/")
            if settings.open_steering or action == FORK or self._is_private(station):
                return None
        if not settings.public:
            trace = came_by_proxy(scope)
            return (
                401,
                f"a proxy passed this on ({trace}), so it needs the admin token; {PROXY_REMEDY}",
                "Authorization",
            )
        return 401, "this needs the admin token: Authorization: Bearer …", "Authorization"

    def _is_owner(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        if self._owner_token.allows(headers):
            return True
        return not (self._settings.public or came_by_proxy(scope) or self._names.refused(headers))

    def _allowed_origin(self, scope: Scope, headers: Headers) -> bool:
        """Tell whether a request comes from outside a page, from this server's page, or from an allowed origin."""
        origin = headers.get("origin")
        if origin is None or "*" in self._origins or origin in self._origins:
            return True
        return same_host(origin, headers.get("host", ""), scope.get(PORTLESS, False))


class AnsweredNames:
    """The host names that a server answers to. Immutable, so thread-safe.

    Loopback names are always among them: a server that is open to them is not public. A public server without
    ``allowed_hosts`` answers to any.
    """

    def __init__(self, allowed_hosts: str, public: bool) -> None:
        self._named = host_names(allowed_hosts, "allowed_hosts")
        self._public = public
        self._known = lru_cache(NAMES_KEPT)(self._refused)

    def refused(self, headers: Headers) -> str:
        """The name in ``Host`` if the server does not answer to it, for messages; else empty."""
        value = headers.get("host", "")
        return self._known(value) if len(value) <= LONGEST_NAME else self._refused(value)

    def _refused(self, value: str) -> str:
        host = host_of(value)
        if host in self._named or is_loopback(host) or (self._public and not self._named):
            return ""
        return repr(host[:80])


def same_host(origin: str, host: str, any_port: bool) -> bool:
    """Tell whether ``Origin`` is the host in ``Host``; with ``any_port`` the ports need not be the same.

    ``any_port`` is for a trusted proxy that passes the name on and drops the port (nginx's ``$host``).
    """
    scheme, _, netloc = origin.lower().partition("://")
    if scheme not in DEFAULT_PORTS or not netloc:
        return False
    usual = DEFAULT_PORTS[scheme]
    same = netloc.removesuffix(usual) == host.lower().removesuffix(usual)
    return same or (any_port and host_of(netloc) == host_of(host))
