"""``GET /api/models``: the models that users can choose from."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from ...models.catalogue import CATALOGUE
from ...models.machine import available, this_machine
from ..deps import Services
from ..engine_pool import EnginePool


def router(services: Services) -> APIRouter:
    """``/api/models``."""
    routes = APIRouter(tags=["music"])
    listing = SharedListing(services.engines)

    @routes.get("/api/models")
    async def models() -> JSONResponse:
        """Published models: sizes in GB, rate, channels, licence, whether gated, and what to expect here.

        `fits` compares the weights with the memory of `device`. `speed` is seconds of sound in a second, estimated from
        a measurement of half a second at the first request.
        """
        return JSONResponse({"models": await listing.get()})

    return routes


class SharedListing:
    """Lists the models on one thread at a time; all requests that come meanwhile get the same list. Event loop only."""

    def __init__(self, engines: EnginePool) -> None:
        self._engines = engines
        self._running: asyncio.Task[list[dict[str, Any]]] | None = None

    async def get(self) -> list[dict[str, Any]]:
        """The models that the engines play. The first call measures this machine, if there is a model at all."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(asyncio.to_thread(_models, self._engines.names()))
        return await asyncio.shield(self._running)  # a client that leaves does not end it for the others


def _models(engines: list[str]) -> list[dict[str, Any]]:
    if not any(model.engine in engines for model in CATALOGUE):
        return []  # nothing to measure for
    return available(engines, this_machine())
