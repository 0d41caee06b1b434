"""Replies to requests as JSON, for the way through the store: what was understood, or the error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ...engines.base import Understanding
from ...errors import Busy, EngineFailed, InvalidInput, LullwaveError, PromptError, StorageUnavailable
from ..errors import Frozen
from ..live.prompt_request import NothingToUndo, PromptReceipt
from ..ownership import public_words


def receipt_json(receipt: PromptReceipt) -> dict[str, Any]:
    """A receipt as JSON."""
    return asdict(receipt)


def receipt_of(told: Mapping[str, Any]) -> PromptReceipt:
    """The receipt in an answer.

    Raises:
        LullwaveError: the answer is an error of this kind.
        StorageUnavailable: it is not understood.
    """
    check(told)
    try:
        facts = dict(told["understanding"])
        understanding = Understanding(
            str(facts["text"]),
            dict(facts["understood"]),
            tuple(facts["ignored"]),
            bool(facts["recognised"]),
            {word: tuple(known) for word, known in facts["suggestions"].items()},
        )
        frame = None if told["frame"] is None else int(told["frame"])
        votes, undone_to = dict(told["votes"]), told["undone_to"]
        return PromptReceipt(str(told["state"]), understanding, frame, float(told["heard_in_s"]), votes, undone_to)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise StorageUnavailable("the producer's answer is not understood") from None


def error_json(error: Exception) -> dict[str, Any]:
    """An error as JSON; ``check`` raises it again. Others than these tell no more than their kind."""
    match error:
        case NothingToUndo():
            return {"error": "NothingToUndo"}
        case Busy():
            return {"error": "Busy", "message": str(error), "retry_after_s": error.retry_after_s}
        case InvalidInput():
            told = {"field": error.field, "value": str(error.value), "allowed": error.allowed}
            return {"error": type(error).__name__, "message": str(error), **told}
        case Frozen():
            return {"error": "Frozen", "message": str(error)}
        case _:
            return {"error": "EngineFailed", "message": public_words(error)}


def check(told: Mapping[str, Any]) -> None:
    """Raise the error in an answer, if it is one.

    Raises:
        LullwaveError
    """
    if "error" in told:
        raise _error(str(told["error"]), str(told.get("message", "")), told)


def _error(kind: str, message: str, told: Mapping[str, Any]) -> LullwaveError:
    match kind:
        case "NothingToUndo":
            return NothingToUndo()
        case "Busy":
            return Busy(message, float(told.get("retry_after_s", 1.0)))
        case "Frozen":
            return Frozen(message)
        case "PromptError":
            return PromptError(str(told["field"]), told["value"], str(told["allowed"]), message)
        case "InvalidInput" | "SettingsError" | "Unsupported":
            return InvalidInput(str(told.get("field", "")), told.get("value"), str(told.get("allowed", "")), message)
        case _:
            return EngineFailed(message)
