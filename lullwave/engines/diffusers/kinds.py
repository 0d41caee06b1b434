"""What the engine asks of a loaded pipeline of diffusers, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch

from ...audio import Samples
from .placement import OffloadNeeds, Placement
from .signature import PipelineSignature

DEFAULT_CLIP_S = 30.0  # of a model that does not tell the length it was trained on

Progress = Callable[[int, int], None]  # (steps done, steps in total; 0: unknown)


class LoadedPipeline(Protocol):
    """A text-to-audio pipeline of either kind. One thread at a time."""

    needs: ClassVar[OffloadNeeds]
    ends_early: ClassVar[bool]  # whether it may make less than the length that it is asked for
    samples_tokens: ClassVar[bool]  # whether the smallest difference of precision makes other music
    signature: PipelineSignature
    rate: int  # Hz
    channels: int
    own_length_s: float

    def __init__(self, directory: Path, placement: Placement, device: torch.device) -> None: ...

    def plain(self, prompt: str, generator: torch.Generator, arguments: Mapping[str, Any]) -> Samples:
        """(T, C) by diffusers' own call, with ``arguments`` of its signature."""

    def run(self, prompt: str, generator: torch.Generator, arguments: Mapping[str, Any], progress: Progress) -> Samples:
        """The same, and call ``progress`` after each step. What it raises ends the run and reaches the caller."""


def frames(made: Any) -> Samples:
    """(C, T) or (T,) of a pipeline as (T, C)."""
    array = made.detach().float().cpu().numpy() if isinstance(made, torch.Tensor) else np.asarray(made)
    samples = np.atleast_2d(array.astype(np.float32))
    return samples.T if samples.shape[0] <= samples.shape[1] else samples
