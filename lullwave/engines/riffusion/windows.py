"""Overlapping windows over something wide, and their blend; knows nothing of what is in them.

The noise that the model predicts for a wide image is the weighted mean of what it predicts for windows of the width
that it was trained on, at every step (MultiDiffusion, Bar-Tal et al. 2023, eq. 5), so that there is no seam to join
afterwards.
"""

from __future__ import annotations

import math

import torch


def starts(width: int, window: int, overlap: int, closed: bool = False) -> list[int]:
    """Where windows begin so that they cover ``width`` and neighbours share at least ``overlap``.

    On a circle (``closed``) the last windows reach over the end into the beginning.
    """
    if width <= window:
        return [0]
    step = window - overlap
    if closed:
        count = math.ceil(width / step)
        return [round(n * width / count) for n in range(count)]
    count = 1 + math.ceil((width - window) / step)
    return [round(n * (width - window) / (count - 1)) for n in range(count)]


def weights(window: int) -> torch.Tensor:
    """(W,) a triangle that is largest in the middle and nowhere zero."""
    ramp = torch.arange(1, window + 1, dtype=torch.float32)
    return torch.minimum(ramp, ramp.flip(0)) / math.ceil(window / 2)


def cut(wide: torch.Tensor, start: int, window: int) -> torch.Tensor:
    """(..., window) of (..., width), reaching over the end into the beginning where it must."""
    if start + window <= wide.shape[-1]:
        return wide[..., start : start + window]
    return torch.roll(wide, -start, dims=-1)[..., :window]


def blend(parts: list[torch.Tensor], begins: list[int], width: int) -> torch.Tensor:
    """The weighted mean, (..., width), of windows that begin at ``begins``."""
    if len(parts) == 1:
        return parts[0]
    window = parts[0].shape[-1]
    weight = weights(window).to(parts[0])
    total = torch.zeros(*parts[0].shape[:-1], width, dtype=parts[0].dtype, device=parts[0].device)
    share = torch.zeros(width, dtype=parts[0].dtype, device=parts[0].device)
    for part, begin in zip(parts, begins, strict=True):
        columns = torch.arange(begin, begin + window, device=total.device) % width
        total[..., columns] += part * weight
        share[columns] += weight
    return total / share
