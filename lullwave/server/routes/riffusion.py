"""Riffusion over HTTP: the old ``/run_inference`` to the letter, and ``/api/riffusion`` in Lullwave's own style.

The old route takes any content type, answers with data URIs, is open to every origin, and frees its place in the
queue when its client goes. The engine is loaded by the first request that needs it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from ...codecs import encode, format_named
from ...engines.riffusion import legacy_api as inference
from ...errors import CheckpointError, EngineError, InvalidInput, LullwaveError, MissingExtra, NotFound
from ...options import describe
from ...settings import Settings
from ..engine_pool import EnginePool
from ..errors import problem, reply
from ..live.responses import until_gone
from ..riffusion_jobs import ClipJob, ClipJobs
from ..schema import options_schema

if TYPE_CHECKING:
    from ...engines.riffusion.batch_queue import Ticket
    from ...engines.riffusion.engine import RiffusionEngine
    from ...engines.riffusion.interpolation import Interpolation

ENGINE = "riffusion"
INSTALL = "lullwave models pull riffusion/riffusion-model-v1"
OPEN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
}
LARGER = {"/api/riffusion/seed-images/": 8 * 1024 * 1024}  # bytes: uploads


def router_for(settings: Settings, engines: EnginePool, clips: ClipJobs) -> APIRouter:
    """The routes. Bodies are read by hand: any content type, and messages in the one shape of errors."""
    router = APIRouter(tags=["riffusion"])

    async def engine() -> RiffusionEngine:
        try:
            return await asyncio.to_thread(engines.get, ENGINE)  # type: ignore[arg-type]
        except (CheckpointError, MissingExtra) as error:
            raise Unready(f"{error}. To install a checkpoint: {INSTALL}") from error

    async def run_inference(request: Request) -> Response:
        """A clip between two prompts, in Riffusion's own form."""
        try:
            body, wrapped = _unwrapped(_json(await request.body()))
            made = await _while_wanted(request, _run(await engine(), inference.parse(body)))
        except LullwaveError as error:
            refused = _refusal(error)
            refused.headers.update(OPEN)
            return refused
        if made is None:
            return Response(status_code=499)  # nobody is there to read it
        return JSONResponse({"output": made} if wrapped else made, headers=OPEN)

    async def preflight() -> Response:
        """What a browser asks before it posts from another origin."""
        return Response(status_code=204, headers=OPEN)

    for path, shown in (("/run_inference/", True), ("/run_inference", False)):
        router.add_api_route(
            path, run_inference, methods=["POST"], include_in_schema=shown, openapi_extra=_old_schema()
        )
        router.add_api_route(path, preflight, methods=["OPTIONS"], include_in_schema=False)

    @router.get("/api/riffusion")
    async def about() -> JSONResponse:
        """The checkpoint, its device, presets, schedulers and the queue."""
        from ...engines.riffusion.options import PRESETS
        from ...engines.riffusion.schedulers import scheduler_names

        ready = await _caught(engine())
        presets = {n: {"scheduler": p.scheduler, "steps": p.steps, "guidance": p.guidance} for n, p in PRESETS.items()}
        said: dict[str, Any] = {"presets": presets, "schedulers": list(scheduler_names())}
        if isinstance(ready, LullwaveError):
            return JSONResponse({"available": False, "why": str(ready), **said})
        queue = {"waiting": ready.workshop.waiting}
        return JSONResponse(
            {"available": True, "checkpoint": ready.checkpoint, "device": ready.device, **queue, **said}
        )

    @router.post("/api/riffusion/clips", status_code=202, openapi_extra=_clip_schema())
    async def begin(request: Request) -> Response:
        """Begin a clip; the reply names it. Without a seed image it is made from noise, ``width`` columns wide."""
        try:
            body = _json(await request.body())
            ready = await engine()
            clip = await clips.begin(ready, lambda progress: _submitted(ready, body, progress))
        except LullwaveError as error:
            return _refusal(error)
        return JSONResponse(clip.json(), 202, headers={"Location": f"/api/riffusion/clips/{clip.id}"})

    @router.get("/api/riffusion/clips/{id}")
    async def state(id: str) -> JSONResponse:
        """How a clip stands."""
        return JSONResponse(clips[id].json())

    @router.delete("/api/riffusion/clips/{id}")
    async def cancel(id: str) -> JSONResponse:
        """Give a clip up; its place in the queue is free at once."""
        clips[id].cancel()
        return JSONResponse(clips[id].json())

    @router.get("/api/riffusion/clips/{id}/events")
    async def events(id: str) -> Response:
        """The clip's progress as server-sent events, until it has ended."""
        return StreamingResponse(
            _events(clips[id]), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    @router.get("/api/riffusion/clips/{id}/image.{format}", response_class=Response)
    async def image(id: str, format: Literal["png", "jpg"]) -> Response:
        """The spectrogram of a finished clip, with its tags."""
        clip = _finished(clips[id])
        assert clip.image is not None
        ready = await engine()
        kind = "JPEG" if format == "jpg" else "PNG"
        data = await asyncio.to_thread(inference.encoded, clip.image, kind, ready.sound.exif())
        return Response(data, media_type=f"image/{kind.lower()}")

    @router.get("/api/riffusion/clips/{id}/audio.{format}", response_class=Response)
    async def audio(id: str, format: str) -> Response:
        """The sound of a finished clip: wav, flac, mp3, ogg or opus."""
        named = format_named(format)
        clip = _finished(clips[id])
        assert clip.audio is not None
        data = await asyncio.to_thread(encode, clip.audio, named.name, inference.KBPS)
        return Response(data, media_type=named.media_type)

    @router.get("/api/riffusion/seed-images")
    async def images() -> JSONResponse:
        """The seed images and masks that there are."""
        found = (await _images(engines, settings)).list()
        return JSONResponse({"images": [vars(one) for one in found]})

    @router.get("/api/riffusion/seed-images/{name}", response_class=Response)
    async def one_image(name: str) -> Response:
        """A seed image or mask as PNG."""
        store = await _images(engines, settings)
        data = await asyncio.to_thread(lambda: inference.encoded(store(name), "PNG"))
        return Response(data, media_type="image/png")

    @router.put("/api/riffusion/seed-images/{name}", openapi_extra=_UPLOAD)
    async def add_image(name: str, request: Request) -> JSONResponse:
        """Keep an image: the bytes of a PNG or JPEG; only its pixels are kept."""
        data = await request.body()
        store = await _images(engines, settings)
        return JSONResponse(vars(await asyncio.to_thread(store.add, name, data)))

    return router


class Unready(EngineError):
    """There is no checkpoint to answer with."""


def _refusal(error: LullwaveError) -> JSONResponse:
    if isinstance(error, Unready):
        return problem(503, str(error), "checkpoint", INSTALL, {"Retry-After": "60"})
    return reply(error)


async def _caught(work: Any) -> Any:
    """The result, or the error as a value."""
    try:
        return await work
    except LullwaveError as error:
        return error


def _json(data: bytes) -> Mapping[str, Any]:
    """The object in a body of whatever content type.

    Raises:
        InvalidInput: it is not JSON, or no object.
    """
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("body", data[:40], f"a JSON object ({error})") from None
    if not isinstance(body, dict):
        raise InvalidInput("body", body, "a JSON object")
    return body


def _unwrapped(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Baseten puts the request into ``worklet_input``."""
    if "worklet_input" not in body:
        return body, False
    inner = body["worklet_input"]
    if not isinstance(inner, dict):
        raise InvalidInput("worklet_input", inner, "a JSON object")
    return inner, True


async def _run(engine: RiffusionEngine, wish: Interpolation) -> dict[str, Any]:
    taking = asyncio.ensure_future(asyncio.to_thread(engine.submit, wish))
    try:
        ticket = await asyncio.shield(taking)
    except asyncio.CancelledError:
        taking.add_done_callback(_give_up)  # the place is taken on a thread all the same
        raise
    try:
        image = await asyncio.wrap_future(ticket.result)
    except asyncio.CancelledError:
        ticket.cancel()
        raise

    return await asyncio.to_thread(inference.reply, engine, image)


def _give_up(taken: asyncio.Future[Ticket]) -> None:
    if not taken.cancelled() and taken.exception() is None:
        taken.result().cancel()


async def _while_wanted(request: Request, work: Any) -> dict[str, Any] | None:
    """The result of ``work``, or None when the client has gone first."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(until_gone(request.receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            made: dict[str, Any] = working.result()
            return made
        return None
    finally:
        for task in (working, gone):
            task.cancel()
            with suppress(asyncio.CancelledError, LullwaveError):
                await task


def _submitted(engine: RiffusionEngine, body: Mapping[str, Any], progress: Callable[[int, int], None]) -> Any:
    """A place in the queue for a body of ``POST /api/riffusion/clips``."""
    from ...engines.riffusion.clip import ClipOptions
    from ...options import build

    names = {info.name for info in describe(ClipOptions)}
    options: ClipOptions = build(ClipOptions, {n: v for n, v in body.items() if n in names})
    wish = inference.parse({n: v for n, v in body.items() if v is not None or n != "seed_image_id"}, required=False)
    known = names | {info.name for info in describe(type(wish))} | {"start", "end"}
    for name in body:
        if name not in known:
            raise InvalidInput(name[:80], body[name], "fields named " + ", ".join(sorted(known)))
    from_noise = options.width if body.get("seed_image_id", "") is None else None
    return engine.submit(wish, options.plan(wish), progress, from_noise)


def _finished(clip: ClipJob) -> ClipJob:
    if clip.error is not None:
        raise clip.error
    if clip.state != "done":
        raise NotFound("finished clip", clip.id)
    return clip


async def _events(clip: ClipJob) -> AsyncIterator[str]:
    async for said in clip.changes():
        yield f"event: {said['state']}\ndata: {json.dumps(said)}\n\n"


async def _images(engines: EnginePool, settings: Settings) -> Any:
    """The loaded engine's images, or those that are there without a checkpoint."""
    ready = await _caught(asyncio.to_thread(engines.get, ENGINE))
    if not isinstance(ready, LullwaveError):
        return ready.seed_images
    from ...engines.riffusion.seed_images import SeedImages

    return SeedImages(settings.paths.seed_images)


_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", "image/jpeg")},
    }
}


def _properties(options: type, **changes: Any) -> dict[str, Any]:
    """JSON schemas of the fields of an option class."""
    return {**options_schema(options)["properties"], **changes}


def _old_schema() -> dict[str, Any]:
    from ...engines.riffusion.interpolation import End, Interpolation

    end = {"type": "object", "required": ["prompt", "seed"], "properties": _properties(End)}
    body = {
        "type": "object",
        "required": ["start", "end", "alpha"],
        "properties": _properties(Interpolation, start=end, end=end),
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}


def _clip_schema() -> dict[str, Any]:
    from ...engines.riffusion.clip import ClipOptions
    from ...engines.riffusion.interpolation import End, Interpolation

    end = {"type": "object", "required": ["prompt", "seed"], "properties": _properties(End)}
    fields = {**_properties(Interpolation, start=end, end=end), **_properties(ClipOptions)}
    fields["seed_image_id"] = {"anyOf": [fields["seed_image_id"], {"type": "null"}], "default": "og_beat"}
    body = {"type": "object", "required": ["start"], "properties": fields, "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}
