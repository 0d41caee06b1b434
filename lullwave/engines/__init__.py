"""Engines by name: which are installed, and how one is loaded; imports none until it is asked for.

Built-in engines are listed here. Third parties add theirs by an entry point of the group ``lullwave.engines``
whose value is a subclass of ``Engine``::

    [project.entry-points."lullwave.engines"]
    birdsong = "birdsong:Birdsong"
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..errors import EngineError, InvalidInput, MissingExtra, UnknownEngine
from ..options import build
from .base import Engine

GROUP = "lullwave.engines"

# name → (class, the extra that holds its packages)
_BUILT_IN: dict[str, tuple[str, str | None]] = {
    "synth": ("lullwave.engines.synth.engine:SynthEngine", None),
    "musicgen": ("lullwave.engines.musicgen.engine:MusicGenEngine", "ai"),
    "riffusion": ("lullwave.engines.riffusion.engine:RiffusionEngine", "ai"),
}


def engine_names() -> list[str]:
    """The names that ``load_engine`` knows: built-in ones first, then those of installed packages."""
    return [*_BUILT_IN, *sorted(set(_third_party()) - set(_BUILT_IN))]


def engine_class(name: str) -> type[Engine]:
    """The class behind a name, imported now.

    Raises:
        UnknownEngine: nothing of that name is installed.
        MissingExtra: the packages that it needs are not.
    """
    extra = None
    try:
        if name in _BUILT_IN:
            target, extra = _BUILT_IN[name]
            module, _, attribute = target.partition(":")
            found = getattr(import_module(module), attribute)
        elif (point := _third_party().get(name)) is not None:
            found = point.load()
        else:
            raise UnknownEngine(name, engine_names())
    except ModuleNotFoundError as error:
        if extra is None:
            raise EngineError(f"engine {name!r} cannot be loaded: {error}") from error
        raise MissingExtra(f"engine {name!r}", extra, error.name or "") from error
    if not (isinstance(found, type) and issubclass(found, Engine)):
        raise EngineError(f"engine {name!r}: its entry point names {found!r}, which is no Engine class")
    return found


def load_engine(name: str, **options: Any) -> Engine:
    """Load an engine. ``options`` are its ``load_options``; wrong names and values are refused.

    Raises:
        UnknownEngine, MissingExtra, CheckpointError, InvalidInput
    """
    if not isinstance(name, str):
        raise InvalidInput("engine", name, "the name of an engine: " + ", ".join(engine_names()))
    found = engine_class(name)
    checked: Any = build(found.load_options, options, where=f"{name}.")
    return found(**vars(checked))


def _third_party() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
