"""Options as frozen dataclasses, each defined once.

A field made by ``option`` carries its explanation and its limits. From this single definition come the validation
(``build``), the JSON schema of the HTTP interface, the flags of the command line and the form on the page::

    @dataclass(frozen=True)
    class MusicOptions:
        top_k: int = option(250, "sample from this many of the likeliest tokens", low=1, high=2048)

This is not pydantic, because importing pydantic takes several times as long as everything that an engine's options
need, and the limits in words, which errors, flags and forms show, would still be code here.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from .errors import InvalidInput, unknown

T = TypeVar("T")

_KEY = "lullwave"
_WORDS: Mapping[str, bool] = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


@dataclass(frozen=True)
class Limits:
    """Explanation and limits of one option."""

    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] | None = None
    unit: str = ""
    max_length: int | None = None


@dataclass(frozen=True)
class OptionInfo:
    """One option, as flags, schemas and forms use it."""

    name: str
    type: type
    optional: bool
    default: Any
    limits: Limits

    @property
    def allowed(self) -> str:
        """The allowed values in words, such as "a whole number from 1 to 12"."""
        limits = self.limits
        if limits.choices is not None:
            words = "one of " + ", ".join(str(c) for c in limits.choices)
        else:
            words = _NAMES[self.type]
            if limits.low is not None and limits.high is not None:
                words += f" from {_plain(limits.low)} to {_plain(limits.high)}"
            elif limits.low is not None:
                words += f" of at least {_plain(limits.low)}"
            elif limits.high is not None:
                words += f" of at most {_plain(limits.high)}"
            if limits.max_length is not None:
                words += f" of at most {limits.max_length} characters"
            if limits.unit:
                words += f" {limits.unit}"
        return words + (", or none" if self.optional else "")


def option(
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[Any, ...] | None = None,
    unit: str = "",
    max_length: int | None = None,
) -> Any:
    """A dataclass field with its explanation and limits. ``default`` may be ``dataclasses.MISSING``."""
    limits = Limits(doc, low, high, choices, unit, max_length)
    return field(default=default, metadata={_KEY: limits})


def describe(options: type) -> list[OptionInfo]:
    """Describe the fields of ``options`` that were made by ``option``, in order."""
    hints = typing.get_type_hints(options)
    described = []
    for one in fields(options):
        if _KEY not in one.metadata:
            continue
        hint, optional = _unwrap(hints[one.name])
        default = None if one.default is dataclasses.MISSING else one.default
        described.append(OptionInfo(one.name, hint, optional, default, one.metadata[_KEY]))
    return described


def check(instance: Any) -> None:
    """Check every option of a dataclass instance; call it in ``__post_init__``.

    Integers are converted where a float is expected; nothing else is converted.

    Raises:
        InvalidInput: a value is not allowed.
    """
    for info in describe(type(instance)):
        value = checked(info, getattr(instance, info.name))
        object.__setattr__(instance, info.name, value)


def build(options: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """An instance of ``options`` from a mapping.

    Raises:
        InvalidInput: an unknown name, a missing one or a wrong value; ``where`` (such as ``"options."``) precedes the
            field's name in the error.
    """
    known = [info.name for info in describe(options)]
    for name in values:
        if name not in known:
            before = f"{where.rstrip('.')}: " if "[" in where else ""  # which one of many
            raise _unknown_option(f"{where}{name}", values[name], name, known, before)
    for one in fields(options):  # type: ignore[arg-type]
        required = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        if required and one.name not in values:
            allowed = next((info.allowed for info in describe(options) if info.name == one.name), "a value")
            raise InvalidInput(f"{where}{one.name}", None, allowed)
    try:
        built = options(**values)
        check(built)  # for dataclasses that do not call it themselves
        return built
    except InvalidInput as error:
        if where and not error.field.startswith(where):
            raise type(error)(where + error.field, error.value, error.allowed) from None
        raise


def faults(infos: Iterable[OptionInfo], values: Mapping[str, Any], where: str = "") -> list[InvalidInput]:
    """Every wrong value and every unknown name, for forms, which mark all of them at once.

    ``where`` (such as ``"options."``) precedes the names.
    """
    known = {info.name: info for info in infos}
    found = []
    for name, value in values.items():
        if name not in known:
            found.append(_unknown_option(f"{where}{name}", value, name, known))
            continue
        try:
            checked(known[name], value)
        except InvalidInput as error:
            found.append(InvalidInput(f"{where}{name}", value, error.allowed))
    return found


def parse_pairs(pairs: Iterable[str], options: type, flag: str = "--option") -> dict[str, Any]:
    """``["top_k=50"]`` → ``{"top_k": 50}``, each value converted to the type of its option.

    Raises:
        InvalidInput: a pair without ``=``, an unknown name, or a value that cannot be converted; ``flag`` is the name
            in the error.
    """
    known = {info.name: info for info in describe(options)}
    values = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InvalidInput(flag, pair, "name=value")
        name = name.strip().replace("-", "_")
        if name not in known:
            raise _unknown_option(flag, name, name, known, f"{flag}: ")
        values[name] = _worded(known[name], text)
    return values


def _unknown_option(field: str, value: object, name: str, known: Iterable[str], before: str = "") -> InvalidInput:
    """The error about an option that does not exist; ``before`` precedes its message."""
    names = ", ".join(known)
    said = unknown("option", name, known)
    said += (" Options: " if said.endswith("?") else "; options: ") + (names or "none")
    return InvalidInput(field, value, f"options named {names}" if names else "none", before + said)


def _plain(number: float) -> str:
    """A limit as text; integers with all their digits."""
    return str(number) if isinstance(number, int) else f"{number:g}"


def _unwrap(hint: Any) -> tuple[type, bool]:
    """``float | None`` is (float, True)."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        inner = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        assert len(inner) == 1, f"an option has one type, not {hint}"
        return inner[0], True
    return hint, False


def checked(info: OptionInfo, value: Any) -> Any:
    """``value`` as the option takes it: integers become floats where a float is expected.

    Raises:
        InvalidInput: it is not allowed.
    """
    limits = info.limits
    if value is None and info.optional:
        return None
    if info.type is float and type(value) is int and abs(value) <= sys.float_info.max:
        value = float(value)
    ok = type(value) is info.type
    if ok and info.type is float:
        ok = math.isfinite(value)
    if ok and limits.low is not None:
        ok = value >= limits.low
    if ok and limits.high is not None:
        ok = value <= limits.high
    if ok and limits.choices is not None:
        ok = value in limits.choices
    if ok and limits.max_length is not None:
        ok = len(value) <= limits.max_length
    if not ok:
        raise InvalidInput(info.name, value, info.allowed)
    return value


def _worded(info: OptionInfo, text: str) -> Any:
    if info.optional and text in ("", "none"):
        return None
    try:
        return _WORDS[text.lower()] if info.type is bool else info.type(text)
    except (ValueError, KeyError):
        raise InvalidInput(info.name, text, info.allowed) from None
