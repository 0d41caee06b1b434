"""Routes for one station: what it is, what it will play, and wishes for its music."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ...prompt import MAX_PROMPT_CHARS
from ...station import RATE
from ..errors import Forbidden
from ..live.prompt_queue import PromptQueue, PromptReceipt
from ..middleware.auth import OwnerToken
from .radio import ListenerId, channels_of, station_json, station_of

router = APIRouter(tags=["stations"])


class PromptWish(BaseModel):
    """A wish for a station's music."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"prompt": "warm synthwave, no drums"}]}
    )

    prompt: str = Field(description="what the music should turn to", max_length=MAX_PROMPT_CHARS)
    listener: ListenerId = None


class UndoWish(BaseModel):
    """Who wishes to go back."""

    model_config = ConfigDict(extra="forbid", strict=True)

    listener: ListenerId = None


@router.get("/api/stations/{station}")
async def station(request: Request, station: str) -> JSONResponse:
    """A station: now, next, reserve, clock, the queue of wishes."""
    channel = station_of(request, station)
    channels = channels_of(request)
    desk = _desk(request, station)
    epoch = channel.station.epoch
    upcoming = [{"kind": e.kind, "frame": e.frame, **e.data} for e in channel.station.upcoming()]
    return JSONResponse(
        {
            **station_json(channels, channel),
            "rate": RATE,
            "frame": channel.station.edge,
            "epoch": None if epoch is None else {"frame": epoch.frame, "wall": epoch.wall},
            "time": time.time(),
            "reserve_s": round(channel.station.reserve_s, 2),
            "policy": channel.station.config.policy,
            "next": upcoming,
            "waiting": desk.waiting,
            "votes": desk.votes,
        }
    )


@router.post("/api/stations/{station}/prompt")
async def prompt(request: Request, station: str, wish: Annotated[PromptWish, Body()]) -> JSONResponse:
    """Turn a station towards a prompt. It is heard within seconds, or waits for its turn or a vote."""
    desk = _allowed(request, station)
    return JSONResponse(_receipt_json(wish.prompt, await desk.wish(wish.prompt, _who(request, wish.listener))))


@router.post("/api/stations/{station}/undo")
async def undo(request: Request, station: str, wish: Annotated[UndoWish | None, Body()] = None) -> JSONResponse:
    """Turn a station back to the prompt before."""
    desk = _allowed(request, station)
    receipt = await desk.undo(_who(request, wish.listener if wish else None))
    return JSONResponse(_receipt_json(None, receipt))


def _desk(request: Request, station: str) -> PromptQueue:
    station_of(request, station)
    found: PromptQueue = request.app.state.prompt_queues[station]
    return found


def _allowed(request: Request, station: str) -> PromptQueue:
    """The station's desk, if who asks may use it."""
    desk = _desk(request, station)
    owner_token: OwnerToken = request.app.state.owner_token
    if station_of(request, station).station.config.policy == "owner" and not owner_token.allows(request.headers):
        raise Forbidden("only the owner may steer this station: Authorization: Bearer …")
    return desk


def _who(request: Request, listener: str | None) -> str:
    """Whose wish it is: a listener's, who is there, or else an address's.

    Ids are the clients' own choice: one that anybody can think up must not be a vote or a place in the queue.
    """
    if listener is not None and channels_of(request).audience.hears(listener):
        return listener
    return request.client.host if request.client else ""


def _receipt_json(prompt: str | None, receipt: PromptReceipt) -> dict[str, Any]:
    said = receipt.understanding
    return {
        "prompt": prompt,
        "understood": {"text": said.text, "data": dict(said.understood), "ignored": list(said.ignored)},
        "state": receipt.state,
        "frame": receipt.frame,
        "heard_in_s": round(receipt.heard_in_s, 2),
        "votes": dict(receipt.votes),
    }
