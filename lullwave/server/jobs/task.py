"""A task of the Studio: its fields, whether it can be done here, and the function that does it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, create_model

from ...errors import InvalidInput, LullwaveError
from ...options import OptionInfo, build, checked, describe, faults
from ..engine_pool import EnginePool
from ..schema import field_of
from .work import Work

FileKind = Literal["audio", "image"]


class InvalidFields(InvalidInput):
    """Fields of a form that are wrong: ``faults`` holds an error for each; the first is the error itself."""

    def __init__(self, found: Sequence[InvalidInput]) -> None:
        self.faults = tuple(found)
        first = found[0]
        super().__init__(first.field, first.value, first.allowed, str(first))


@dataclass(frozen=True)
class Task:
    """One kind of job. ``fields`` are checked before ``run`` is called with them, on a worker thread.

    ``files`` names the fields that hold a file of the visitor, as ``JOB/NAME``. ``lacking`` tells why the task cannot
    be done here, and what to install. ``python`` writes a program that makes the same.
    """

    name: str
    summary: str
    fields: Sequence[OptionInfo]
    run: Callable[[Work], None]
    python: Callable[[Mapping[str, Any]], str]
    files: Mapping[str, FileKind] = field(default_factory=dict)
    optional_files: frozenset[str] = frozenset()
    check: Callable[[dict[str, Any]], object] = lambda values: None
    lacking: Callable[[], LullwaveError | None] = lambda: None
    takes_engine: bool = False  # any engine, with its own options

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the fields."""
        config = ConfigDict(extra="forbid")
        fields: dict[str, Any] = {info.name: field_of(info) for info in self.fields}
        model: type[BaseModel] = create_model("Fields", __config__=config, **fields)
        return model.model_json_schema()


def fields_of(options: type, *names: str, **changes: Mapping[str, Any]) -> list[OptionInfo]:
    """The options of a class, all or the named ones; ``changes`` replace parts of them, such as a default.

    ``fields_of(Request, "seed", seed={"default": None, "optional": True})``
    """
    known = {info.name: info for info in describe(options)}
    return [_changed(known[name], changes.get(name, {})) for name in names or known]


def read_fields(
    task: Task, given: Mapping[str, Any], engines: EnginePool, is_mine: Callable[[str, FileKind], bool]
) -> dict[str, Any]:
    """All fields of a job: those that were given, and the defaults of the others.

    ``is_mine`` tells whether a value names a file of the visitor, of the kind that the field needs.

    Raises:
        InvalidFields: every field that is wrong.
    """
    infos = {info.name: info for info in task.fields}
    plain = {name: value for name, value in given.items() if not (task.takes_engine and name == "options")}
    found = faults(infos.values(), plain)
    values = {name: info.default for name, info in infos.items()}
    values |= {name: checked(infos[name], value) for name, value in plain.items() if _is_right(infos.get(name), value)}
    for name, kind in task.files.items():
        if not values[name] and name in task.optional_files:
            continue
        if not any(fault.field == name for fault in found) and not is_mine(values[name] or "", kind):
            found.append(InvalidInput(name, values[name] or None, f"{_ARTICLE[kind]} file: drop or choose one"))
    if task.takes_engine:
        values["options"], wrong = _engine_options(values["engine"], given.get("options", {}), engines)
        found += wrong
    if not found:
        try:
            task.check(values)
        except InvalidInput as error:
            found.append(error)
    if found:
        raise InvalidFields(found)
    return values


_ARTICLE = {"audio": "an audio", "image": "an image"}


def _engine_options(engine: str, given: Any, engines: EnginePool) -> tuple[dict[str, Any], list[InvalidInput]]:
    if engine not in engines.names():
        return {}, [InvalidInput("engine", engine, "one of " + ", ".join(engines.names()))]
    try:
        facts = engines.facts_of(engine)
    except LullwaveError as error:
        return {}, [InvalidInput("engine", engine, "an engine that is installed", f"engine: {error}")]
    if not isinstance(given, dict):
        return {}, [InvalidInput("options", given, "an object of the engine's options")]
    if found := faults(describe(facts.options), given, "options."):
        return {}, found
    try:
        build(facts.options, given, "options.")
    except InvalidInput as error:
        return {}, [error]
    return dict(given), []


def _is_right(info: OptionInfo | None, value: Any) -> bool:
    if info is None:
        return False
    try:
        checked(info, value)
    except InvalidInput:
        return False
    return True


def _changed(info: OptionInfo, changes: Mapping[str, Any]) -> OptionInfo:
    limits = {name: value for name, value in changes.items() if name in _LIMITS}
    rest = {name: value for name, value in changes.items() if name not in _LIMITS}
    return dataclasses.replace(info, limits=dataclasses.replace(info.limits, **limits), **rest)


_LIMITS = frozenset({"doc", "low", "high", "choices", "unit", "max_length"})


def only(values: Mapping[str, Any], options: type) -> dict[str, Any]:
    """The values that are options of a class."""
    names = {info.name for info in describe(options)}
    return {name: value for name, value in values.items() if name in names}


def call(name: str, *given: Any, **named: Any) -> str:
    """Write a Python call: ``call("f", 1, x="a", y=None)`` is ``f(1, x='a')``; named None is left out."""
    said = [repr(value) for value in given]
    said += [f"{name}={value!r}" for name, value in named.items() if value is not None]
    return f"{name}({', '.join(said)})"
