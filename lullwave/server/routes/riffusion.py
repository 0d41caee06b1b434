"""Riffusion over HTTP: the Riffusion-compatible ``/run_inference``, and ``/api/riffusion`` in Lullwave's own style.

``/run_inference`` accepts any content type, replies with data URIs, is open to every origin, and frees its place in
the queue when its client disconnects. The engine is loaded by the first request that needs it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from ...codecs import encode, format_named
from ...engines.riffusion import legacy_api
from ...errors import InvalidInput, LullwaveError, NotFound
from .. import streaming
from ..clients import client_key
from ..deps import Services
from ..errors import problem, reply
from ..ownership import is_owner
from ..riffusion_jobs import ClipJob
from ..riffusion_service import INSTALL, RiffusionService, Unready, submit_clip
from ..schema import options_schema
from ..streaming import while_connected

CORS_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
}
UPLOAD_LIMITS = {"/api/riffusion/seed-images/": 8 * 1024 * 1024}  # bytes of a body, by the start of its path


def router(services: Services) -> APIRouter:
    """The routes. They parse bodies themselves: any content type is accepted, and errors have their usual form."""
    clips = services.riffusion_jobs
    riffusion = RiffusionService(services.settings, services.engines)
    routes = APIRouter(tags=["riffusion"], dependencies=services.checks)

    async def run_inference(request: Request) -> Response:
        """A clip between two prompts, compatible with Riffusion's own server."""
        try:
            body, wrapped = _unwrapped(_json(await request.body()))
            work = riffusion.run_inference(body, client_key(request.scope), is_owner(request.scope))
            made = await while_connected(work, request.receive)
        except LullwaveError as error:
            refused = _refusal(error, request)
            refused.headers.update(CORS_HEADERS)
            return refused
        if made is None:
            return Response(status_code=499)  # the client has disconnected
        return JSONResponse({"output": made} if wrapped else made, headers=CORS_HEADERS)

    async def preflight() -> Response:
        """Answer the CORS preflight of a browser."""
        return Response(status_code=204, headers=CORS_HEADERS)

    for path, shown in (("/run_inference/", True), ("/run_inference", False)):
        routes.add_api_route(
            path, run_inference, methods=["POST"], include_in_schema=shown, openapi_extra=_legacy_schema()
        )
        routes.add_api_route(path, preflight, methods=["OPTIONS"], include_in_schema=False)

    @routes.get("/api/riffusion")
    async def about() -> JSONResponse:
        """The checkpoint, its device, presets, schedulers and the queue."""
        from ...engines.riffusion.options import PRESETS
        from ...engines.riffusion.schedulers import scheduler_names

        presets = {n: {"scheduler": p.scheduler, "steps": p.steps, "guidance": p.guidance} for n, p in PRESETS.items()}
        choices: dict[str, Any] = {"presets": presets, "schedulers": list(scheduler_names())}
        try:
            engine = await riffusion.engine()
        except LullwaveError as error:
            return JSONResponse({"available": False, "why": str(error), **choices})
        facts = {"checkpoint": engine.checkpoint, "device": engine.device, "waiting": engine.queue.waiting}
        return JSONResponse({"available": True, **facts, **choices})

    @routes.post("/api/riffusion/clips", status_code=202, openapi_extra=_clip_schema())
    async def begin(request: Request) -> Response:
        """Start a clip; the reply holds its id. Without a seed image it is made from noise, ``width`` columns wide."""
        try:
            body = _json(await request.body())
            engine = await riffusion.engine()
            clip = await clips.begin(engine, lambda progress: submit_clip(engine, body, progress))
        except LullwaveError as error:
            return _refusal(error, request)
        return JSONResponse(clip.json(), 202, headers={"Location": f"/api/riffusion/clips/{clip.id}"})

    @routes.get("/api/riffusion/clips/{id}")
    async def state(id: str) -> JSONResponse:
        """The state of a clip."""
        return JSONResponse(clips[id].json())

    @routes.delete("/api/riffusion/clips/{id}")
    async def cancel(id: str) -> JSONResponse:
        """Cancel a clip; its place in the queue is free at once."""
        clips[id].cancel()
        return JSONResponse(clips[id].json())

    @routes.get("/api/riffusion/clips/{id}/events")
    async def events(id: str) -> Response:
        """The clip's progress as server-sent events, until it has ended."""
        return StreamingResponse(_events(clips[id]), media_type=streaming.EVENTS_TYPE, headers=streaming.EVENTS_HEADERS)

    @routes.get("/api/riffusion/clips/{id}/image.{format}", response_class=Response)
    async def image(id: str, format: Literal["png", "jpg"]) -> Response:
        """The spectrogram of a finished clip, with its tags."""
        clip = _finished(clips[id])
        assert clip.image is not None
        assert clip.tags is not None
        engine = await riffusion.engine()
        kind = "JPEG" if format == "jpg" else "PNG"
        data = await asyncio.to_thread(legacy_api.encode_image, clip.image, kind, engine.converter.exif(), clip.tags)
        return Response(data, media_type=f"image/{kind.lower()}")

    @routes.get("/api/riffusion/clips/{id}/audio.{format}", response_class=Response)
    async def audio(id: str, format: str) -> Response:
        """The sound of a finished clip: wav, flac, mp3, ogg or opus."""
        named = format_named(format)
        clip = _finished(clips[id])
        assert clip.audio is not None
        data = await asyncio.to_thread(encode, clip.audio, named.name, legacy_api.KBPS, clip.tags)
        return Response(data, media_type=named.media_type)

    @routes.get("/api/riffusion/seed-images")
    async def images() -> JSONResponse:
        """The seed images and masks."""
        found = (await riffusion.seed_images()).list()
        return JSONResponse({"images": [vars(one) for one in found]})

    @routes.get("/api/riffusion/seed-images/{name}", response_class=Response)
    async def one_image(name: str) -> Response:
        """A seed image or mask as PNG."""
        store = await riffusion.seed_images()
        data = await asyncio.to_thread(lambda: legacy_api.encode_image(store(name), "PNG"))
        return Response(data, media_type="image/png")

    @routes.put("/api/riffusion/seed-images/{name}", openapi_extra=_UPLOAD)
    async def add_image(name: str, request: Request) -> JSONResponse:
        """Keep an image: the bytes of a PNG or JPEG; only its pixels are kept."""
        data = await request.body()
        store = await riffusion.seed_images()
        return JSONResponse(vars(await asyncio.to_thread(store.add, name, data)))

    return routes


