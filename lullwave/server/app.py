"""Assembles the web application: routes, middleware, errors, and the start and stop of the stations.

Nothing runs at import.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI

from .. import __version__
from ..clock import Clock, SystemClock
from ..hosts import TrustedProxies
from ..models.pulls import ModelPulls
from ..redaction import redacted
from ..settings import Settings
from . import openapi
from .clip_service import ClipService
from .deps import Services
from .engine_config import load_options, placed, remote_engines
from .engine_pool import EnginePool
from .errors import install
from .hls.shortcut import HlsShortcut
from .jobs.catalogue import tasks_of
from .jobs.queue import JobQueue
from .live.channel import Channel
from .live.channels import Channels
from .live.prewarm import Prewarmer
from .live.prompt_queue import PromptQueue
from .live.prompt_request import Steered
from .middleware.address_limit import AddressLimit
from .middleware.auth import OriginAndTokenGuard, OwnerToken
from .middleware.body_limit import BodyLimit
from .middleware.cors import Cors
from .middleware.forwarded import Forwarded
from .middleware.security_headers import SecurityHeaders
from .owner_changes import OwnerChanges
from .refused_prompts import refuse_words
from .relay.passing import PassingOn
from .riffusion_jobs import ClipJobs
from .routes import (
    clients,
    generate,
    health,
    history,
    hls,
    infinifi,
    jobs,
    metrics,
    models,
    moderation,
    pages,
    playlists,
    private,
    radio,
    riffusion,
    station_links,
    station_settings,
    steering,
)

log = logging.getLogger(__name__)


def create_app(
    settings: Settings, engines: EnginePool | None = None, clock: Clock | None = None, web: Path | None = None
) -> FastAPI:
    """Make an independent application: its stations start and stop with its lifespan.

    ``engines``, ``clock`` and ``web`` replace the installed engines, the system's clock and the packaged page.
    """
    changes = OwnerChanges(settings)
    settings = changes.settings
    engines = engines or EnginePool(options=lambda name, kind: load_options(changes.settings)(name, kind))
    engines.name_remote(remote := remote_engines(settings))
    for name, address in remote.items():
        log.info("engine %s is the inference server at %s", name, redacted(address))
    clips = ClipService(settings, engines)
    pulls = ModelPulls(clock or SystemClock())
    services = Services(settings, engines, clips, ClipJobs(), OwnerToken(settings), changes, pulls)

    def new_queue(channels: Channels, channel: Channel) -> PromptQueue:
        if channels.store is None:
            return PromptQueue(channel, settings)
        from .store.remote_queue import RemoteQueue

        return RemoteQueue(channel, settings, channels.store, channels.clock)

    def queue_maker(name: str) -> Callable[[Steered], PromptQueue]:
        def make(steered: Steered) -> PromptQueue:
            queue = PromptQueue(steered, settings)
            queue.refused, queue.frozen = changes.refused_words, name in changes.frozen
            return queue

        return make

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        channels = Channels(placed(settings), engines, clock or SystemClock(), changes.refused_words)
        services.live = channels
        services.prompt_queues = {name: new_queue(channels, channel) for name, channel in channels.stations.items()}
        channels.audience.watch_leaving(services.forget_votes)
        for name, queue in services.prompt_queues.items():
            queue.refused, queue.frozen = changes.refused_words, name in changes.frozen
        tasks = tasks_of(settings, engines, channels)
        services.jobs = JobQueue(settings, engines, clips.slots, tasks, channels.clock, lambda: changes.refused_words)
        await asyncio.to_thread(services.jobs.start)
        channels.start()
        channels.produce(queue_maker)
        prewarmer = Prewarmer(channels) if channels.store is None else None
        try:
            yield
        finally:
            if prewarmer is not None:
                prewarmer.stop()
            channels.release()
            for queue in services.prompt_queues.values():
                queue.close()
            services.clips.stop()
            services.jobs.stop()
            pulls.cancel()
            services.riffusion_jobs.stop()
            if channels.origin is not None:
                await channels.origin.close()
            await asyncio.to_thread(channels.stop)
            await asyncio.to_thread(engines.close)

    uploads = {**riffusion.UPLOAD_LIMITS, **jobs.UPLOAD_LIMITS}
    app = FastAPI(
        title="Lullwave",
        version=__version__,
        summary="Endless, cosy, self-hosted generative music",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.services = services
    services.checks = [Depends(refuse_words(lambda: changes.refused_words, uploads))]
    install(app)
    for module in (
        radio,
        hls,
        infinifi,
        steering,
        private,
        moderation,
        station_settings,
        history,
        playlists,
        metrics,
        generate,
        jobs,
        models,
        riffusion,
        health,
        clients,
        station_links,
    ):
        app.router.routes += module.router(services).routes  # ``include_router`` would make each route twice
    app.router.routes += pages.router(services, web).routes
    openapi.complete(app)
    if settings.relay:
        app.add_middleware(PassingOn, services=services)
    app.add_middleware(BodyLimit, limit_bytes=settings.max_body_kb * 1024, larger=uploads)
    app.add_middleware(HlsShortcut, services=services)
    app.add_middleware(
        OriginAndTokenGuard, settings=settings, owner_token=services.owner_token, is_private=services.is_private
    )
    app.add_middleware(AddressLimit, audio=settings.max_per_address, clients=services.clients)
    app.add_middleware(Cors, allowed_origins=settings.allowed_origins)
    app.add_middleware(SecurityHeaders)
    trusted = TrustedProxies.parse(settings.trusted_proxies)
    app.add_middleware(Forwarded, trusted=trusted, prefix=settings.root_path)
    return app


def release(app: FastAPI) -> None:
    """End every endless reply of ``app``, so that the server need not wait for open connections."""
    services: Services = app.state.services
    if services.live is not None:
        services.live.release()
    services.clips.stop()
