"""What both networks do around attention: rotary positions, heads, and the difference of two attention maps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BASE = 10000.0  # of the frequencies, in both networks


class Rotary:
    """The angles of rotary positions (Su et al. 2021) on the first channels of each head, kept for the last length."""

    def __init__(self, of_network: Tensor) -> None:
        """``of_network``: the (R / 2,) inverse frequencies of a network, perhaps rounded to its dtype."""
        count = len(of_network)
        self._inverse = BASE ** (-torch.arange(count, dtype=torch.float32, device=of_network.device) / count)
        self._length = -1
        self._cos = self._sin = torch.empty(0)

    def tables(self, length: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines, (T, R) each in float32: R channels of a head are rotated."""
        if length != self._length:
            angles = torch.outer(torch.arange(length, device=self._inverse.device).float(), self._inverse)
            angles = torch.cat((angles, angles), dim=-1)
            self._cos, self._sin, self._length = angles.cos(), angles.sin(), length
        return self._cos, self._sin

    @property
    def angles(self) -> int:
        """R / 2: a pair of channels turns by each."""
        return len(self._inverse)

    def halves(self, length: int) -> tuple[Tensor, Tensor]:
        """The tables without repetition: (T, R / 2)."""
        cos, sin = self.tables(length)
        return cos[:, : self.angles].contiguous(), sin[:, : self.angles].contiguous()


def norm(layer: Any, x: Tensor) -> Tensor:
    """The norm of the last dimension of ``x`` in its dtype; ``layer`` holds the weights. A new tensor.

    Root-mean-square norms (Zhang and Sennrich 2019) and tanh norms (Zhu et al. 2025, "Transformers without
    normalization") take as few passes over memory as torch allows; others are called as they are.
    """
    if hasattr(layer, "eps"):
        return rms_norm(x, layer.gamma, layer.eps).to(x.dtype)
    if hasattr(layer, "alpha"):
        return _tanh_norm(x, layer.alpha, layer.gamma, layer.beta).to(x.dtype)
    out: Tensor = layer(x)
    return out


def rms_norm(x: Tensor, gamma: Tensor, eps: float) -> Tensor:
    """The root-mean-square norm (Zhang and Sennrich 2019) in float32."""
    x = x.float()
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    inverse = length.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
    return (x * inverse).mul_(gamma)


def _tanh_norm(x: Tensor, alpha: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """The tanh norm in float32, in which torch computes a tanh several times faster than in bfloat16."""
    return torch.addcmul(beta.float(), (x.float() * alpha.float()).tanh_(), gamma.float())


def _norm_both(attn: Any, x: Tensor, maps: int) -> Tensor:
    """The norms of queries and keys (B, T, 2 x maps, heads, D), queries first, in float32: a new tensor."""
    queries, keys = attn.q_norm, attn.k_norm

    def both(name: str) -> Tensor:
        """(2 x maps, 1, D or 1): a weight of both norms."""
        return torch.stack([getattr(queries, name), getattr(keys, name)]).repeat_interleave(maps, 0)[:, None]

    if hasattr(queries, "alpha"):
        return _tanh_norm(x, both("alpha"), both("gamma"), both("beta"))
    if hasattr(queries, "eps") and queries.eps == keys.eps:
        return rms_norm(x, both("gamma").float(), queries.eps)
    return torch.cat([queries(x[:, :, :maps]), keys(x[:, :, maps:])], dim=2).float()


def _rotate(x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate (B, T, maps, heads, D) float32 in place by the positions 0 to T - 1; channels from R on stay."""
    half = tables[0].shape[-1] // 2  # the tables hold each angle twice
    cos, sin = (table[:, None, None, :half] for table in tables)
    first, second = x[..., :half], x[..., half : 2 * half]
    turned = (first * cos).addcmul_(second, sin, value=-1)
    second.mul_(cos).addcmul_(first, sin)
    first.copy_(turned)
    return x


def project(attn: Any, x: Tensor, tables: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of (B, T, width) states: (B, T, heads, D) each, the first two rotated.

    Differential attention (Ye et al. 2024) has two maps over the same values: twice as many heads, the second half of
    which ``combine`` subtracts.
    """
    maps = 2 if attn.use_differential else 1
    parts = attn.to_qkv(x).unflatten(-1, (2 * maps + 1, attn.heads, attn.dim_heads))
    both = _rotate(_norm_both(attn, parts[:, :, : 2 * maps], maps), tables).to(x.dtype)
    return both[:, :, :maps].flatten(2, 3), both[:, :, maps:].flatten(2, 3), _repeated(parts[:, :, 2 * maps :], maps)


def project_text(attn: Any, context: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values of (B, L, D) text states: (B, heads, L, D) each."""
    maps = 2 if attn.use_differential else 1
    parts = attn.to_kv(context).unflatten(-1, (maps + 1, attn.heads, attn.dim_heads))
    keys = norm(attn.k_norm, parts[:, :, :maps]).flatten(2, 3)
    values = _repeated(parts[:, :, maps:], maps)
    return keys.transpose(1, 2).contiguous(), values.transpose(1, 2).contiguous()


def combine(attn: Any, out: Tensor) -> Tensor:
    """The output (B, T, width) of attention over (B, T, heads, D)."""
    if attn.use_differential:
        first, second = out.chunk(2, dim=2)
        out = first - second
    projected: Tensor = attn.to_out(out.flatten(2, 3))
    return projected


def _repeated(values: Tensor, maps: int) -> Tensor:
    return values.expand(-1, -1, maps, -1, -1).flatten(2, 3)
