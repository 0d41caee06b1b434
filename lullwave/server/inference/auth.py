"""Access checks of an inference server: the token, and the checks that keep other sites' pages out.

Knows no protocol: it sees headers. A client of the legacy websocket protocol cannot send a token in a header, so a
token in the address (``?token=…``) is accepted too.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Scope

from ..middleware.auth import LOCAL_NAMES, digest, host_name, origin_host


class AccessGuard:
    """Accepts or refuses requests by their headers. Immutable, so thread-safe.

    With a token every request needs it. Without one, a ``public`` server makes its own (``made``, to be shown to the
    owner), and a server on loopback needs none. ``legacy_open``: clients of the legacy websocket protocol, which has
    no token, need none.
    """

    def __init__(self, token: str, public: bool, legacy_open: bool) -> None:
        self.made = secrets.token_urlsafe(24) if public and not token else ""
        self._digest = digest(token or self.made) if token or public else None
        self._legacy_open = legacy_open
        self._public = public

    def refusal(self, scope: Scope, legacy: bool = False) -> tuple[int, str] | None:
        """Why a request is refused, as HTTP status and message; None accepts it."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._public and host_name(host) not in LOCAL_NAMES:
            return 403, "this server does not answer to that name"
        origin = headers.get("origin")
        if origin is not None and origin_host(origin) != host:
            return 403, "pages of another origin may not do this"
        if self._digest is None or (legacy and self._legacy_open) or self._has_token(scope, headers):
            return None
        return 401, "this needs the server's token: Authorization: Bearer …"

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        """Tell whether a request carries the token. Constant time."""
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "key"):
            shown = next(iter(parse_qs(scope["query_string"].decode("latin-1")).get("token", [])), "")
        assert self._digest is not None
        return hmac.compare_digest(hashlib.sha256(shown.strip().encode()).digest(), self._digest)
