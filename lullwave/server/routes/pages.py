"""The pages and the documentation page: static files of the package with validators and security headers."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from ...errors import NotFound
from ...paths import web_dir
from ..byte_ranges import whole_or_part
from ..deps import Services
from ..jobs.visitors import visitor_of
from ..middleware.security_headers import EMBED_CSP

_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True)
class StaticFile:
    data: bytes
    etag: str
    media_type: str


class StaticFolder:
    """The files below a folder by their names; only files that were found by listing can be asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, tuple[float, int, StaticFile]] = {}

    def names(self) -> list[str]:
        return [p.relative_to(self._folder).as_posix() for p in sorted(self._folder.rglob("*")) if p.is_file()]

    def file(self, name: str) -> StaticFile:
        """A file by its name below the folder; read again when it has changed.

        Raises:
            NotFound
        """
        path = self._folder.joinpath(*name.split("/"))
        if not self._has(name, path):
            raise NotFound("file", name[:200])
        stat = path.stat()
        known = self._read.get(name)
        if known is None or known[:2] != (stat.st_mtime, stat.st_size):
            data = path.read_bytes()
            kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            found = StaticFile(data, f'"{hashlib.sha256(data).hexdigest()[:32]}"', kind)
            self._read[name] = known = (stat.st_mtime, stat.st_size, found)
        return known[2]

    def _has(self, name: str, path: Path) -> bool:
        bad = any(part.startswith(".") or not part or "\\" in part or "\0" in part for part in name.split("/"))
        if bad or len(name) > 200:
            return False
        try:
            return path.is_file() and path.resolve().is_relative_to(self._folder.resolve())
        except (OSError, ValueError):  # the file system has no such names: too long, or not encodable
            return False


def router(services: Services, web: Path | None = None) -> APIRouter:
    """The pages, ``/static/…``, files at the root of the folder under their own names, and ``/docs``."""
    page = StaticFolder(web or web_dir())
    docs = StaticFolder(Path(__file__).parents[1] / "docs")
    routes = APIRouter(include_in_schema=False, dependencies=services.checks)

    def serve(request: Request, folder: StaticFolder, name: str, **headers: str) -> Response:
        file = folder.file(name)
        return whole_or_part(request, file.data, file.etag, file.media_type, {"Cache-Control": "no-cache", **headers})

    @routes.api_route("/", methods=["GET", "HEAD"])
    def index(request: Request) -> Response:
        return serve(request, page, "index.html")

    @routes.api_route("/studio", methods=["GET", "HEAD"])
    def studio(request: Request) -> Response:
        """The Studio, with the visitor's key, so that no two requests of the page are answered with different ones."""
        reply = serve(request, page, "studio.html", **{"Cache-Control": "private, no-cache"})
        return visitor_of(request).tell(reply, request)

    @routes.api_route("/make", methods=["GET", "HEAD"])
    def make(request: Request) -> Response:
        """The page that the Studio replaced."""
        return RedirectResponse("studio", 308)  # relative: also below a prefix that a proxy takes away

    @routes.api_route("/riff", methods=["GET", "HEAD"])
    def riff(request: Request) -> Response:
        return serve(request, page, "riff.html")

    @routes.api_route("/embed/{station}", methods=["GET", "HEAD"])
    def embed(request: Request, station: str) -> Response:
        """The small player of a station, the only page that pages of other sites may frame."""
        services.channel(station)
        return serve(request, page, "embed.html", **{"Content-Security-Policy": EMBED_CSP})

    @routes.api_route("/static/{name:path}", methods=["GET", "HEAD"])
    def static(request: Request, name: str) -> Response:
        return serve(request, page, name)

    @routes.api_route("/docs", methods=["GET", "HEAD"])
    def documentation(request: Request) -> Response:
        return serve(request, docs, "docs.html")

    @routes.api_route("/docs/{name}", methods=["GET", "HEAD"])
    def documentation_file(request: Request, name: str) -> Response:
        return serve(request, docs, name)

    @routes.api_route("/{name}", methods=["GET", "HEAD"])
    def root_file(request: Request, name: str) -> Response:
        return serve(request, page, name)

    return routes
