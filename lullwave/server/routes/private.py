"""Just for me: a private stream that goes on with what a station plays, for one listener alone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ..clients import client_key
from ..deps import Services, station_json
from ..live.private import GONE_S
from ..ownership import is_owner


class ForkBody(BaseModel):
    """A request for a private stream."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [{"frame": 656640}]})

    frame: int | None = Field(
        default=None,
        ge=-(2**53),
        le=2**53,
        description="the frame of the station at which the private stream begins, up to 15 s ago; null: what goes on "
        "air next",
    )


def router(services: Services) -> APIRouter:
    """``/api/stations/{station}/private``."""
    routes = APIRouter(tags=["stations"], dependencies=services.checks)

    @routes.post("/api/stations/{station}/private", status_code=201)
    async def fork(request: Request, station: str, body: Annotated[ForkBody | None, Body()] = None) -> JSONResponse:
        """Begin a private stream that goes on with the music of a station.

        The reply has the fields of a station. A client that knows its ``id`` can listen and steer as at any station,
        without the admin token; nothing lists it and no history keeps it. ``continues`` tells whether the same music
        goes on from ``begins``, a frame of the station: false where the engine has no snapshots, so that a new stream
        of the same prompt begins. It ends a few seconds after its last connection.
        """
        channels = services.channels
        origin, key = services.channel(station), client_key(request.scope)
        private = await channels.fork(origin, body.frame if body else None, key, is_owner(request.scope))
        return JSONResponse(
            {
                **station_json(channels, private.channel, request),
                "station": private.origin,
                "begins": private.begins,
                "continues": private.continues,
                "ends_after_s": GONE_S,
            },
            201,
            headers={"Cache-Control": "no-store"},
        )

    return routes
