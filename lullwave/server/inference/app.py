"""The inference server's application: routes, who may use them, and their life; nothing runs at import."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from ... import __version__
from ...engines.base import Engine
from ...engines.remote import protocol as wire
from .auth import Gate
from .batches import Batches
from .fair_scheduler import Turns
from .legacy import PlainHttp, PlainSocket
from .session import Session

MAX_SESSIONS = 64  # clients at the same time
STOP_S = 1.0  # how long what is being made may take to end

Handler = Callable[[Request], Awaitable[Response]]


def create_inference_app(engine: Engine, gate: Gate, workers: int) -> Starlette:
    """An application that serves ``engine``; closing the engine is its owner's business."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.turns = turns = Turns(workers)
        app.state.batches = batches = Batches(engine, turns)
        app.state.http = http = PlainHttp(batches)
        app.state.sessions = 0
        try:
            yield
        finally:
            http.stop()
            batches.stop()
            await asyncio.to_thread(turns.close, STOP_S)

    async def socket(socket: WebSocket) -> None:
        """Any address: old clients and new ones are told apart by the subprotocol."""
        offered = socket.scope["subprotocols"]
        plain = not any(name.startswith(wire.FAMILY) for name in offered)
        if (refusal := gate.refusal(socket.scope, plain)) is not None:
            await socket.send_denial_response(_refused(*refusal))
        elif app.state.sessions >= MAX_SESSIONS:
            await socket.send_denial_response(_refused(503, f"{MAX_SESSIONS} clients are connected; try again later"))
        elif not plain and wire.SUBPROTOCOL not in offered:
            await socket.accept(offered[0])  # clients who are refused every name see no reason
            await socket.close(wire.WRONG_VERSION, f"this server speaks {wire.SUBPROTOCOL}, not {offered[0]}"[:120])
        else:
            app.state.sessions += 1
            try:
                if plain:
                    await PlainSocket(socket, app.state.batches).run()
                else:
                    await Session(socket, engine, app.state.turns).run()
            finally:
                app.state.sessions -= 1

    def guarded(handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            if (refusal := gate.refusal(request.scope)) is not None:
                return _refused(*refusal)
            return await handler(request)

        return answer

    async def healthz(request: Request) -> Response:
        """The server answers, and what it is."""
        return JSONResponse(
            {
                "status": "ok",
                "version": __version__,
                "protocol": wire.SUBPROTOCOL,
                "engine": engine.name,
                "clients": app.state.sessions,
                "waiting": app.state.turns.waiting(),
            }
        )

    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", healthz),  # nothing listens before the engine is loaded
            Route("/generate", guarded(lambda request: app.state.http.generate(request)), methods=["POST"]),
            Route("/clips/{number:int}", guarded(lambda request: app.state.http.clip(request)), methods=["POST"]),
            WebSocketRoute("/{path:path}", socket),
        ],
        lifespan=lifespan,
    )
    return app


def _refused(status: int, words: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": words}, status, headers)
