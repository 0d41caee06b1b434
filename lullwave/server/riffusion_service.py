"""Riffusion for HTTP: loads the engine when a request needs it, and submits requests to it. Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..engines.riffusion import legacy_api
from ..errors import CheckpointError, EngineError, InvalidInput, LullwaveError, MissingExtra
from ..options import build, describe
from ..settings import Settings
from .clip_slots import ClipSlots
from .engine_pool import EnginePool

if TYPE_CHECKING:
    from ..codecs import Tags
    from ..engines.riffusion.batch_queue import Job
    from ..engines.riffusion.clip_options import Interpolation
    from ..engines.riffusion.engine import RiffusionEngine
    from ..engines.riffusion.seed_images import SeedImages

ENGINE = "riffusion"
STRANGERS_AT_ONCE = 4  # clips of strangers in the engine's queue, one batch: the rest of its places are the owner's
PER_ADDRESS = 2  # clips that a stranger's address may have made or waiting; Riffusion's page asks for one at a time
INSTALL = "lullwave models pull riffusion/riffusion-model-v1"


class Unready(EngineError):
    """Riffusion cannot be loaded: no checkpoint is installed, or an extra is missing."""


class RiffusionService:
    """The Riffusion engine as the routes use it. Event loop only; all blocking work runs on threads.

    Where the legacy route is open to everybody, strangers' clips have a few places of their own, ``slots``.
    """

    def __init__(self, settings: Settings, engines: EnginePool) -> None:
        self._settings = settings
        self._engines = engines
        self.slots = ClipSlots(STRANGERS_AT_ONCE, settings.max_queue, PER_ADDRESS)

    async def engine(self) -> RiffusionEngine:
        """The engine, loaded by the first call.

        Raises:
            Unready
        """
        try:
            return await asyncio.to_thread(self._engines.get, ENGINE)  # type: ignore[arg-type]
        except (CheckpointError, MissingExtra) as error:
            raise Unready(f"{error}. To install a checkpoint: {INSTALL}") from error

    async def run_inference(self, body: Mapping[str, Any], address: str, owner: bool) -> dict[str, Any]:
        """Make the clip of a legacy request and return the legacy reply; cancelling frees its place in the queue.

        ``address`` is the client's, ``owner`` whether the request is the owner's, which needs no slot.

        Raises:
            Unready
            InvalidInput: a field of ``body`` is wrong or missing.
            Busy: the address has its share of clips, strangers have theirs, or the engine's queue is full.
        """
        engine = await self.engine()
        clip: Interpolation = legacy_api.parse(body)
        if owner:
            return await self._reply(engine, clip)
        slot = self.slots.reserve(address, owner)
        try:
            await slot.turn()
            return await self._reply(engine, clip)
        finally:
            slot.release()

    async def _reply(self, engine: RiffusionEngine, clip: Interpolation) -> dict[str, Any]:
        submitting = asyncio.ensure_future(asyncio.to_thread(engine.submit, clip))
        try:
            job = await asyncio.shield(submitting)
        except asyncio.CancelledError:
            submitting.add_done_callback(_cancel_submitted)  # the thread goes on and takes the place all the same
            raise
        try:
            image = await asyncio.wrap_future(job.result)
        except asyncio.CancelledError:
            job.cancel()
            raise
        return await asyncio.to_thread(legacy_api.reply, engine, clip, image)

    async def seed_images(self) -> SeedImages:
        """The images of the loaded engine, or those in the data directory without a checkpoint."""
        from ..engines.riffusion.seed_images import SeedImages

        try:
            engine: RiffusionEngine = await asyncio.to_thread(self._engines.get, ENGINE)  # type: ignore[arg-type]
        except LullwaveError:
            return SeedImages(self._settings.paths.seed_images)
        return engine.seed_images


def submit_clip(
    engine: RiffusionEngine, body: Mapping[str, Any], progress: Callable[[int, int], None]
) -> tuple[Job, Tags]:
    """Queue the clip that the body of ``POST /api/riffusion/clips`` describes; returns its job and its files' tags.

    Raises:
        InvalidInput: a field is unknown or wrong.
        Busy: the queue is full.
    """
    from ..engines.riffusion.clip_options import ClipOptions

    names = {info.name for info in describe(ClipOptions)}
    options: ClipOptions = build(ClipOptions, {n: v for n, v in body.items() if n in names})
    clip = legacy_api.parse({n: v for n, v in body.items() if v is not None or n != "seed_image_id"}, required=False)
    known = names | {info.name for info in describe(type(clip))} | {"start", "end"}
    for name in body:
        if name not in known:
            raise InvalidInput(name[:80], body[name], "fields named " + ", ".join(sorted(known)))
    from_noise = options.width if body.get("seed_image_id", "") is None else None
    return engine.submit(clip, options.denoising_config(clip), progress, from_noise), clip.tags()


def _cancel_submitted(submitted: asyncio.Future[Job]) -> None:
    if not submitted.cancelled() and submitted.exception() is None:
        submitted.result().cancel()
