"""``/api/jobs``: the jobs of the Studio, created by task and fields, and their results, kept for their visitor."""

from __future__ import annotations

import asyncio
import mimetypes
import re
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from ...codecs import FORMATS, blocks_of
from ...errors import CodecError, InvalidInput
from ...spectrogram.image import open_image
from ..clients import client_key
from ..deps import Services
from ..errors import problem
from ..jobs.file_tasks import check_length
from ..jobs.job import Job, Result
from ..jobs.queue import JobQueue
from ..jobs.store import UNFINISHED
from ..jobs.task import InvalidFields
from ..jobs.visitors import visitor_of
from ..jobs.work import AUDIO_SUFFIXES, result_of
from ..ownership import is_owner

FILES = "/api/jobs/files"
UPLOAD_LIMITS = {FILES: 64 * 1024 * 1024}  # bytes of a body: six minutes of 44.1 kHz stereo WAV
MAX_UPLOAD_S = 1800.0  # seconds of sound in a file
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MAX_PIXELS = 512 * 60_000  # of an image
_UNSAFE = re.compile(r"[^\w.-]+", re.ASCII)
_TYPES = {".mid": "audio/midi", ".json": "application/json", **{one.suffix: one.media_type for one in FORMATS.values()}}


class JobBody(BaseModel):
    """A job to make."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"task": "text", "fields": {"prompt": "rainy night piano", "seed": 7, "duration_s": 20}}]
        },
    )

    task: str = Field(max_length=64, description="one of GET /api/jobs/tasks")
    fields: dict[str, Any] = Field(default_factory=dict, description="the fields that differ from their defaults")


class PinBody(BaseModel):
    """Whether to keep a job."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"pinned": True}]})

    pinned: bool = Field(description="a pinned job is never deleted to make room for others")


def router(services: Services) -> APIRouter:
    """The routes. A visitor without a key gets one with what it creates first: nothing is lost if replies cross."""
    routes = APIRouter(tags=["studio"], dependencies=services.checks)

    def queue() -> JobQueue:
        assert services.jobs is not None, "the application has not started"
        return services.jobs

    def found(request: Request, id: str) -> Job:
        return queue().store.get(visitor_of(request).id, id)

    @routes.get("/api/jobs")
    async def jobs(request: Request) -> JSONResponse:
        """The visitor's own jobs, newest first, and how much of the space for results they take and may take."""
        visitor = visitor_of(request)
        store = queue().store
        body = {
            "jobs": [queue().data(job) for job in store.of(visitor.id)],
            "used_bytes": store.used_bytes(visitor.id),
            "most_bytes": store.visitor_bytes,
            "most_pinned_bytes": store.most_pinned_bytes,
            "most_pinned": store.most_pinned,
            "may_make": is_owner(request.scope) or services.settings.open_studio,
        }
        return JSONResponse(body, headers=_NO_STORE)

    @routes.get("/api/jobs/tasks")
    async def tasks() -> JSONResponse:
        """The tasks, each with the JSON schema of its fields. One that cannot be done here has `why` instead."""
        listed = []
        for task in queue().tasks.values():
            lacking = await asyncio.to_thread(task.lacking)
            listed.append(
                {
                    "name": task.name,
                    "summary": task.summary,
                    "available": lacking is None,
                    "why": None if lacking is None else str(lacking),
                    "fields": task.schema(),
                    "files": dict(task.files),
                    "takes_engine": task.takes_engine,
                }
            )
        return JSONResponse({"tasks": listed}, headers=_NO_STORE)

    @routes.post("/api/jobs", status_code=202)
    async def create(request: Request, body: Annotated[JobBody, Body()]) -> Response:
        """Put a job into the queue. 422 marks every wrong field in `errors`."""
        visitor = visitor_of(request)
        address = client_key(request.scope)
        try:
            job = queue().create(visitor.id, address, is_owner(request.scope), body.task, body.fields)
        except InvalidFields as error:
            return visitor.tell(_wrong_fields(error), request)
        headers = {"Location": f"/api/jobs/{job.id}"}
        return visitor.tell(JSONResponse(queue().data(job), 202, headers=headers), request)

    @routes.post(FILES, status_code=201, openapi_extra=_UPLOAD)
    async def upload(
        request: Request,
        name: Annotated[str, Query(max_length=255, description="the file's name; its ending tells the format")],
    ) -> Response:
        """Bring a sound or an image as input of a task: the bytes of the file. It is kept like a result."""
        visitor = visitor_of(request)
        if not is_owner(request.scope):
            queue().check_pace(client_key(request.scope))
        root = services.settings.paths.studio
        await asyncio.to_thread(root.mkdir, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=UNFINISHED) as folder:
            path = Path(folder) / _plain(name)
            with path.open("wb") as file:
                async for part in request.stream():
                    await asyncio.to_thread(file.write, part)
            result = await asyncio.to_thread(_checked, path)
            job = queue().keep_file(visitor.id, is_owner(request.scope), path, result)
        return visitor.tell(JSONResponse(queue().data(job), 201), request)

    @routes.get("/api/jobs/{id}")
    async def one(request: Request, id: str) -> JSONResponse:
        """One of the visitor's jobs."""
        return JSONResponse(queue().data(found(request, id)), headers=_NO_STORE)

    @routes.post("/api/jobs/{id}/cancel")
    async def cancel(request: Request, id: str) -> JSONResponse:
        """Cancel a job; one that has ended stays as it is."""
        job = found(request, id)
        queue().cancel(job)
        return JSONResponse(queue().data(job))

    @routes.post("/api/jobs/{id}/retry", status_code=202)
    async def retry(request: Request, id: str) -> JSONResponse:
        """Make a job again that failed or was cancelled."""
        job = found(request, id)
        queue().retry(job, client_key(request.scope), is_owner(request.scope))
        return JSONResponse(queue().data(job), 202)

    @routes.post("/api/jobs/{id}/pin")
    async def pin(request: Request, id: str, body: Annotated[PinBody, Body()]) -> JSONResponse:
        """Keep a job and its results, or let them go when room is needed."""
        job = found(request, id)
        queue().store.pin(job, body.pinned)
        return JSONResponse(queue().data(job))

    @routes.delete("/api/jobs/{id}", status_code=204)
    async def delete(request: Request, id: str) -> Response:
        """Delete a job and its results; it is cancelled first."""
        queue().delete(found(request, id))
        return Response(status_code=204)

    @routes.get("/api/jobs/{id}/files/{name}", response_class=FileResponse)
    async def file(request: Request, id: str, name: str) -> Response:
        """A result of one of the visitor's jobs: a sound, an image, MIDI; byte ranges are allowed."""
        path = queue().store.file(found(request, id), name)
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        headers = {"Cache-Control": "private, max-age=86400, immutable"}  # a finished job is never made again
        return FileResponse(
            path, media_type=kind, filename=path.name, headers=headers, content_disposition_type="inline"
        )

    return routes


