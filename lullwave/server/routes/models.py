"""``GET /api/models``: the models that users can choose from."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from ...models.listing import available
from ...models.machine import this_machine
from ..deps import Services


def router(services: Services) -> APIRouter:
    """``/api/models``."""
    routes = APIRouter(tags=["music"])

    @routes.get("/api/models")
    async def models() -> JSONResponse:
        """Published models: sizes in GB, rate, channels, licence, whether gated, and the speed expected here.

        `speed` is seconds of sound in a second, estimated from a measurement of half a second at the first request.
        """
        machine = await asyncio.to_thread(this_machine)
        listed = await asyncio.to_thread(available, services.engines.names(), machine)
        return JSONResponse({"models": listed})

    return routes
