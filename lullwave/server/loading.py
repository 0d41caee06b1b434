"""How the settings say that an engine is loaded; knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engines.base import Engine
from ..options import describe
from ..settings import Settings


def load_options(settings: Settings) -> Callable[[str, type[Engine]], dict[str, Any]]:
    """A function that gives the load options of an engine by its name and class.

    ``checkpoint`` is for the engine that the settings name; for Riffusion's own routes where that one has no weights.
    """

    def of(name: str, kind: type[Engine]) -> dict[str, Any]:
        known = {info.name for info in describe(kind.load_options)}
        given: dict[str, Any] = {"device": settings.device}
        if settings.checkpoint and settings.engine in (name, "synth"):
            given |= {"checkpoint": settings.checkpoint, "model": settings.checkpoint}
        if name == "riffusion":
            # its routes are open to everybody: nobody's request may start a download
            given |= {"lora": settings.lora, "seed_images": str(settings.paths.seed_images), "offline": True}
        return {option: value for option, value in given.items() if option in known}

    return of
