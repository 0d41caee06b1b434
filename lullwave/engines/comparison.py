"""How near a model as an engine runs it is to the library that defines it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..audio import Samples
from ..errors import EngineFailed


@dataclass(frozen=True)
class Comparison:
    """How near a model as the engine runs it is to the library that defines it, on the same inputs."""

    what: str  # what was compared, such as "logits of 20 steps"
    largest: float  # largest difference, as a share of the reference's largest value
    cosine: float  # of the angle between both


def compared(what: str, expected: Samples, made: Samples) -> Comparison:
    """Compare two arrays of one shape.

    Raises:
        EngineFailed: their shapes differ.
    """
    if expected.shape != made.shape:
        raise EngineFailed(f"{what}: the shape is {made.shape}, that of the reference {expected.shape}")
    reference, found = expected.astype(np.float64).ravel(), made.astype(np.float64).ravel()
    largest = float(np.abs(found - reference).max(initial=0.0) / max(float(np.abs(reference).max(initial=0.0)), 1e-12))
    lengths = float(np.linalg.norm(reference) * np.linalg.norm(found))
    return Comparison(what, largest, float(reference @ found) / max(lengths, 1e-12))
