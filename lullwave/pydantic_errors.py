"""Says in plain words what pydantic and FastAPI allow where they refuse a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Pydantic's types of errors, and the phrase after "allowed:"; {names} are keys of the error's context.
ALLOWED: Mapping[str, str] = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number that is finite",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "string_unicode": "text in Unicode",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "string_pattern_mismatch": "text that matches the pattern {pattern}",
    "path_type": "a path",
    "literal_error": "one of {expected}",
    "enum": "one of {expected}",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a table of names and values",
    "model_type": "a table of names and values",
    "model_attributes_type": "a table of names and values",
    "json_invalid": "JSON",
    "json_type": "JSON",
    "none_required": "nothing",
    "missing": "a value: it is required",
    "extra_forbidden": "no field of this name",
}


def allowed_words(fault: Mapping[str, Any]) -> str:
    """What one of the entries of ``ValidationError.errors()`` allows, such as "a whole number"."""
    phrase = ALLOWED.get(fault["type"])
    if phrase is None:
        return str(fault["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    return phrase.format_map(fault.get("ctx") or {})
