"""Translates every error to an HTTP reply: JSON with the field, what was wrong and what is allowed.

::

    {"error": {"field": "duration_s", "message": "duration_s: got -1; allowed: …", "allowed": "a number from 1 to 600"}}
"""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from ..errors import (
    Busy,
    CheckpointError,
    EngineError,
    InvalidInput,
    LullwaveError,
    MissingExtra,
    NotFound,
    SnapshotError,
    StorageUnavailable,
    UnknownEngine,
)
from ..pydantic_errors import allowed_words
from .middleware.security_headers import SECURITY_HEADERS
from .ownership import published_error
from .process.repeated_logs import NO_FILES

log = logging.getLogger(__name__)


class TooLarge(LullwaveError):
    """A request body is larger than the limit."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the body is too large; allowed: at most {limit_bytes} bytes")
        self.allowed = f"at most {limit_bytes} bytes"


class TooSlow(LullwaveError):
    """A request body stopped arriving."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"nothing of the body arrived for {limit_s:g} s")


class Forbidden(LullwaveError):
    """The request needs the admin token."""


class Frozen(LullwaveError):
    """The owner has frozen the steering of a station."""


class NothingToSkip(LullwaveError):
    """No piece is on air that another one could follow."""


class NoProducer(LullwaveError):
    """No server makes the music of a shared station at present."""


class Full(Busy):
    """The station or the client's address has as many connections as it may have."""

    def __init__(self, message: str, retry_after_s: float = 30.0) -> None:
        super().__init__(message, retry_after_s)


class StationBusy(Full):
    """A station sleeps, and as many others are awake as the machine can play."""


def problem(
    status: int,
    message: str,
    field: str | None = None,
    allowed: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """The reply that reports an error. Caches do not keep it: what is not there may be there a second later."""
    body = {"error": {"field": field, "message": message, "allowed": allowed}}
    return JSONResponse(body, status, headers={"Cache-Control": "no-store", **(headers or {})})


def reply(error: Exception, scope: Scope) -> JSONResponse:
    """The reply to an error in a request, by the error's class."""
    error = published_error(error, scope)
    match error:
        case TooLarge():
            return problem(413, str(error), "body", error.allowed)
        case TooSlow():
            return problem(408, str(error), "body", None, {"Connection": "close"})
        case Forbidden():
            return problem(403, str(error), "Authorization")
        case Frozen():
            return problem(423, str(error))
        case NothingToSkip():
            return problem(409, str(error))
        case NoProducer():
            return problem(503, str(error), headers={"Retry-After": "10"})
        case NotFound():
            return problem(404, str(error), error.kind, ", ".join(error.known) or None)
        case Busy():
            status = 503 if isinstance(error, Full) else 429
            return problem(status, str(error), None, None, {"Retry-After": str(max(1, round(error.retry_after_s)))})
        case InvalidInput():
            return problem(422, str(error), error.field, error.allowed)
        case UnknownEngine() | MissingExtra():
            return problem(422, str(error), "engine", str(error))
        case CheckpointError():
            return problem(422, str(error), "checkpoint", None)
        case SnapshotError():
            return problem(409, f"this cannot be replayed: {error}")
        case StorageUnavailable():
            return problem(503, str(error), None, None, {"Retry-After": "30"})
        case EngineError():
            return problem(503, str(error), None, None, {"Retry-After": "5"})
        case _:
            return problem(500, "internal error; the server's log has the details")


def install(app: FastAPI) -> None:
    """Make ``app`` answer every error with ``problem``."""

    @app.exception_handler(LullwaveError)
    async def ours(request: Request, error: LullwaveError) -> JSONResponse:
        return reply(error, request.scope)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return _validation(error.errors()[0])

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == 404:
            return problem(404, f"there is no route {request.url.path[:200]}", "path", "the addresses in /openapi.json")
        if error.status_code == 405:
            headers["Allow"] = allowed = ", ".join(sorted(_methods(request)))
            return problem(405, f"{request.method} is not allowed here", "method", allowed, headers)
        if error.status_code == 400 and "parsing the body" in str(error.detail):
            # not UTF-8, nested too deeply, or with a number that is too long
            return problem(400, "body: it cannot be read; allowed: a JSON object", "body", "a JSON object", headers)
        return problem(error.status_code, str(error.detail), None, None, headers)

    @app.exception_handler(OSError)
    async def system(request: Request, error: OSError) -> JSONResponse:
        if error.errno not in NO_FILES:
            raise error
        log.error("%s: %s", request.url.path[:200], error.strerror)
        return problem(503, "no file descriptor is left; try again later", None, None, {"Retry-After": "10"})

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        answer = reply(error, request.scope)
        answer.headers.update(SECURITY_HEADERS)  # this reply does not pass the middleware that adds them to all others
        return answer


def _methods(request: Request) -> set[str]:
    """Every method that a route accepts at the request's path."""
    found: set[str] = set()
    for route in request.app.routes:
        if hasattr(route, "methods") and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return found


def _validation(fault: Any) -> JSONResponse:
    """The reply to one error of FastAPI's validation."""
    where = [str(part) for part in fault["loc"]]
    field = ".".join(where[1:]) or where[0]
    allowed = allowed_words(fault)
    if fault["type"] == "json_invalid" or len(where) == 1:
        field, allowed = "body", "a JSON object"
    cause = (fault.get("ctx") or {}).get("error")
    if isinstance(cause, InvalidInput):
        allowed = cause.allowed
    shown = repr(fault.get("input"))
    if len(shown) > 120:
        shown = shown[:117] + "..."
    return problem(422, f"{field}: got {shown}; allowed: {allowed}", field, allowed)
