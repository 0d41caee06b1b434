"""Access checks of an inference server: the token, and the checks that keep other sites' pages out.

Clients of the legacy websocket protocol know no token, but their address can hold one, so ``?token=…`` is accepted
beside the header. Where the owner set no token, they are let in without one as long as no proxy is between.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Scope

from ..middleware.auth import AnsweredNames, digest, same_host
from ..middleware.forwarded import PORTLESS, came_by_proxy


class AccessGuard:
    """Accepts or refuses requests by their headers. Immutable, so thread-safe.

    With a token every request needs it. Without one, a ``public`` server makes its own (``made``, to be shown to the
    owner), and a server on loopback needs none, except from an untrusted proxy. With ``legacy_open``, clients of the
    legacy websocket protocol never need it; with ``legacy_direct`` they need it only if they come through a proxy.
    """

    def __init__(
        self,
        token: str,
        public: bool,
        legacy_open: bool = False,
        allowed_hosts: str = "",
        *,
        legacy_direct: bool = False,
    ) -> None:
        self.made = secrets.token_urlsafe(24) if public and not token else ""
        self._digest = digest(token or self.made) if token or public else None
        self._names = AnsweredNames(allowed_hosts, public)
        self._legacy_open = legacy_open
        self._legacy_direct = legacy_direct

    def refusal(self, scope: Scope, legacy: bool = False) -> tuple[int, str] | None:
        """Why a request is refused, as HTTP status and message; None accepts it."""
        headers = Headers(scope=scope)
        if name := self._names.refused(headers):
            return 403, f"this server does not answer to the name {name}; see --allowed-hosts and --trusted-proxies"
        origin = headers.get("origin")
        if origin is not None and not same_host(origin, headers.get("host", ""), scope.get(PORTLESS, False)):
            return 403, "pages of another origin may not do this; behind a proxy, see --trusted-proxies"
        trace = came_by_proxy(scope)
        if legacy and (self._legacy_open or (self._legacy_direct and not trace)):
            return None
        if self._digest is None:
            if not trace:
                return None
            return 401, f"a proxy passed this on ({trace}), so it needs a token; set --trusted-proxies and --token"
        if self._has_token(scope, headers):
            return None
        return 401, "this needs the server's token: Authorization: Bearer …"

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        """Tell whether a request carries the token. Constant time."""
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "key"):
            shown = next(iter(parse_qs(scope["query_string"].decode("latin-1")).get("token", [])), "")
        assert self._digest is not None
        return hmac.compare_digest(hashlib.sha256(shown.strip().encode()).digest(), self._digest)
