"""The environment variables that are no settings: those of the systems before this one, and misspelt ones."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

PREFIX = "LULLWAVE_"
OTHER_VARIABLES = frozenset({"LULLWAVE_MODELS_DIR", "LULLWAVE_BENCH_DATA"})  # read elsewhere, no settings
OTHER_PREFIXES = (PREFIX + "INFERENCE_",)  # of variables that are read elsewhere
SERVER_VARIABLES = ("INFERENCE_SERVER_WS_URL", "INFERENCE_SERVER_URL")  # of the systems before this one: an engine

log = logging.getLogger(__name__)


def from_old_variables(given: Mapping[str, Any]) -> dict[str, str]:
    """The engine and token from the legacy environment variables, unless a current setting gives them."""
    newer = {name.upper() for name in os.environ}
    if "engine" in given or PREFIX + "ENGINE" in newer:
        return {}
    name = next((name for name in SERVER_VARIABLES if os.environ.get(name)), None)
    if name is None:
        return {}
    found = {"engine": os.environ[name]}
    key = os.environ.get("API_KEY", "")
    if key and name == "INFERENCE_SERVER_URL" and PREFIX + "ENGINE_TOKEN" not in newer:
        found["engine_token"] = key
    return found


def warn_of_unknown_variables(settings: Collection[str]) -> None:
    """Warn of ``LULLWAVE_*`` variables that are none of the ``settings``: they are misspelt."""
    known = {PREFIX + name.upper() for name in settings} | OTHER_VARIABLES
    for name in sorted(os.environ):
        if name.upper().startswith(OTHER_PREFIXES):
            continue
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            close = get_close_matches(name.upper(), known, 1)
            log.warning("the variable %s sets nothing%s", name, f"; is {close[0]} meant?" if close else "")