def _refusal(error: LullwaveError, request: Request) -> JSONResponse:
    if isinstance(error, Unready):
        return problem(503, str(error), "checkpoint", INSTALL, {"Retry-After": "60"})
    return reply(error, request.scope)


def _json(data: bytes) -> Mapping[str, Any]:
    """Parse the JSON object in a body of any content type.

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
    """The request, and whether it was wrapped in ``worklet_input`` as Baseten does."""
    if "worklet_input" not in body:
        return body, False
    inner = body["worklet_input"]
    if not isinstance(inner, dict):
        raise InvalidInput("worklet_input", inner, "a JSON object")
    return inner, True


def _finished(clip: ClipJob) -> ClipJob:
    if clip.error is not None:
        raise clip.error
    if clip.state != "done":
        raise NotFound("finished clip", clip.id)
    return clip


async def _events(clip: ClipJob) -> AsyncIterator[str]:
    async for status in clip.changes(streaming.HEARTBEAT_S):
        yield streaming.event_text(status["state"], status)


_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", "image/jpeg")},
    }
}


def _properties(options: type, **changes: Any) -> dict[str, Any]:
    """JSON schemas of the fields of an option class."""
    return {**options_schema(options)["properties"], **changes}


def _legacy_schema() -> dict[str, Any]:
    from ...engines.riffusion.clip_options import Interpolation, PromptInput

    end = {"type": "object", "required": ["prompt", "seed"], "properties": _properties(PromptInput)}
    body = {
        "type": "object",
        "required": ["start", "end", "alpha"],
        "properties": _properties(Interpolation, start=end, end=end),
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}


def _clip_schema() -> dict[str, Any]:
    from ...engines.riffusion.clip_options import ClipOptions, Interpolation, PromptInput

    end = {"type": "object", "required": ["prompt", "seed"], "properties": _properties(PromptInput)}
    fields = {**_properties(Interpolation, start=end, end=end), **_properties(ClipOptions)}
    fields["seed_image_id"] = {"anyOf": [fields["seed_image_id"], {"type": "null"}], "default": "og_beat"}
    body = {"type": "object", "required": ["start"], "properties": fields, "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}
