"""The web application, put together: routes, limits, errors, and the stations' life; nothing runs at import."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from .. import __version__
from ..clock import Clock, SystemClock
from ..settings import Settings
from . import errors as problems
from . import openapi
from .clip_service import ClipService
from .engine_config import load_options, placed
from .engine_pool import EnginePool
from .live.channel import Channels
from .live.prewarm import Prewarmer
from .live.prompt_queue import PromptQueue
from .middleware.address_limit import BESIDE_AUDIO, AddressLimit
from .middleware.auth import OriginAndTokenGuard, OwnerToken
from .middleware.body_limit import BodyLimit
from .middleware.prefix import Prefix
from .riffusion_jobs import ClipJobs
from .routes import generate, health, metrics, pages, radio, riffusion, steering
from .routes import history as past
from .routes import playlists as directory
from .routes.pages import SecurityHeaders


def create_app(
    settings: Settings, engines: EnginePool | None = None, clock: Clock | None = None, web: Path | None = None
) -> FastAPI:
    """An application of its own: its stations start and stop with its lifespan.

    ``engines``, ``clock`` and ``web`` replace the installed engines, the system's clock and the packaged page.
    """
    engines = engines or EnginePool(options=load_options(settings))
    clips = ClipService(settings, engines)
    riffusion_jobs = ClipJobs()
    owner_token = OwnerToken(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        channels = Channels(placed(settings), engines, clock or SystemClock())
        app.state.channels = channels
        app.state.prompt_queues = {name: PromptQueue(channel, settings) for name, channel in channels.stations.items()}
        channels.start()
        prewarmer = Prewarmer(channels)
        try:
            yield
        finally:
            prewarmer.stop()
            channels.release()
            for prompt_queue in app.state.prompt_queues.values():
                prompt_queue.close()
            clips.stop()
            riffusion_jobs.stop()
            await asyncio.to_thread(channels.stop)
            await asyncio.to_thread(engines.close)

    app = FastAPI(
        title="Lullwave",
        version=__version__,
        summary="Endless, cosy, self-hosted generative music",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.clips = clips
    app.state.owner_token = owner_token
    problems.install(app)
    app.include_router(radio.router)
    app.include_router(steering.router)
    app.include_router(past.router)
    app.include_router(directory.router)
    app.include_router(metrics.router)
    app.include_router(generate.router_for(settings, engines, clips))
    app.include_router(riffusion.router_for(settings, engines, riffusion_jobs))
    app.include_router(health.router)
    app.include_router(pages.router_for(web))
    openapi.complete(app)
    app.add_middleware(BodyLimit, limit_bytes=settings.max_body_kb * 1024, larger=riffusion.LARGER)
    app.add_middleware(OriginAndTokenGuard, settings=settings, owner_token=owner_token)
    app.add_middleware(AddressLimit, most=BESIDE_AUDIO * settings.max_per_address)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Prefix, prefix=settings.root_path)
    return app


def release(app: FastAPI) -> None:
    """Let every endless reply of ``app`` end, before the server waits for open connections."""
    channels: Channels | None = getattr(app.state, "channels", None)
    if channels is not None:
        channels.release()
    app.state.clips.stop()