_NO_STORE = {"Cache-Control": "no-store"}


def _wrong_fields(error: InvalidFields) -> JSONResponse:
    """The usual reply about the first wrong field, with ``errors`` about each."""
    listed = [{"field": one.field, "message": str(one), "allowed": one.allowed} for one in error.faults]
    reply = problem(422, str(error), error.field, error.allowed)
    return JSONResponse({"error": listed[0], "errors": listed}, reply.status_code)


def _plain(name: str) -> str:
    """A file's name without folders and odd characters.

    Raises:
        InvalidInput: its ending is that of no sound and no image.
    """
    path = Path(name.replace("\\", "/").rpartition("/")[2])
    suffix = path.suffix.lower()
    if suffix not in AUDIO_SUFFIXES and suffix not in IMAGE_SUFFIXES:
        raise InvalidInput(
            "name", name[:80], "a name that ends in " + ", ".join([*sorted(AUDIO_SUFFIXES), *IMAGE_SUFFIXES])
        )
    stem = _UNSAFE.sub("-", path.stem).strip("-.")[:80]
    return f"{stem or 'file'}{suffix}"


def _checked(path: Path) -> Result:
    """An uploaded file as a result, once it was read to its end.

    Raises:
        InvalidInput: it is damaged, too long or too large.
    """
    try:
        if path.suffix in IMAGE_SUFFIXES:
            with open_image(path) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise InvalidInput("file", f"{picture.width} x {picture.height}", f"at most {MAX_PIXELS} pixels")
                check_length(picture, "file")
        else:
            seconds = 0.0
            for block in blocks_of(path):
                seconds += block.duration_s
                if seconds > MAX_UPLOAD_S:
                    raise InvalidInput("file", f"over {MAX_UPLOAD_S:g} s", f"at most {MAX_UPLOAD_S:g} seconds of sound")
        return result_of(path)
    except CodecError as error:
        said = str(error).replace(repr(str(path)), path.name)
        raise InvalidInput("file", path.name, "a sound or an image that is whole", f"file: {said}") from None


_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("audio/*", "image/png", "image/jpeg")
        },
    }
}
