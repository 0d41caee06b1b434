"""``POST /api/generate``: a clip, sent while it is made; and ``GET /api/engines``."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from ... import request as music
from ...blocks import ClipFormat
from ...codecs import FORMATS
from ...errors import InvalidInput, LullwaveError
from ...generation import DEFAULT_SECONDS
from ...options import describe
from ...settings import Settings
from ..clip_service import StreamedClip
from ..deps import Services
from ..engine_config import place, published_name, remote_engines
from ..engine_pool import EnginePool
from ..middleware.forwarded import came_by_proxy
from ..schema import field_of, model_of, options_schema


def router(services: Services) -> APIRouter:
    """``/api/generate`` and ``/api/engines``."""
    routes = APIRouter(tags=["music"], dependencies=services.checks)
    settings, engines = services.settings, services.engines
    ClipRequest = _body_model(settings)
    request_schema = ClipRequest.model_json_schema()
    binary = {"schema": {"type": "string", "format": "binary"}}

    async def generate(body: Any) -> Response:
        """A clip of music, sent while it is made."""
        names = engines.names()
        if body.engine not in (*names, *remote_engines(settings).values()):
            raise InvalidInput("engine", body.engine, "one of " + ", ".join(names))
        delivery = ClipFormat(body.format, body.kbps, body.lufs, settings.ceiling_dbtp)
        seed = body.seed if body.seed is not None else music.random_seed()
        request = music.Request(body.prompt, seed, body.duration_s, body.options)
        # Only the owner's requests come this far: with the token, or from this machine alone.
        slot = services.clips.slots.reserve("", owner=True)
        return StreamedClip(services.clips, slot, place(settings, body.engine), request, delivery)

    generate.__annotations__["body"] = Annotated[ClipRequest, Body()]
    routes.add_api_route(
        "/api/generate",
        generate,
        methods=["POST"],
        response_class=Response,
        responses={200: {"content": {f.media_type: binary for f in FORMATS.values()}, "description": "the clip"}},
    )

    @routes.get("/api/engines", name="engines")
    def list_engines(http: HttpRequest) -> JSONResponse:
        """The engines, with the options that a request may set, and the schema of the request itself."""
        names = engines.names()
        return JSONResponse(
            {
                "default": published_name(settings, settings.engine),
                "engines": [_engine_json(engines, name) for name in names],
                "request": request_schema,
                "needs_token": settings.public or bool(came_by_proxy(http.scope)),
            }
        )

    return routes


def _body_model(settings: Settings) -> type[BaseModel]:
    """The body of ``POST /api/generate``: the fields of ``Request``, with the defaults and limits of the settings."""
    delivered = {info.name: info for info in describe(ClipFormat)}
    model = model_of(
        music.Request,
        "ClipRequest",
        {
            "seed": (
                int | None,
                Field(None, ge=0, le=music.MAX_SEED, description="random seed; leave empty for a new one"),
            ),
            "duration_s": (
                float,
                Field(
                    min(DEFAULT_SECONDS, settings.max_generate_s),
                    ge=1,
                    le=settings.max_generate_s,
                    allow_inf_nan=False,
                    description="length in seconds",
                ),
            ),
            "engine": (str, Field(published_name(settings, settings.engine), description="one of GET /api/engines")),
            "format": (
                str,
                Field("mp3", description="file format", json_schema_extra={"enum": [*FORMATS]}),
            ),
            "kbps": field_of(delivered["kbps"]),
            "lufs": field_of(delivered["lufs"], default=settings.loudness_lufs),
            "options": (
                dict[str, Any],
                Field(default_factory=dict, description="the engine's own options, see GET /api/engines"),
            ),
        },
    )
    model.model_config["json_schema_extra"] = {
        "examples": [{"prompt": "rainy night piano", "seed": 7, "duration_s": 30}]
    }
    return model


def _engine_json(engines: EnginePool, name: str) -> dict[str, Any]:
    try:
        found = engines.facts_of(name)
    except LullwaveError as error:
        return {"name": name, "available": False, "why": str(error)}
    can = [*found.audio_prompts, *["midi"] * found.writes_midi, *["stems"] * found.writes_stems]
    options = options_schema(found.options)
    return {"name": name, "available": True, "summary": found.summary, "can": can, "options": options}
