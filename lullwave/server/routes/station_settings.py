"""For the owner, while the server runs: add a station, change its settings, remove it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from ...engines import plain_name
from ...engines.remote.options import check_address, is_address
from ...errors import InvalidInput, UnknownEngine, Unsupported
from ...redaction import redacted
from ...settings import MAX_STATIONS
from ...settings.stations import StationSettings
from ..deps import Services, check_owner
from ..engine_config import check_options, place
from ..live.prompt_queue import PromptQueue

Changes = Annotated[
    dict[str, Any],
    Body(
        description="settings of the station, as in the settings file; what is left out stays as it is",
        examples=[{"prompts": ["nylon guitar, sleepy"], "ambience": ["rain"]}],
    ),
]


def router(services: Services) -> APIRouter:
    """``POST /api/stations``, and ``PATCH`` and ``DELETE`` of a station."""
    routes = APIRouter(tags=["server"], dependencies=services.checks)

    @routes.post("/api/stations", status_code=201)
    async def add(request: Request, body: Annotated[StationSettings, Body()]) -> JSONResponse:
        """Add a station. Needs the admin token.

        ``kept`` tells whether this survives a restart, ``after_restart`` which engines load with other options then.
        """
        check_owner(request)
        _check_own(services)
        channels = services.channels
        if body.id in channels.stations:
            raise InvalidInput("id", body.id, "an id that no station has; PATCH changes a station")
        if len(channels.stations) >= MAX_STATIONS:
            raise InvalidInput("id", body.id, f"at most {MAX_STATIONS} stations; remove one first")
        _check(services, body)
        services.changes.set_station(body.id, body)
        channel = channels.add(_placed(services, body))
        queue = services.prompt_queues[body.id] = PromptQueue(channel, services.settings)
        queue.refused = services.changes.refused_words
        return await _saved(services, body, 201)

    @routes.patch("/api/stations/{station}")
    async def change(request: Request, station: str, body: Changes) -> JSONResponse:
        """Change settings of a station. Needs the admin token.

        Another engine, another seed and other prompts are crossfaded in; listeners stay connected. ``kept`` tells
        whether this survives a restart, ``after_restart`` which engines load with other options then.
        """
        check_owner(request)
        _check_own(services)
        channel = services.channel(station)
        if body.get("id", station) != station:
            raise InvalidInput("id", body["id"], "the id that the station has; add another station instead")
        before = services.changes.stations[station]
        config = _validated({**before.model_dump(), **body})
        _check(services, config)
        services.changes.set_station(station, config)
        channel.station.configure(_placed(services, config))
        channel.follow_settings()
        services.channels.awake.update()
        return await _saved(services, config, 200)

    @routes.delete("/api/stations/{station}")
    async def remove(request: Request, station: str) -> JSONResponse:
        """Remove a station: its listeners' connections end. Needs the admin token. Not the default station."""
        check_owner(request)
        _check_own(services)
        channels = services.channels
        services.channel(station)
        if station == channels.default.station.id:
            raise InvalidInput("station", station, "any but the default station; see the setting station")
        services.prompt_queues.pop(station).close()
        gone = channels.remove(station)
        services.changes.set_station(station, None)
        kept = await services.changes.save()
        await asyncio.to_thread(channels.finish, gone)
        return JSONResponse({"removed": station, "kept": kept})

    return routes


def _check_own(services: Services) -> None:
    """Refuse to change stations that other servers serve, too.

    Raises:
        Unsupported
    """
    if services.settings.store:
        reason = "servers that share a store take their stations from their settings; change those, and restart them"
        raise Unsupported("stations", "", reason)


def _validated(values: Mapping[str, Any]) -> StationSettings:
    try:
        return StationSettings.model_validate(values)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from None


def _check(services: Services, config: StationSettings) -> None:
    """Check what the settings of a station cannot check by themselves.

    Raises:
        UnknownEngine: its engine is not installed.
        InvalidInput: the address of its engine makes no sense, its engine does not know one of ``engine_options``, or
            nobody could steer it.
    """
    engine, known = config.engine, services.engines.names()
    if is_address(engine):
        try:
            check_address(engine)
        except InvalidInput as error:
            raise InvalidInput("engine", redacted(engine), error.allowed) from None
    elif engine and plain_name(engine) not in known:
        raise UnknownEngine(engine, known)
    check_options(services.changes.settings_with(config))
    if config.policy == "owner" and not services.owner_token.given:
        raise InvalidInput("policy", "owner", "everyone or vote, as long as the setting token is empty")


def _placed(services: Services, config: StationSettings) -> StationSettings:
    """The settings with the name under which the pool loads the engine."""
    engine = config.engine
    if engine:
        named = services.engines.name_address(engine) if is_address(engine) else place(services.settings, engine)
        return config.model_copy(update={"engine": named})
    return config


async def _saved(services: Services, config: StationSettings, status: int) -> JSONResponse:
    """Write the changes down, and tell what they are and what a restart does to them."""
    kept = await services.changes.save()
    shown = {**config.model_dump(mode="json"), "engine": redacted(config.engine)}  # an address may hold a token
    told = {"station": shown, "kept": kept, "after_restart": services.engines.outdated()}
    return JSONResponse(told, status)
