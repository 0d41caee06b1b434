"""What loading any pipeline of diffusers needs: the optional package accelerate, and errors in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch

from ...errors import CheckpointError, EngineError, LullwaveError, MissingExtra
from .placement import Placement


def has_accelerate(placement: Placement) -> bool:
    """Tell whether accelerate is installed. Without it diffusers cannot offload, and warns where it would save memory.

    Raises:
        MissingExtra: it is not, and ``placement`` offloads.
    """
    installed = find_spec("accelerate") is not None
    if placement.offload != "none" and not installed:
        raise MissingExtra("a model that is larger than the GPU", "ai", "accelerate")
    return installed


@contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Turn the errors of reading a pipeline into MissingExtra and CheckpointError."""
    try:
        yield
    except LullwaveError:
        raise
    except ImportError as error:
        raise MissingExtra(f"the pipeline in {directory}", "diffusers", error.name or str(error)) from None
    except Exception as error:  # the libraries raise errors of many types
        raise CheckpointError(f"the pipeline in {directory} cannot be loaded: {error}; pull the model again") from error


@contextmanager
def moving(device: torch.device) -> Iterator[None]:
    """Turn a lack of memory while a pipeline is moved to ``device`` into EngineError."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise EngineError(f"the model does not fit into the memory of {device}: {error}") from None
