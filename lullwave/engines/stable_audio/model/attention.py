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


def rms_norm(norm: Any, x: Tensor) -> Tensor:
    """The root-mean-square norm (Zhang and Sennrich 2019) of the last dimension, in float32; a new tensor.

    ``norm`` holds the weights. Norms of another kind are called as they are.
    """
    out: Tensor
    if not hasattr(norm, "gamma") or not hasattr(norm, "eps"):
        out = norm(x)
        return out
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
    inverse = length.square_().div_(x.shape[-1]).add_(norm.eps).rsqrt_()
    out = (x.float() * inverse).mul_(norm.gamma).to(x.dtype)
    return out


def rotate(x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate (B, T, heads, D) in place by the positions 0 to T - 1; the channels from R on stay as they are."""
    half = tables[0].shape[-1] // 2  # the tables hold each angle twice
    cos, sin = (table[:, None, :half] for table in tables)
    first, second = x[..., :half], x[..., half : 2 * half]
    turned = torch.addcmul(first.float() * cos, second.float(), sin, value=-1)
    second.copy_(torch.addcmul(second.float() * cos, first.float(), sin))
    first.copy_(turned)
    return x


def project(attn: Any, x: Tensor, tables: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of (B, T, width) states: (B, T, heads, D) each, the first two rotated.

    Differential attention (Ye et al. 2024) has two maps over the same values: twice as many heads, the second half of
    which ``combine`` subtracts.
    """
    maps = 2 if attn.use_differential else 1
    parts = attn.to_qkv(x).unflatten(-1, (2 * maps + 1, attn.heads, attn.dim_heads))
    queries = rotate(rms_norm(attn.q_norm, parts[:, :, :maps]).flatten(2, 3), tables)
    keys = rotate(rms_norm(attn.k_norm, parts[:, :, maps : 2 * maps]).flatten(2, 3), tables)
    return queries, keys, _repeated(parts[:, :, 2 * maps :], maps)


def project_text(attn: Any, context: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values of (B, L, D) text states: (B, heads, L, D) each."""
    maps = 2 if attn.use_differential else 1
    parts = attn.to_kv(context).unflatten(-1, (maps + 1, attn.heads, attn.dim_heads))
    keys = rms_norm(attn.k_norm, parts[:, :, :maps]).flatten(2, 3)
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
