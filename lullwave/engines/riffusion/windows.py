"""Overlapping windows over a wide tensor, and their blend.

The noise that the model predicts for a wide image is the weighted mean of what it predicts for windows of the width
that it was trained on, at every step (MultiDiffusion, Bar-Tal et al. 2023, eq. 5). So there are no seams to join.
"""

from __future__ import annotations

import math

import torch


def starts(width: int, window: int, overlap: int, closed: bool = False) -> list[int]:
    """Window positions that cover ``width``; neighbours share at least ``overlap``.

    On a circle (``closed``) the last windows reach past the end into the beginning.
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
    """(W,) triangular weights, largest in the middle and never zero."""
    ramp = torch.arange(1, window + 1, dtype=torch.float32)
    return torch.minimum(ramp, ramp.flip(0)) / math.ceil(window / 2)


def cut(wide: torch.Tensor, start: int, window: int) -> torch.Tensor:
    """(..., window) of (..., width) from ``start`` on; past the end it continues at the beginning."""
    if start + window <= wide.shape[-1]:
        return wide[..., start : start + window]
    return torch.roll(wide, -start, dims=-1)[..., :window]


def blend(parts: list[torch.Tensor], begins: list[int], width: int) -> torch.Tensor:
    """(..., width): the weighted mean of (..., window) parts that begin at ``begins``."""
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
