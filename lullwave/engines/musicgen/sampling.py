"""Samples tokens from logits: guidance, temperature, top-k, top-p, counter-based random numbers.

The random numbers are a function of (seed, step, codebook), so that a draw is the same in a fork, after a rollback and
in any batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

# SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", figure 17), as signed words
_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
_MIX_1 = 0xBF58476D1CE4E5B9 - (1 << 64)
_MIX_2 = 0x94D049BB133111EB - (1 << 64)
_WORD = 1 << 64
_BLOCK = 64  # steps whose random numbers are computed together
_COLDEST = 1e-6  # lowest temperature: logits divided by less may overflow


@dataclass(frozen=True)
class Sampling:
    """The sampling settings of one song."""

    guidance: float
    temperature: float
    top_k: int
    top_p: float


def uniforms(seed: int, step: int, codebooks: int) -> Tensor:
    """(K,) random numbers in [0, 1), one per codebook, a function of the arguments alone."""
    return _block(seed, step // _BLOCK, codebooks)[step % _BLOCK]


@lru_cache(maxsize=256)
def _block(seed: int, number: int, codebooks: int) -> Tensor:
    """The random numbers of ``_BLOCK`` steps, (steps, K)."""
    steps = torch.arange(number * _BLOCK, (number + 1) * _BLOCK, dtype=torch.int64)[:, None]
    key = _mixed(torch.tensor(_signed(seed), dtype=torch.int64))
    bits = _mixed(_mixed(key + steps) + torch.arange(codebooks, dtype=torch.int64))
    return _shifted(bits, 40).to(torch.float32) / float(1 << 24)


def guided(logits: Tensor, guidance: Tensor) -> Tensor:
    """Classifier-free guidance (Ho and Salimans 2022, equation 6, as MusicGen uses it): (n, 2, K, V) → (n, K, V)."""
    wanted, other = logits[:, 0], logits[:, 1]
    strength = guidance.view(-1, 1, 1)
    return torch.where(strength == 1.0, wanted, other + (wanted - other) * strength)


def draw(logits: Tensor, chance: Tensor, temperature: Tensor, top_k: Tensor, top_p: Tensor, most: int = 0) -> Tensor:
    """Sample tokens (n, K) from logits (n, K, V), given random numbers ``chance`` (n, K) and settings per song (n,).

    Temperature 0 takes the most likely token. ``top_k`` keeps that many of the most likely tokens (0: all); of those,
    ``top_p`` keeps the fewest that hold that share of the probability (Holtzman et al. 2020). ``most``, if not 0, is
    the largest ``top_k``: fewer logits are sorted then.
    """
    if most:
        ranked, order = logits.topk(min(most, logits.shape[-1]), dim=-1)
    else:
        ranked, order = logits.sort(dim=-1, descending=True, stable=True)
    rank = torch.arange(ranked.shape[-1], device=logits.device)
    limit = torch.where(top_k > 0, top_k, logits.shape[-1]).view(-1, 1, 1)
    warm = torch.where(temperature > 0, temperature.clamp_min(_COLDEST), 1.0).view(-1, 1, 1)
    shares = torch.softmax((ranked / warm).masked_fill(rank >= limit, -torch.inf), dim=-1)
    before = shares.cumsum(-1) - shares
    shares = shares.masked_fill((before >= top_p.view(-1, 1, 1)) & (rank > 0), 0.0)
    mass = shares.cumsum(-1)
    place = (mass <= chance.unsqueeze(-1) * mass[..., -1:]).sum(-1, keepdim=True)
    kept = (shares > 0).sum(-1, keepdim=True)
    place = torch.where(temperature.view(-1, 1, 1) > 0, torch.minimum(place, kept - 1).clamp_min(0), 0)
    return order.gather(-1, place).squeeze(-1)


def _mixed(x: Tensor) -> Tensor:
    x = x + _GOLDEN
    x = (x ^ _shifted(x, 30)) * _MIX_1
    x = (x ^ _shifted(x, 27)) * _MIX_2
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """A logical shift to the right of signed 64-bit words."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    value %= _WORD
    return value - _WORD if value >= _WORD // 2 else value
