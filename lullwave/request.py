"""The request for music: prompt, seed, length and options of the engine."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from .errors import InvalidInput
from .options import build, check, option
from .prompt import MAX_PROMPT_CHARS, Prompt

MAX_SEED = 2**63 - 1
RANDOM_SEEDS = 2**31  # seeds are drawn below it: short enough to type, and exact as a number in JavaScript

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """A request for music. The same request gives the same samples (same engine version and device).

    Raises:
        InvalidInput: a value is not allowed; the message names the field.
    """

    prompt: str = option(
        "", "what the music should be like; empty leaves it to the engine", max_length=MAX_PROMPT_CHARS
    )
    seed: int = option(0, "random seed", low=0, high=MAX_SEED)
    duration_s: float | None = option(None, "length of the music; none: endless", low=1, high=3600, unit="seconds")
    options: Mapping[str, Any] = field(default_factory=dict)  # the engine's own, checked by the engine

    def __post_init__(self) -> None:
        check(self)
        Prompt.parse(self.prompt)
        if not isinstance(self.options, Mapping):
            raise InvalidInput("options", self.options, "an object of named options")
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))

    def values(self) -> dict[str, Any]:
        """The fields as JSON data, from which ``Request(**values)`` makes an equal request."""
        return {
            "prompt": self.prompt,
            "seed": self.seed,
            "duration_s": self.duration_s,
            "options": dict(self.options),
        }

    def chosen(self, options: type[T]) -> T:
        """The ``options`` of the request as an instance of the engine's option class.

        Raises:
            InvalidInput: a name or a value is not allowed.
        """
        return build(options, self.options, where="options.")


def random_seed() -> int:
    """A random seed, for a request without one."""
    return secrets.randbelow(RANDOM_SEEDS)
