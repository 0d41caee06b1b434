"""Makes pydantic models from option dataclasses (``lullwave.options``), for validation and OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from ..options import OptionInfo, describe


def field_of(info: OptionInfo, **changes: Any) -> tuple[Any, Any]:
    """The pydantic type and field of one option; ``changes`` override arguments of the field."""
    limits = info.limits
    kind: Any = info.type | None if info.optional else info.type
    said: dict[str, Any] = {"default": info.default, "description": limits.doc}
    if info.type in (int, float):
        said |= {"ge": limits.low, "le": limits.high}
    if info.type is float:
        said["allow_inf_nan"] = False
    if info.type is str and limits.max_length is not None:
        said["max_length"] = limits.max_length
    extra: dict[str, Any] = {}
    if limits.choices is not None:
        extra["enum"] = list(limits.choices)
    if limits.unit:
        extra["unit"] = limits.unit  # not a keyword of JSON schema: for forms
    if extra:
        said["json_schema_extra"] = extra
    said |= changes
    return kind, Field(**{name: value for name, value in said.items() if value is not None or name == "default"})


def model_of(options: type, name: str, fields: Mapping[str, Any] = MappingProxyType({})) -> type[BaseModel]:
    """Make a strict model of the options of ``options``; ``fields`` replace them or are added."""
    described: dict[str, Any] = {info.name: field_of(info) for info in describe(options)}
    config = ConfigDict(extra="forbid", strict=True, frozen=True)
    return create_model(name, __config__=config, **(described | dict(fields)))


def options_schema(options: type) -> dict[str, Any]:
    """The JSON schema of an option class."""
    return model_of(options, options.__name__).model_json_schema()
