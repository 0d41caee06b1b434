"""Says what is wrong with a setting: its name, the value without secrets, and what is allowed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from ..errors import InvalidInput, SettingsError, unknown
from ..pydantic_errors import allowed_words
from ..redaction import is_secret, redacted
from .stations import StationSettings

REFERENCE = "docs/run/settings.md"  # lists every setting


def first_fault(error: ValidationError, settings: type[BaseModel]) -> SettingsError:
    """The first of pydantic's errors about ``settings``, as an error of ours.

    Validators of settings raise ``SettingsError`` themselves; it is passed on with the name of its field.
    """
    fault = error.errors()[0]
    cause = fault.get("ctx", {}).get("error")
    where = ".".join(str(part) for part in fault["loc"])
    if isinstance(cause, InvalidInput):
        field = where if not isinstance(cause, SettingsError) and where else cause.field
        return SettingsError(field, cause.value, cause.allowed)
    if fault["type"] == "extra_forbidden":
        known = StationSettings.model_fields if where.startswith("stations.") else settings.model_fields
        said = unknown("setting", where.rpartition(".")[2], known)
        said += f"{'' if said.endswith('?') else '.'} See {REFERENCE}"
        return SettingsError(where, _shown(where, fault["input"]), f"the settings in {REFERENCE}", said)
    return SettingsError(where, _shown(where, fault["input"]), allowed_words(fault))


def _shown(setting: str, value: Any) -> Any:
    """A wrong value as messages show it: they end up in logs, so secrets are left out."""
    if is_secret(setting):
        return "…"
    shown = redacted(str(value))
    return value if shown == str(value) else shown
