"""``lullwave.generate``: makes one clip in one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .audio import Audio, concat
from .blocks import ClipFormat, ClipMaker
from .engines import load_engine
from .engines.base import Engine
from .errors import InvalidInput
from .mastering import TARGET_LUFS
from .request import Request, random_seed

DEFAULT_ENGINE = "synth"
DEFAULT_SECONDS = 60.0  # length of a clip when none is named


def generate(
    prompt: str = "",
    *,
    seconds: float = DEFAULT_SECONDS,
    seed: int | None = None,
    engine: str | Engine = DEFAULT_ENGINE,
    lufs: float = TARGET_LUFS,
    options: Mapping[str, Any] | None = None,
) -> Audio:
    """Make a mastered clip. ``save`` writes the same file as ``lullwave generate`` and ``POST /api/generate``.

    ``engine`` is a name for ``load_engine``, or a loaded engine, which stays open. Without ``seed`` a random one
    is used, which the clip's ``tags`` hold.

    Raises:
        LullwaveError: the engine cannot be loaded, or a value is not allowed.
    """
    request = _request(prompt, random_seed() if seed is None else seed, seconds, options or {})
    delivery = ClipFormat(lufs=lufs)
    if isinstance(engine, Engine):
        return _clip(engine, request, delivery)
    with load_engine(engine) as loaded:
        return _clip(loaded, request, delivery)


def _request(prompt: str, seed: int, seconds: float | None, options: Mapping[str, Any]) -> Request:
    """The request, whose length errors call ``seconds``; a clip needs one."""
    try:
        if seconds is None:
            raise InvalidInput("duration_s", None, "a number of seconds")
        return Request(prompt, seed, seconds, options)
    except InvalidInput as error:
        if error.field != "duration_s":
            raise
        raise InvalidInput("seconds", error.value, error.allowed.removesuffix(", or none")) from None


def _clip(engine: Engine, request: Request, delivery: ClipFormat) -> Audio:
    with engine.stream(request) as stream:
        made = ClipMaker(stream, engine.made_by, delivery)
        return replace(concat(list(made.sound())), tags=made.tags)
