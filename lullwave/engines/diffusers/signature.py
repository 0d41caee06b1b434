"""What a pipeline can be told: the arguments of its call, with their types and defaults."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import make_dataclass
from typing import Any, NamedTuple

from ...errors import EngineError
from ...options import option, parse_pairs

LENGTHS = ("audio_end_in_s", "audio_length_in_s", "audio_duration", "duration")  # names of the length in seconds
STEPS, GUIDANCE, AVOID = "num_inference_steps", "guidance_scale", "negative_prompt"
# Given by the engine, or of no use to it.
_OWN = {
    *LENGTHS, STEPS, GUIDANCE, AVOID, "prompt", "generator", "return_dict", "output_type", "num_waveforms_per_prompt",
    "callback", "callback_steps", "callback_on_step_end", "audio_start_in_s",
}  # fmt: skip
_SIMPLE = (bool, int, float, str)


class Parameter(NamedTuple):
    """One argument."""

    annotation: Any
    default: Any = None


class PipelineSignature:
    """The arguments of one pipeline. Immutable."""

    def __init__(self, kind: str, parameters: Mapping[str, Parameter]) -> None:
        """Take the arguments of the pipeline class ``kind``.

        Raises:
            EngineError: it takes no prompt or no length, so it is not a text-to-audio pipeline.
        """
        found = [name for name in LENGTHS if name in parameters]
        if "prompt" not in parameters or not found:
            raise EngineError(f"{kind} makes no audio from text: it takes no prompt or no length")
        self.names = frozenset(parameters)
        self.length = found[0]
        self.extra: type = _dataclass(parameters)

    def parse_extra(self, text: str) -> dict[str, Any]:
        """``"bpm=80, lyrics=la la"`` as arguments of the pipeline.

        Raises:
            InvalidInput: an unknown name, or a value of another type.
        """
        pairs: list[str] = []
        for part in text.split(","):
            if "=" in part or not pairs:
                pairs.append(part)
            else:  # a comma inside a value
                pairs[-1] += "," + part
        given = [pair.strip() for pair in pairs if pair.strip()]
        return parse_pairs(given, self.extra, "options.extra")

    def arguments(self, steps: int | None, guidance: float | None, length_s: float, avoid: str) -> dict[str, Any]:
        """Arguments of ``__call__`` for values that every pipeline has, as far as this one takes them."""
        wanted = {STEPS: steps, GUIDANCE: guidance, self.length: length_s, AVOID: avoid or None}
        return {name: value for name, value in wanted.items() if value is not None and name in self.names}


def _dataclass(parameters: Mapping[str, Parameter]) -> type:
    """A class of options with the parameters that have simple types."""
    fields: list[tuple[str, Any, Any]] = []
    for name, parameter in parameters.items():
        if name not in _OWN and (simple := _simple(parameter.annotation)) is not None:
            fields.append((name, simple | None, option(parameter.default, "see the documentation of the pipeline")))
    return make_dataclass("PipelineOptions", fields, frozen=True)


def _simple(annotation: Any) -> Any:
    """The simple type that an annotation allows: that of ``float | None`` is float; None if there is none."""
    allowed = (annotation,)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        allowed = typing.get_args(annotation)
    return next((kind for kind in _SIMPLE if kind in allowed), None)
