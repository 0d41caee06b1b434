"""Requests and replies of the Riffusion-compatible API as plain data, for the server and the deployment templates."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...codecs import encode
from ...errors import InvalidInput
from ...options import describe
from ...spectrogram.image import NO_TAGS, save
from .clip_options import Interpolation, PromptInput

if TYPE_CHECKING:
    from PIL.Image import Image

    from ...codecs import Tags
    from .engine import RiffusionEngine

KBPS = 192  # kbit/s of the MP3 in a reply


def parse(body: Mapping[str, Any], required: bool = True) -> Interpolation:
    """Parse a request. Unknown fields are ignored, as Riffusion ignores them.

    ``required`` False: ``end`` and ``alpha`` may be missing.

    Raises:
        InvalidInput: a field is missing or wrong.
    """
    for name in ("start", "end", "alpha") if required else ("start",):
        if name not in body:
            raise InvalidInput(name, None, "required")
    start = _end(body["start"], "start")
    end = _end(body["end"], "end") if required or "end" in body else start
    known = {info.name for info in describe(Interpolation)}
    return Interpolation(start, end, **{name: value for name, value in body.items() if name in known})


def reply(engine: RiffusionEngine, clip: Interpolation, image: Image) -> dict[str, Any]:
    """The reply for the finished image of ``clip``: JPEG and MP3 as data URIs, and the length in seconds."""
    audio, tags = engine.converter.audio(image), clip.tags()
    jpeg = base64.b64encode(encode_image(image, "JPEG", engine.converter.exif(), tags)).decode()
    mp3 = base64.b64encode(encode(audio, "mp3", KBPS, tags)).decode()
    return {
        "image": f"data:image/jpeg;base64,{jpeg}",
        "audio": f"data:audio/mpeg;base64,{mp3}",
        "duration_s": round(audio.duration_s, 6),
    }


def encode_image(image: Image, format: str, exif: Any = None, tags: Tags = NO_TAGS) -> bytes:
    """The bytes of a PNG or JPEG; see ``spectrogram.image.save``."""
    out = io.BytesIO()
    save(image, out, format, exif, tags)
    return out.getvalue()


def _end(value: Any, where: str) -> PromptInput:
    if not isinstance(value, dict):
        raise InvalidInput(where, value, "a JSON object")
    for name in ("prompt", "seed"):
        if name not in value:
            raise InvalidInput(f"{where}.{name}", None, "required")
    known = {info.name for info in describe(PromptInput)}
    try:
        return PromptInput(**{name: one for name, one in value.items() if name in known})
    except InvalidInput as error:
        raise InvalidInput(f"{where}.{error.field}", error.value, error.allowed) from None
