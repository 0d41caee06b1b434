"""The path prefix below which a proxy shows the radio: off the addresses that still have it, known to all routes."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class Prefix:
    """Outermost, so that everything inside sees addresses without the prefix, and links are made with it."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._prefix and scope["type"] in ("http", "websocket"):
            path = scope["path"]
            if path.startswith(self._prefix + "/"):  # the proxy has left it on
                path = path.removeprefix(self._prefix)
            scope = {**scope, "path": path, "root_path": self._prefix}
        await self._app(scope, receive, send)
