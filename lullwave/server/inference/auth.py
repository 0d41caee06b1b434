"""Who may come in to an inference server: the token, and the checks that keep web pages of others out.

Knows no protocol: it sees headers. A plain client of the old websocket dialect cannot show a token in a header, so one
in the address (``?token=…``) does as well.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from ..middleware.auth import LOCAL_NAMES, digest


class Gate:
    """Whoever has the token may do everything.

    Without a token, everybody who reaches a loopback address may; on a public address one is made, for the owner's
    eyes. ``plain_open``: clients of the old websocket dialect, which never knew a token, need none.
    """

    def __init__(self, token: str, public: bool, plain_open: bool) -> None:
        self.made = secrets.token_urlsafe(24) if public and not token else ""
        self._digest = digest(token or self.made) if token or public else None
        self._plain_open = plain_open
        self._public = public

    def refusal(self, scope: Scope, plain: bool = False) -> tuple[int, str] | None:
        """Why a request is refused, as status and words; None lets it in."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._public and (urlsplit("//" + host).hostname or "") not in LOCAL_NAMES:
            return 403, "this server does not answer to that name"
        origin = headers.get("origin")
        if origin is not None and (urlsplit(origin).netloc or "null") != host:
            return 403, "pages of another origin may not do this"
        if self._digest is None or (plain and self._plain_open) or self._shown(scope, headers):
            return None
        return 401, "this needs the server's token: Authorization: Bearer …"

    def _shown(self, scope: Scope, headers: Headers) -> bool:
        """Whether a request shows the token. Constant time."""
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "key"):
            shown = next(iter(parse_qs(scope["query_string"].decode("latin-1")).get("token", [])), "")
        assert self._digest is not None
        return hmac.compare_digest(hashlib.sha256(shown.strip().encode()).digest(), self._digest)
