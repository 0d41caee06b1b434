"""For the owner, while the server runs: skip a piece, freeze the steering of a station, refuse words in prompts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ...errors import InvalidInput
from ...refused_words import MAX_WORDS, RefusedWords
from ..deps import OWNERS, Services, check_owner
from ..errors import NothingToSkip


class SkipBody(BaseModel):
    """A request to skip a piece; it has no fields."""

    model_config = ConfigDict(extra="forbid")


class FreezeBody(BaseModel):
    """A request to freeze the steering of a station, or to open it again."""

    model_config = ConfigDict(extra="forbid", strict=True)

    frozen: bool = Field(default=True, description="false opens it again")


class WordsBody(BaseModel):
    """The words to refuse from now on, instead of those before."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"words": ["scream", "death metal"]}]})

    words: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        max_length=MAX_WORDS, description="words and phrases that no prompt may have; none: an empty list"
    )


def router(services: Services) -> APIRouter:
    """``skip`` and ``freeze`` of a station, and ``/api/refused-words``."""
    routes = APIRouter(tags=["server"], dependencies=services.checks)

    @routes.post("/api/stations/{station}/skip", responses={409: {"description": "no piece is on air"}})
    async def skip(request: Request, station: str, body: Annotated[SkipBody | None, Body()] = None) -> JSONResponse:
        """Crossfade to another piece of the same prompt within seconds. Needs the admin token."""
        check_owner(request)
        services.channel(station)
        if not await services.prompt_queues[station].skip():
            raise NothingToSkip("no piece is on air that another one could follow; try again when the station plays")
        return JSONResponse({"station": station, "state": "skipping"})

    @routes.post("/api/stations/{station}/freeze")
    async def freeze(request: Request, station: str, body: Annotated[FreezeBody | None, Body()] = None) -> JSONResponse:
        """Accept no request to steer a station, from anybody, until it is opened again. Needs the admin token.

        Requests that wait, and votes, are dropped. ``kept`` tells whether this survives a restart.
        """
        check_owner(request)
        services.channel(station)
        frozen = body is None or body.frozen
        await services.prompt_queues[station].set_frozen(frozen)
        kept = await services.changes.set_frozen(station, frozen)
        return JSONResponse({"station": station, "frozen": frozen, "kept": kept})

    @routes.get("/api/refused-words", responses=OWNERS)
    async def refused_words(request: Request) -> JSONResponse:
        """The words that no prompt may have. Needs the admin token."""
        check_owner(request)
        return JSONResponse({"words": list(services.changes.refused_words.words)})

    @routes.post("/api/refused-words")
    async def refuse_words(request: Request, body: Annotated[WordsBody, Body()]) -> JSONResponse:
        """Replace the list of refused words. Needs the admin token.

        Requests and votes that wait with such a word are dropped; what is on air stays. ``kept`` tells whether this
        survives a restart.
        """
        check_owner(request)
        try:
            words = RefusedWords.parse(",".join(word.replace(",", " ") for word in body.words))
        except ValueError as error:
            raise InvalidInput("words", body.words, f"words with letters or digits ({error})") from None
        for queue in services.prompt_queues.values():
            queue.refuse(words)
        services.channels.refuse(words)
        kept = await services.changes.refuse(words)
        return JSONResponse({"words": list(words.words), "kept": kept})

    return routes
