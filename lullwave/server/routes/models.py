"""``/api/models``: the models that users can choose from, and their download by the owner."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ...models.catalogue import CATALOGUE
from ...models.machine import available, this_machine
from ..deps import OWNERS, Services, check_owner
from ..engine_pool import EnginePool


class PullBody(BaseModel):
    """A model to download."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "facebook/musicgen-small"}]})

    name: str = Field(max_length=200, description="its name on the Hugging Face hub")


def router(services: Services) -> APIRouter:
    """``/api/models``."""
    routes = APIRouter(tags=["music"], dependencies=services.checks)
    listing = SharedListing(services.engines)

    @routes.get("/api/models")
    async def models() -> JSONResponse:
        """Published models: sizes in GB, rate, channels, licence, whether gated, and what to expect here.

        `fits` compares the weights with the memory of `device`. `speed` is seconds of sound in a second, estimated from
        a measurement of half a second at the first request.
        """
        return JSONResponse({"models": await listing.get()})

    @routes.get("/api/models/pull", responses=OWNERS)
    async def latest(request: Request) -> JSONResponse:
        """The download that runs, or the last one since the server started, as `pull`; null if there was none.

        Needs the admin token.
        """
        check_owner(request)
        pull = services.pulls.latest
        return JSONResponse({"pull": None if pull is None else pull.data()}, headers={"Cache-Control": "no-store"})

    @routes.post("/api/models/pull", status_code=202)
    async def pull(request: Request, body: Annotated[PullBody, Body()]) -> JSONResponse:
        """Begin to download a model, or go on with it. Needs the admin token. 429 while another one is downloaded."""
        check_owner(request)
        return JSONResponse({"pull": services.pulls.start(body.name).data()}, 202)

    @routes.post("/api/models/pull/cancel")
    async def cancel(request: Request) -> JSONResponse:
        """Stop the download that runs. What has arrived is kept. Needs the admin token."""
        check_owner(request)
        services.pulls.cancel()
        pull = services.pulls.latest
        return JSONResponse({"pull": None if pull is None else pull.data()})

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
