"""How the settings say where an engine is and how it is loaded; knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engines.base import Engine
from ..engines.remote.options import ISOLATED, is_address
from ..options import describe
from ..settings import Settings


def load_options(settings: Settings) -> Callable[[str, type[Engine]], dict[str, Any]]:
    """A function that gives the load options of an engine by its name and class.

    ``checkpoint`` is for the engine that the settings name; for Riffusion's own routes where that one has no weights.
    """

    def of(name: str, kind: type[Engine]) -> dict[str, Any]:
        if is_address(name):
            return {"token": settings.engine_token}
        place, name = name, name.removeprefix(ISOLATED)
        known = {info.name for info in describe(kind.load_options)}
        given: dict[str, Any] = {"device": settings.device}
        if settings.checkpoint and settings.engine.removeprefix(ISOLATED) in (name, "synth"):
            given |= {"checkpoint": settings.checkpoint, "model": settings.checkpoint}
        if settings.seed is None and not any(own.seed is not None for own in settings.stations):
            given["memory_file"] = str(settings.paths.memory(place))  # a named seed means the same music again
        if name == "riffusion":
            # its routes are open to everybody: nobody's request may start a download
            given |= {"lora": settings.lora, "seed_images": str(settings.paths.seed_images), "offline": True}
        return {option: value for option, value in given.items() if option in known}

    return of


def placed(settings: Settings) -> Settings:
    """The settings with each engine named by where it runs: ``isolated:`` before it, where that is asked for.

    The embedded engine, which plays when all others fail, stays in this process under its own name.
    """
    if not settings.isolate:
        return settings
    stations = tuple(
        own.model_copy(update={"engine": place(settings, own.engine)}) if own.engine else own
        for own in settings.stations
    )
    return settings.model_copy(update={"engine": place(settings, settings.engine), "stations": stations})


def place(settings: Settings, engine: str) -> str:
    """Under which name an engine is to be asked for."""
    if not settings.isolate or is_address(engine) or engine.startswith(ISOLATED):
        return engine
    return ISOLATED + engine


def elsewhere(settings: Settings) -> list[str]:
    """The engines of the settings that are no names but addresses."""
    named = [settings.engine, *(own.engine for own in settings.stations)]
    return list(dict.fromkeys(name for name in named if is_address(name)))
