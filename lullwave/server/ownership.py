"""What only the owner may see: the access guard marks each request, routes and errors ask here.

The words of an engine's error may name hosts of the owner's network and files of the machine. Listeners are told the
kind of the fault; the log has its words.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from starlette.types import Scope

from ..errors import (
    CheckpointError,
    EngineFailed,
    EngineLost,
    LullwaveError,
    SnapshotError,
    StorageUnavailable,
)

log = logging.getLogger(__name__)

OWNER = "lullwave.owner"  # key of the scope: whether the request is the owner's
# What others than the owner are told instead of an error's own words. The first class that fits counts.
_PUBLIC_WORDS: dict[type[LullwaveError], str] = {
    SnapshotError: "the engine that plays now cannot make this moment again",
    EngineLost: "the engine cannot be reached at present",
    CheckpointError: "the engine's model cannot be loaded",
    EngineFailed: "the engine failed",
    StorageUnavailable: "the history cannot be read or written at present",
}


def is_owner(scope: Scope) -> bool:
    """Tell whether a request that passed the access guard is the owner's."""
    return bool(scope.get(OWNER, False))


def published(data: Mapping[str, Any], scope: Scope) -> Mapping[str, Any]:
    """What the client may see of a station's state: ``detail`` holds an error's own words."""
    return data if is_owner(scope) or not data.get("detail") else {**data, "detail": ""}


def published_error(error: Exception, scope: Scope) -> Exception:
    """``error`` for the owner; for others an error of the same kind whose words name no host and no file."""
    kind = _concealed(error)
    if kind is None or is_owner(scope):
        return error
    log.info("a client was told no more than %r: %s", kind.__name__, error)
    return kind(_PUBLIC_WORDS[kind])


def public_words(error: BaseException) -> str:
    """What everybody may be told of an error."""
    if not isinstance(error, LullwaveError):
        return "the server failed"
    kind = _concealed(error)
    return str(error) if kind is None else _PUBLIC_WORDS[kind]


def _concealed(error: Exception) -> type[LullwaveError] | None:
    """The class of an error whose own words only the owner may see; None if everybody may."""
    return next((kind for kind in _PUBLIC_WORDS if isinstance(error, kind)), None)
