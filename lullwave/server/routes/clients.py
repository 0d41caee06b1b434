"""For the owner: the addresses that use the server now, and how to drop one of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ...hosts import client_network, covers
from ..deps import OWNERS, Services, check_owner

SHUT_OUT_S = 600.0  # seconds for which a dropped address is shut out unless the request says otherwise


class DropBody(BaseModel):
    """A request to drop an address or a network."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"address": "203.0.113.9"}]})

    address: str = Field(
        max_length=64,
        description="an address, as GET /api/clients lists it, or a network such as 10.0.0.0/8; "
        "an IPv6 address means its whole /64",
    )
    for_s: float = Field(
        default=SHUT_OUT_S,
        ge=0,
        le=30 * 86400,
        allow_inf_nan=False,
        description="seconds for which it is shut out; 0 lets it come back at once",
    )


def router(services: Services) -> APIRouter:
    """``/api/clients`` and ``/api/clients/drop``."""
    routes = APIRouter(tags=["server"], dependencies=services.checks)

    @routes.get("/api/clients", responses=OWNERS)
    async def clients(request: Request) -> JSONResponse:
        """The addresses that listen or have requests open. Needs the admin token."""
        check_owner(request)
        return JSONResponse({"clients": services.clients.data()})

    @routes.post("/api/clients/drop")
    async def drop(request: Request, body: Annotated[DropBody, Body()]) -> JSONResponse:
        """Close every connection of an address or a network and shut it out for a while. Needs the admin token.

        Its jobs in the Studio are cancelled, waiting or not.
        """
        check_owner(request)
        named, dropped = services.clients.drop(body.address, body.for_s)
        network = client_network(body.address)
        if services.jobs is not None and network is not None:
            services.jobs.drop(lambda key: (own := client_network(key)) is not None and covers(network, own))
        return JSONResponse({"address": named, "dropped": dropped})

    return routes
