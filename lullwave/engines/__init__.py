"""Finds the installed engines by name and loads them; an engine is imported when it is loaded.

Built-in engines are listed here. Third parties add theirs by an entry point of the group ``lullwave.engines``
whose value is a subclass of ``Engine``::

    [project.entry-points."lullwave.engines"]
    birdsong = "lullwave_birdsong:Birdsong"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any

from ..errors import EngineError, InvalidInput, MissingExtra, UnknownEngine
from ..options import build, describe
from ..redaction import redacted
from .base import Engine, EngineFacts
from .cluster.options import CLUSTER, engine_of, use_token
from .remote.options import ISOLATED, RemoteFacts, is_address
from .smaller import with_smaller

GROUP = "lullwave.engines"


@dataclass(frozen=True)
class _BuiltIn:
    """Where an engine's class and its light facts are, and which packages it needs."""

    engine: str
    facts: str
    extra: str | None = None
    needs: tuple[str, ...] = ()  # packages of the extra


_BUILT_IN = {
    "synth": _BuiltIn("lullwave.engines.synth.engine:SynthEngine", "lullwave.engines.synth.engine:SynthEngine"),
    "musicgen": _BuiltIn(
        "lullwave.engines.musicgen.engine:MusicGenEngine",
        "lullwave.engines.musicgen.options:MusicGenFacts",
        "ai",
        ("torch", "transformers", "safetensors"),
    ),
    "riffusion": _BuiltIn(
        "lullwave.engines.riffusion.engine:RiffusionEngine",
        "lullwave.engines.riffusion.options:RiffusionFacts",
        "ai",
        ("torch", "transformers", "diffusers", "safetensors"),
    ),
    "stable-audio": _BuiltIn(
        "lullwave.engines.stable_audio.engine:StableAudioEngine",
        "lullwave.engines.stable_audio.options:StableAudioFacts",
        "ai",
        ("torch", "transformers", "diffusers", "safetensors"),
    ),
    "diffusers": _BuiltIn(
        "lullwave.engines.diffusers.engine:DiffusersEngine",
        "lullwave.engines.diffusers.options:DiffusersFacts",
        "ai",
        ("torch", "transformers", "diffusers", "safetensors"),
    ),
}


def engine_names() -> list[str]:
    """The names that ``load_engine`` knows: built-in ones first, then those of installed packages."""
    return [*_BUILT_IN, *sorted(set(_third_party()) - set(_BUILT_IN))]


def plain_name(name: str) -> str:
    """The engine's own name: ``isolated:synth``, ``cluster:synth`` and ``cluster:synth@night`` are ``synth``."""
    if name.startswith(CLUSTER):
        return engine_of(name.removeprefix(CLUSTER))
    return name.removeprefix(ISOLATED)


def engine_facts(name: str, usable: bool = True) -> type[EngineFacts]:
    """Name, summary and options of an engine, without importing the packages that it needs.

    With ``usable`` False a built-in engine is described even where those packages are not installed.

    Raises:
        UnknownEngine: nothing of that name is installed.
        MissingExtra: the packages that it needs are not installed.
    """
    if is_address(name):
        return RemoteFacts
    if name.startswith((ISOLATED, CLUSTER)):
        return engine_class(name)
    if (built_in := _BUILT_IN.get(name)) is None:
        return engine_class(name)
    if usable:
        _check_installed(name, built_in)
    facts: type[EngineFacts] = _imported(built_in.facts)
    return facts


