"""Noise from seeds, and interpolation between two noises.

Noise is drawn on the CPU in float32, so that every device and dtype starts from the same values. The first noise of a
seed is what ``torch.manual_seed`` gives, as in Riffusion; all other noise is keyed by seed, purpose and step.
"""

from __future__ import annotations

import hashlib

import torch

COLLINEAR = 0.9995  # |cosine| above which interpolation is linear: sin(angle) would lose its precision


def keyed(seed: int, purpose: str, step: int = 0) -> int:
    """Derive a seed for one purpose and step: 63 bits of a hash."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def drawn(seed: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Draw standard normal float32 noise of ``shape``."""
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))


def slerp(a: torch.Tensor, b: torch.Tensor, alpha: float) -> torch.Tensor:
    """Interpolate along the great circle between two tensors, each taken as one vector (Shoemake 1985).

    Exactly ``a`` at 0 and exactly ``b`` at 1; linear if the two are nearly collinear.
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
    """The noise at ``alpha`` between those of two seeds."""

    def of(seed: int) -> torch.Tensor:
        return drawn(keyed(seed, purpose) if purpose else seed, shape)

    if alpha <= 0 or start == end:
        return of(start)
    if alpha >= 1:
        return of(end)
    return slerp(of(start), of(end), alpha)
