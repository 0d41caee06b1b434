"""The inference server's application: routes, access checks, start and stop. Nothing runs at import."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from ... import __version__
from ...engines.base import Engine
from ...engines.remote import protocol as wire
from ...hosts import NO_PROXIES, TrustedProxies
from ..middleware.forwarded import Forwarded
from .auth import AccessGuard
from .batches import Batches
from .fair_scheduler import FairScheduler
from .legacy import LegacyHttp, LegacySocket
from .session import Session

MAX_SESSIONS = 64  # websockets that are open at the same time
STOP_S = 1.0  # seconds that turns in progress may take to end

Handler = Callable[[Request], Awaitable[Response]]


def create_inference_app(
    engine: Engine, guard: AccessGuard, workers: int, trusted: TrustedProxies = NO_PROXIES
) -> Starlette:
    """Make an application that serves ``engine``, behind ``trusted`` proxies. The caller closes the engine."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.scheduler = scheduler = FairScheduler(workers)
        app.state.batches = batches = Batches(engine, scheduler)
        app.state.http = http = LegacyHttp(batches)
        app.state.sessions = 0
        try:
            yield
        finally:
            http.stop()
            batches.stop()
            await asyncio.to_thread(scheduler.close, STOP_S)

    async def socket(socket: WebSocket) -> None:
        """Serve a websocket on any path: the subprotocol tells lullwave.v1 from legacy clients."""
        offered = socket.scope["subprotocols"]
        legacy = not any(name.startswith(wire.FAMILY) for name in offered)
        if (refusal := guard.refusal(socket.scope, legacy)) is not None:
            await socket.send_denial_response(_refused(*refusal))
        elif app.state.sessions >= MAX_SESSIONS:
            await socket.send_denial_response(_refused(503, f"{MAX_SESSIONS} clients are connected; try again later"))
        elif not legacy and wire.SUBPROTOCOL not in offered:
            await socket.accept(offered[0])  # without an accepted subprotocol, clients do not see the close reason
            await socket.close(wire.WRONG_VERSION, f"this server speaks {wire.SUBPROTOCOL}, not {offered[0]}"[:120])
        else:
            app.state.sessions += 1
            try:
                if legacy:
                    await LegacySocket(socket, app.state.batches).run()
                else:
                    await Session(socket, engine, app.state.scheduler).run()
            finally:
                app.state.sessions -= 1

    def guarded(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            if (refusal := guard.refusal(request.scope)) is not None:
                return _refused(*refusal)
            return await handler(request)

        return answer

    async def healthz(request: Request) -> Response:
        """Tell that the server answers, and its version, engine and load; 503 if a worker thread has ended."""
        alive = app.state.scheduler.alive
        return JSONResponse(
            {
                "status": "ok" if alive else "a worker thread has ended",
                "version": __version__,
                "protocol": wire.SUBPROTOCOL,
                "engine": engine.name,
                "clients": app.state.sessions,
                "waiting": app.state.scheduler.waiting(),
            },
            200 if alive else 503,
        )

    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", healthz),  # the port opens only after the engine is loaded
            Route("/generate", guarded(lambda request: app.state.http.generate(request)), methods=["POST"]),
            Route("/clips/{number}", guarded(lambda request: app.state.http.clip(request)), methods=["POST"]),
            WebSocketRoute("/{path:path}", socket),
        ],
        middleware=[Middleware(Forwarded, trusted=trusted)],
        exception_handlers={HTTPException: _http_error},
        lifespan=lifespan,
    )
    return app


async def _http_error(request: Request, error: Exception) -> Response:
    """An unknown path or a wrong method, in the form of all other errors."""
    assert isinstance(error, HTTPException)
    reply = _refused(error.status_code, str(error.detail))
    reply.headers.update(error.headers or {})
    return reply


def _refused(status: int, message: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": message}, status, headers)