def engine_class(name: str) -> type[Engine]:
    """Import the class of an engine.

    Raises:
        UnknownEngine: nothing of that name is installed.
        MissingExtra: the packages that it needs are not.
    """
    if is_address(name):
        remote: type[Engine] = _imported("lullwave.engines.remote.engine:RemoteEngine")
        return remote
    if name.startswith(ISOLATED):
        of = _imported("lullwave.engines.remote.isolated:isolated_class")
        isolated: type[Engine] = of(engine_facts(name.removeprefix(ISOLATED)))
        return isolated
    if name.startswith(CLUSTER):
        return _cluster_class(name.removeprefix(CLUSTER))
    built_in = _BUILT_IN.get(name)
    try:
        if built_in is not None:
            _check_installed(name, built_in)
            found = _imported(built_in.engine)
        elif (point := _third_party().get(name)) is not None:
            found = _loaded(point)
        else:
            raise UnknownEngine(name, engine_names())
    except ModuleNotFoundError as error:
        if built_in is None or built_in.extra is None:
            raise EngineError(f"engine {name!r} cannot be loaded: {error}") from error
        raise MissingExtra(f"engine {name!r}", built_in.extra, error.name or "") from error
    if not (isinstance(found, type) and issubclass(found, Engine)):
        raise EngineError(f"engine {name!r}: its entry point names {found!r}, which is no Engine class")
    if built_in is None:
        _check_described(name, found)
    return found


def load_engine(name: str, **options: Any) -> Engine:
    """Load an engine. ``options`` are its ``load_options``; wrong names and values are refused.

    An address instead of a name (``ws://host:8001``) is that of an engine elsewhere; ``isolated:`` before a name runs
    the engine in a child process, ``cluster:`` plays the pool of that name on a Ray cluster.

    Raises:
        UnknownEngine, MissingExtra, CheckpointError, InvalidInput
    """
    if not isinstance(name, str):
        raise InvalidInput("engine", name, "the name of an engine: " + ", ".join(engine_names()))
    found = engine_class(name)
    if is_address(name):
        options = {**options, "url": name}
    checked: Any = build(found.load_options, options, where=f"{redacted(name)}.")
    values = dict(vars(checked))
    if found.weights and (smaller := values.pop("smaller")):
        offline = bool(values.get("offline"))
        values["load_smaller"] = _smaller(found, {**values, found.weights: smaller}, offline)
        found = with_smaller(found)
    return found(**values)


def _smaller(kind: type[Engine], values: Mapping[str, Any], offline: bool) -> Callable[[], Engine]:
    """Return a function that loads the smaller model; its weights are downloaded now."""
    from ..checkpoints import locate

    found = {**values, kind.weights: str(locate(values[kind.weights], offline))}
    return lambda: kind(**found)


def _cluster_class(pool: str) -> type[Engine]:
    """The class of an engine on a Ray cluster; the packages of the engine itself are needed there, not here."""
    facts = engine_facts(engine_of(pool), usable=False)
    if find_spec("ray") is None:
        raise MissingExtra(f"engine {CLUSTER}{pool}", "ray", "ray")
    use_token()
    of = _imported("lullwave.engines.cluster.engine:cluster_class")
    found: type[Engine] = of(pool, facts)
    return found


def _check_installed(name: str, built_in: _BuiltIn) -> None:
    for package in built_in.needs:
        if find_spec(package) is None:
            raise MissingExtra(f"engine {name!r}", built_in.extra or "", package)


def _imported(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def _loaded(point: EntryPoint) -> Any:
    """Import what a third party's entry point names; any error in it is raised as ``EngineError``."""
    try:
        return point.load()
    except Exception as error:
        raise EngineError(f"engine {point.name!r} cannot be loaded: {type(error).__name__}: {error}") from error


def _check_described(name: str, found: type[Engine]) -> None:
    """Refuse an engine whose class lacks the facts that lists and forms show."""
    try:
        str(found.summary), describe(found.options), [dict(step) for step in found.lighter]
        known = {info.name for info in describe(found.load_options)}
        if found.weights and not {found.weights, "smaller"} <= known:
            raise LookupError(f"an engine with weights has the load options {found.weights!r} and 'smaller'")
    except Exception as error:
        raise EngineError(f"engine {name!r} is described wrongly: {type(error).__name__}: {error}") from error
    if all(getattr(found, method) is getattr(Engine, method) for method in ("read", "open", "stream")):
        raise EngineError(f"engine {name!r}: its class {found.__name__} defines neither read nor open")


def _third_party() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
