"""The path prefix under which a reverse proxy serves the radio: removed from paths, passed on as ``root_path``."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class Prefix:
    """The outermost middleware: everything inside sees paths without the prefix and makes links with it."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._prefix and scope["type"] in ("http", "websocket"):
            path = scope["path"]
            if path.startswith(self._prefix + "/"):  # the proxy did not remove it
                path = path.removeprefix(self._prefix)
            scope = {**scope, "path": path, "root_path": self._prefix}
        await self._app(scope, receive, send)
