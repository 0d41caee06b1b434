"""What several routes share: the services of the application, common parameters, and a station as JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Query, Request, params

from ..errors import NotFound
from ..models.pulls import ModelPulls
from ..settings import Settings
from .clients import Clients, client_key
from .clip_service import ClipService
from .engine_pool import EnginePool
from .errors import Forbidden, Full
from .hls.replies import HlsReplies
from .jobs.queue import JobQueue
from .live.channel import Channel
from .live.channels import Channels
from .live.prompt_queue import PromptQueue
from .middleware.auth import OwnerToken
from .owner_changes import OwnerChanges
from .ownership import is_owner, published
from .riffusion_jobs import ClipJobs

LISTENER = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
ListenerId = Annotated[
    str | None,
    Query(
        pattern=LISTENER.pattern,
        description="an id that the client chose, such as a UUID; joins its audio, its events and its socket",
    ),
]
AUDIO: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/mpeg": {"schema": {"type": "string", "format": "binary"}}}, "description": "MP3"}
}

OWNERS: dict[int | str, dict[str, Any]] = {403: {"description": "needs the admin token"}}


@dataclass
class Services:
    """Everything that the routes use, made by ``create_app``. Event loop only.

    The stations and the queue of jobs exist from the start of the application to its end: ``live``, ``prompt_queues``
    and ``jobs`` are set then.
    """

    settings: Settings
    engines: EnginePool
    clips: ClipService
    riffusion_jobs: ClipJobs
    owner_token: OwnerToken
    changes: OwnerChanges
    pulls: ModelPulls
    checks: list[params.Depends] = field(default_factory=list)  # of every request, before its route
    clients: Clients = field(default_factory=Clients)
    hls_replies: HlsReplies = field(default_factory=HlsReplies)
    live: Channels | None = None
    jobs: JobQueue | None = None
    prompt_queues: dict[str, PromptQueue] = field(default_factory=dict)  # by station id

    @property
    def channels(self) -> Channels:
        """All stations of the running application."""
        assert self.live is not None, "the application has not started"
        return self.live

    def forget_votes(self, listener: str) -> None:
        """Drop the votes of a listener that has left."""
        for queue in self.prompt_queues.values():
            queue.forget(listener)

    def channel(self, station: str) -> Channel:
        """A station by its id; no private stream.

        Raises:
            NotFound: there is no such station.
        """
        stations = self.channels.stations
        if station not in stations:
            raise NotFound("station", station[:64], stations)
        return stations[station]

    def heard_channel(self, id: str) -> Channel:
        """A station, or the private stream of a client that knows its id.

        Raises:
            NotFound: there is neither.
        """
        return self.channels.private[id].channel if self.is_private(id) else self.channel(id)

    def prompt_queue(self, id: str) -> PromptQueue:
        """The requests for a station or a private stream.

        Raises:
            NotFound: there is neither.
        """
        if self.is_private(id):
            return self.channels.private[id].queue
        self.channel(id)
        return self.prompt_queues[id]

    def is_private(self, id: str) -> bool:
        """Tell whether an id is that of a private stream."""
        return self.live is not None and id in self.live.private


def check_owner(request: Request) -> None:
    """Refuse a request that is not the owner's.

    Raises:
        Forbidden
    """
    if not is_owner(request.scope):
        raise Forbidden("only the owner may do this: Authorization: Bearer … with the admin token (setting token)")


def check_room(services: Services, channel: Channel, request: Request) -> None:
    """Refuse one more audio connection to a station.

    Raises:
        Full: the station or the client's address has as many as it may have.
    """
    channels, settings = services.channels, services.settings
    if channels.audience.connections(channel.station.id) >= settings.max_listeners:
        raise Full("the station is full: it has as many listeners as it may have")
    if channels.by_address[client_key(request.scope)] >= settings.max_per_address:
        raise Full(f"your address has {settings.max_per_address} audio connections, as many as it may have")


def station_json(channels: Channels, channel: Channel, request: Request) -> dict[str, Any]:
    """A station and what it plays now, as the request's client may see it."""
    station = channel.station
    facts = {
        "id": station.id,
        "name": station.config.title,
        "prompt": station.prompt,
        "engine": station.playing_engine,
        "listeners": channels.audience.people(station.id),
        "state": station.state,
        "busy": channels.awake.busy(station.id),
        "steered": station.steered,
        "scene": channel.scenery.latest.data(),
        **published(station.failover.data(), request.scope),
        "stream": f"{request.scope['root_path']}/stations/{station.id}/stream.mp3",
        "hls": f"{request.scope['root_path']}/stations/{station.id}/hls/index.m3u8"
        if channel.hls is not None
        else None,
        "now": now_json(channel),
    }
    return channel.counted(facts)


def now_json(channel: Channel) -> dict[str, Any]:
    """The piece that is on air."""
    station, now = channel.station, channel.station.now
    data = now.data if now is not None else {}
    return {
        "title": data.get("title", ""),
        "tempo_bpm": data.get("tempo_bpm"),
        "metre": data.get("metre"),
        "key": data.get("key"),
        "prompt": data.get("prompt", station.prompt),
        "frame": station.edge,
        "frames": data.get("frames"),
        "started_frame": now.started_frame if now is not None else None,
    }
