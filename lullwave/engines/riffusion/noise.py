"""Noise from seeds, and the way between two noises; knows nothing of models.

All chance is drawn on the CPU in float32, so that every device and dtype starts from the same noise. The first
noise of a seed is what ``torch.manual_seed`` gives, as in Riffusion; everything else is keyed by seed, purpose and
step.
"""

from __future__ import annotations

import hashlib

import torch

COLLINEAR = 0.9995  # |cosine| above which the arc between two noises is taken to be a line


def keyed(seed: int, purpose: str, step: int = 0) -> int:
    """A seed for one purpose and step of a seed: 63 bits of a hash."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def drawn(seed: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal float32 of ``shape``."""
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))


def slerp(a: torch.Tensor, b: torch.Tensor, alpha: float) -> torch.Tensor:
    """Along the great circle from ``a`` to ``b``, taken as one vector each (Shoemake 1985).

    Exactly ``a`` at 0 and exactly ``b`` at 1; linear where the two are nearly collinear.
    """
    if alpha <= 0:
        return a
    if alpha >= 1:
        return b
    cosine = float(torch.sum(a.double() * b.double()) / (a.double().norm() * b.double().norm()))
    if abs(cosine) > COLLINEAR:
        return (1 - alpha) * a + alpha * b
    angle = torch.arccos(torch.tensor(cosine, dtype=torch.float64))
    part = angle * alpha
    return (torch.sin(angle - part) / torch.sin(angle)).float() * a + (torch.sin(part) / torch.sin(angle)).float() * b


def between_seeds(start: int, end: int, alpha: float, shape: tuple[int, ...], purpose: str = "") -> torch.Tensor:
    """The noise at ``alpha`` on the way from one seed to another."""

    def of(seed: int) -> torch.Tensor:
        return drawn(keyed(seed, purpose) if purpose else seed, shape)

    if alpha <= 0 or start == end:
        return of(start)
    if alpha >= 1:
        return of(end)
    return slerp(of(start), of(end), alpha)
