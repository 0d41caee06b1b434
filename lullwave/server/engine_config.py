"""Derives from the settings where each engine runs and its load options; knows nothing of HTTP."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..engines import engine_facts, plain_name
from ..engines.base import EngineFacts
from ..engines.cluster.options import CLUSTER
from ..engines.remote.options import ISOLATED, RemoteFacts, is_address
from ..errors import EngineError, InvalidInput
from ..options import build, describe, parse_pairs
from ..settings import Settings

REMOTE = RemoteFacts.name
_REMOTE_NAME = re.compile(rf"{REMOTE}(-\d+)?")  # see remote_engines

log = logging.getLogger(__name__)


def load_options(settings: Settings) -> Callable[[str, type[EngineFacts]], dict[str, Any]]:
    """Make a function that returns the load options of an engine by its name and class.

    ``checkpoint``, ``smaller`` and ``engine_options`` apply to the setting ``engine``. If that is the embedded engine,
    which has no weights, they apply to the engines of the stations and of Riffusion's routes.
    """

    def of(name: str, kind: type[EngineFacts]) -> dict[str, Any]:
        if is_address(name):
            return {"token": settings.engine_token}
        if name.startswith(CLUSTER):
            return {"address": settings.cluster}
        place, name = name, plain_name(name)
        known = {info.name for info in describe(kind.load_options)}
        given: dict[str, Any] = {"device": settings.device}
        if settings.checkpoint and plain_name(settings.engine) in (name, "synth"):
            given |= {"checkpoint": settings.checkpoint, "model": settings.checkpoint}
        if settings.smaller and plain_name(settings.engine) in (name, "synth"):
            given["smaller"] = settings.smaller
        if settings.seed is None and not any(own.seed is not None for own in settings.stations):
            given["memory_file"] = str(settings.paths.memory(place))  # with a given seed the music must repeat
        if name == "riffusion":
            # its routes are public: a request must never start a download
            given |= {"lora": settings.lora, "seed_images": str(settings.paths.seed_images), "offline": True}
        given = {option: value for option, value in given.items() if option in known}
        if name in _configured(settings):
            pairs = [pair for pair in settings.engine_options.split(",") if pair.strip()]
            given |= parse_pairs(pairs, kind.load_options, "engine_options")
        return given

    return of


def check_options(settings: Settings) -> None:
    """Check ``engine_options`` before anything is loaded, and warn if ``smaller`` has no effect.

    Raises:
        InvalidInput, MissingExtra
    """
    for option in ("checkpoint", "smaller", "engine_options") if settings.cluster else ():
        if getattr(settings, option):
            where = "nothing where cluster is set: the file of lullwave cluster up says how engines are loaded"
            raise InvalidInput(option, getattr(settings, option), where)
    if settings.cluster:
        engine_facts(place(settings, settings.engine))
    for name in _configured(settings) if settings.engine_options else ():
        facts = engine_facts(name)
        build(facts.load_options, load_options(settings)(name, facts), "engine_options: ")
    if settings.smaller and not any(_has_weights(name) for name in _configured(settings)):
        log.warning("smaller: %s is not used: no station's engine here has a smaller model", settings.smaller)


def _has_weights(name: str) -> bool:
    with suppress(EngineError):  # reported when it is loaded
        return bool(engine_facts(name).weights)
    return True


def _configured(settings: Settings) -> set[str]:
    """The names of the local engines that ``engine_options`` apply to."""
    named = plain_name(settings.engine)
    if named != "synth":
        return set() if is_address(named) else {named}
    others = {plain_name(own.engine) for own in settings.stations if not is_address(own.engine)} - {
        "",
        named,
    }
    return others or {named}


def placed(settings: Settings) -> Settings:
    """The settings with the names under which the pool loads the engines: see ``place``.

    The embedded engine, the last fallback, stays in this process under its own name.
    """
    if not settings.isolate and not settings.cluster and not remote_engines(settings):
        return settings
    stations = tuple(
        own.model_copy(update={"engine": place(settings, own.engine)}) if own.engine else own
        for own in settings.stations
    )
    return settings.model_copy(update={"engine": place(settings, settings.engine), "stations": stations})


def place(settings: Settings, engine: str) -> str:
    """The name under which the pool loads ``engine``: with ``cluster:`` or ``isolated:`` before it if that is set."""
    name = published_name(settings, engine)
    elsewhere = is_address(name) or _REMOTE_NAME.fullmatch(name)
    if elsewhere or name.startswith((ISOLATED, CLUSTER)):
        return name
    return CLUSTER + name if settings.cluster else ISOLATED + name if settings.isolate else name


def published_name(settings: Settings, engine: str) -> str:
    """The name of ``engine`` that listeners may see.

    Not its address, which may hold a token and names a host of the owner's network.
    """
    return next((name for name, address in remote_engines(settings).items() if address == engine), engine)


def remote_engines(settings: Settings) -> dict[str, str]:
    """The inference servers of the settings: name → address. The first is called ``remote``, the next ``remote-2``."""
    named = [settings.engine, *(own.engine for own in settings.stations)]
    addresses = dict.fromkeys(name for name in named if is_address(name))
    return {REMOTE if n == 1 else f"{REMOTE}-{n}": address for n, address in enumerate(addresses, 1)}
