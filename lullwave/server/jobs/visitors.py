"""The key of a visitor: a secret that the browser keeps in a cookie, or a program in a header.

Jobs belong to a key. The server stores only its hash, and no reply lists the keys or jobs of others.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from starlette.requests import Request
from starlette.responses import Response

from ...errors import InvalidInput

HEADER = "X-Lullwave-Visitor"
COOKIE = "lullwave_visitor"
COOKIE_S = 400 * 86400  # the longest time that browsers keep a cookie
KEY = re.compile(r"[A-Za-z0-9_-]{22,64}")  # at least 128 bits


class Visitor:
    """The visitor of one request: its key, and whether the key is new."""

    def __init__(self, key: str, is_new: bool) -> None:
        self.key = key
        self.is_new = is_new

    @property
    def id(self) -> str:
        """The hash under which the visitor's jobs are kept."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:32]

    def tell(self, response: Response, request: Request) -> Response:
        """Give a new key to the client, in a cookie that scripts cannot read, and in the header for programs."""
        if self.is_new:
            response.headers[HEADER] = self.key
            response.set_cookie(
                COOKIE,
                self.key,
                max_age=COOKIE_S,
                path=f"{request.scope.get('root_path', '')}/",
                secure=request.url.scheme == "https",
                httponly=True,
                samesite="strict",
            )
        return response


def visitor_of(request: Request) -> Visitor:
    """The visitor who sends a request; one without a key gets a new one.

    Raises:
        InvalidInput: the header holds something else than a key.
    """
    if (given := request.headers.get(HEADER)) is not None:
        if not KEY.fullmatch(given):
            raise InvalidInput(HEADER, given[:20], "22 to 64 letters, digits, - and _")
        return Visitor(given, is_new=False)
    kept = request.cookies.get(COOKIE, "")
    if KEY.fullmatch(kept):
        return Visitor(kept, is_new=False)
    return Visitor(secrets.token_urlsafe(24), is_new=True)
