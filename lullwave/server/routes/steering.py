"""Routes for one station: what it plays and will play, and listeners' requests to change its music."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ...engines.base import Understanding
from ...prompt import MAX_PROMPT_CHARS
from ...station import RATE, Station
from ..clients import client_key
from ..deps import ListenerId, Services, station_json
from ..errors import Forbidden
from ..live.awake import STEERED_S
from ..live.prompt_queue import PromptQueue
from ..live.prompt_request import PromptReceipt, Requester
from ..ownership import is_owner


class SteerBody(BaseModel):
    """A request to steer a station."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"prompt": "warm synthwave, no drums"}]}
    )

    prompt: str = Field(description="the music to change to", max_length=MAX_PROMPT_CHARS)
    listener: ListenerId = None


class PreviewBody(BaseModel):
    """A request that is not sent yet."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"prompt": "warm synthwave, no drums"}]}
    )

    prompt: str = Field(description="the music to change to", max_length=MAX_PROMPT_CHARS)


class UndoBody(BaseModel):
    """A request to go back to the prompt before."""

    model_config = ConfigDict(extra="forbid", strict=True)

    listener: ListenerId = None


def router(services: Services) -> APIRouter:
    """``/api/stations/{station}``, its ``prompt`` and its ``undo``."""
    routes = APIRouter(tags=["stations"], dependencies=services.checks)

    @routes.get("/api/stations/{station}")
    async def station(request: Request, station: str) -> JSONResponse:
        """A station: what is on air, what comes next, the buffer, the clock, and the queue of requests."""
        channel = services.heard_channel(station)
        queue = services.prompt_queue(station)
        await channel.scenery.read()
        epoch = channel.station.epoch
        upcoming = [{"kind": e.kind, "frame": e.frame, **e.data} for e in channel.station.upcoming()]
        facts = {
            "rate": RATE,
            "frame": channel.station.edge,
            "epoch": None if epoch is None else {"frame": epoch.frame, "wall": epoch.wall},
            "time": time.time(),
            "reserve_s": round(channel.station.reserve_s, 2),
            "next": upcoming,
            **queue.data(),
            "may_steer": _may_steer(services, request, channel.station),
        }
        return JSONResponse({**station_json(services.channels, channel, request), **channel.counted(facts)})

    @routes.get("/api/stations/{station}/vocabulary")
    async def vocabulary(station: str) -> JSONResponse:
        """Words to choose a prompt from, by kind, as the station's engine knows them; none if it takes any text."""
        facts = services.engines.facts_of(services.heard_channel(station).station.engine_name)
        return JSONResponse({"vocabulary": {kind: list(words) for kind, words in facts.vocabulary().items()}})

    @routes.post("/api/stations/{station}/understand")
    async def understand(request: Request, station: str, body: Annotated[PreviewBody, Body()]) -> JSONResponse:
        """Tell what a prompt would mean to the station's engine; the music stays as it is."""
        queue = services.prompt_queue(station)
        understanding = await queue.preview(body.prompt, _requester(services, request, None))
        return JSONResponse({"understood": _understood_json(understanding), "recognised": understanding.recognised})

    @routes.post("/api/stations/{station}/prompt")
    async def prompt(request: Request, station: str, body: Annotated[SteerBody, Body()]) -> JSONResponse:
        """Steer a station towards a prompt. It is heard within seconds, or waits in the queue or for a vote.

        The state ``ignored`` tells that the engine understood nothing: the music stays as it is, and ``suggestions``
        names known words that are spelled alike.
        """
        queue = _steerable(services, request, station)
        receipt = await queue.submit(body.prompt, _requester(services, request, body.listener))
        return JSONResponse(_receipt_json(body.prompt, receipt))

    @routes.post("/api/stations/{station}/undo")
    async def undo(request: Request, station: str, body: Annotated[UndoBody | None, Body()] = None) -> JSONResponse:
        """Steer a station back to the prompt before."""
        queue = _steerable(services, request, station)
        receipt = await queue.undo(_requester(services, request, body.listener if body else None))
        return JSONResponse(_receipt_json(receipt.undone_to, receipt))

    @routes.post("/api/stations/{station}/own-programme")
    async def own_programme(
        request: Request, station: str, body: Annotated[UndoBody | None, Body()] = None
    ) -> JSONResponse:
        """Steer a station back to its own programme: the prompt of the time of day, or the one whose turn it is."""
        queue = _steerable(services, request, station)
        prompt = services.heard_channel(station).station.own_prompt
        receipt = await queue.own_programme(_requester(services, request, body.listener if body else None))
        return JSONResponse(_receipt_json(prompt, receipt))

    return routes


def _steerable(services: Services, request: Request, station: str) -> PromptQueue:
    """The station's queue of requests, if this client may use it.

    Raises:
        NotFound: there is no such station.
        Forbidden: the station is the owner's, and the request has no token; a private stream is its listener's.
        StationBusy: the station sleeps, and as many others play as the machine can.
    """
    policy = services.heard_channel(station).station.config.policy
    if policy == "owner" and not services.owner_token.allows(request.headers):
        raise Forbidden("only the owner may steer this station: Authorization: Bearer …")
    services.channels.awake.admit(station, STEERED_S)  # a sleeping station makes music, too, when it is steered
    return services.prompt_queue(station)


def _may_steer(services: Services, request: Request, station: Station) -> bool:
    """Whether this client's requests are accepted: what the access guard and ``_steerable`` ask for."""
    if services.is_private(station.id):
        return True
    if station.config.policy == "owner":
        return services.owner_token.allows(request.headers)
    return is_owner(request.scope) or services.settings.open_steering


def _requester(services: Services, request: Request, listener: str | None) -> Requester:
    """The client, which has one place in the queue and one vote.

    A listener's id counts only while that listener is connected: ids are the clients' own choice, and invented ones
    must not count as votes. Every other client is known by its address.
    """
    key = client_key(request.scope)
    if listener is not None and services.channels.audience.hears(listener):
        return Requester(key, listener)
    return Requester(key)


def _receipt_json(prompt: str | None, receipt: PromptReceipt) -> dict[str, Any]:
    return {
        "prompt": prompt,
        "understood": _understood_json(receipt.understanding),
        "state": receipt.state,
        "frame": receipt.frame,
        "heard_in_s": round(receipt.heard_in_s, 2),
        "votes": dict(receipt.votes),
    }


def _understood_json(understanding: Understanding) -> dict[str, Any]:
    return {
        "text": understanding.text,
        "data": dict(understanding.understood),
        "ignored": list(understanding.ignored),
        "suggestions": {word: list(known) for word, known in understanding.suggestions.items()},
    }
