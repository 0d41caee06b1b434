"""Transformer layers of both networks for bfloat16 on CPUs: packed products, and few passes over memory around them.

What a norm multiplies and adds is folded into the weights that follow it or into the tables of the rotation; tanh norms
of queries and keys, gates and residual sums are computed while oneDNN writes its products.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Rotary
from .packing import PackedFeedForward, PackedLinear

MULTIPLE = 32  # rows are padded to this: AMX works on two tiles of 16, and other counts take up to 30 % longer
CLEARLY = 1000.0  # times the epsilon of a norm: a square so large is changed by it by less than bfloat16 rounds


def packable(layer: Any) -> bool:
    """Tell whether a layer of the decoder can be packed: not quantized, with tanh norms, and SiLUs as gates."""
    linear = all(isinstance(part, nn.Linear) for part in (layer.attn.to_qkv, layer.ff.proj_in))
    return linear and hasattr(layer.norm_attn, "alpha") and not layer.ff.sinusoidal


class RotatedNorm:
    """Weights of the norms of queries and keys, and their rotation, as tables: y = t·a + swapped(t)·b + c.

    t are (B, T, M, heads, D) values of M = 2 x maps norms, normalized without weights; ``swapped`` exchanges the halves
    of the R channels that are rotated.
    """

    def __init__(self, attn: Any, rotary: Rotary) -> None:
        maps = 2 if attn.use_differential else 1
        norms = [attn.q_norm] * maps + [attn.k_norm] * maps
        tanh = hasattr(attn.q_norm, "beta")
        stretch = 1.0 if tanh else math.sqrt(attn.dim_heads)  # of what ``_unit`` makes
        self._gamma = torch.stack([one.gamma.detach().float() * stretch for one in norms])[None, :, None]
        self._beta = torch.stack([one.beta.detach().float() for one in norms])[None, :, None] if tanh else None
        self._rotary = rotary
        self._tables: tuple[Tensor, Tensor, Tensor, Tensor | None] | None = None
        self._length = 0

    def __call__(self, t: Tensor) -> Tensor:
        """A new tensor of the shape of ``t``."""
        length = t.shape[1]
        if self._tables is None or length > self._length:
            self._tables, self._length = self._made(length, t.dtype), length
        scale, first, second, shift = (None if table is None else table[:length] for table in self._tables)
        assert scale is not None
        assert first is not None
        assert second is not None
        half = first.shape[-1]
        y = t * scale if shift is None else torch.addcmul(shift, t, scale)
        y[..., :half].addcmul_(t[..., half : 2 * half], first)
        y[..., half : 2 * half].addcmul_(t[..., :half], second)
        return y

    def _made(self, length: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """(T, M, 1, D), twice (T, M, 1, R / 2), and (T, M, 1, D) or None."""
        cos, sin = (table[:, None, None] for table in self._rotary.tables(length))
        turned, half = cos.shape[-1], cos.shape[-1] // 2
        gamma = self._gamma.expand(length, -1, -1, -1)
        scale = gamma.clone()
        scale[..., :turned] *= cos
        first, second = -gamma[..., half:turned] * sin[..., :half], gamma[..., :half] * sin[..., :half]
        if self._beta is None:
            return scale.to(dtype), first.to(dtype), second.to(dtype), None
        beta = self._beta.expand(length, -1, -1, -1)
        shift = beta.clone()
        shift[..., :half] = beta[..., :half] * cos[..., :half] - beta[..., half:turned] * sin[..., :half]
        shift[..., half:turned] = beta[..., half:turned] * cos[..., :half] + beta[..., :half] * sin[..., :half]
        return scale.to(dtype), first.to(dtype), second.to(dtype), shift.to(dtype)


class PackedDecoderLayer:
    """A layer of the decoder of ``AutoencoderSAME`` with tanh norms; its weights are taken out of the network."""

    @torch.no_grad()
    def __init__(self, layer: Any) -> None:
        attn, processor = layer.attn, layer.attn.processor
        self._attend = processor.attend
        self._maps, self._heads, self._size = 2 if attn.use_differential else 1, attn.heads, attn.dim_heads
        self._alpha, self._alpha_ff = layer.norm_attn.alpha.float(), layer.norm_ff.alpha.float()
        weight, bias = _folded(attn.to_qkv.weight, None, layer.norm_attn)
        parts = self._maps * self._heads * self._size
        alpha = torch.cat([one.alpha.float().expand(parts) for one in (attn.q_norm, attn.k_norm)])
        dtype = attn.to_qkv.weight.dtype
        weight[: 2 * parts] *= alpha[:, None]
        bias[: 2 * parts] *= alpha
        self._to_qk = PackedLinear(weight[: 2 * parts].to(dtype), bias[: 2 * parts].to(dtype))
        self._to_v = PackedLinear(weight[2 * parts :].to(dtype), bias[2 * parts :].to(dtype))
        self._to_out = PackedLinear(attn.to_out.weight, None)
        self._rotated = RotatedNorm(attn, processor.rotary)
        weight, bias = _folded(layer.ff.proj_in.weight, layer.ff.proj_in.bias, layer.norm_ff)
        layer.ff.proj_in.weight, layer.ff.proj_in.bias = nn.Parameter(weight.to(dtype)), nn.Parameter(bias.to(dtype))
        self._ff = PackedFeedForward(layer.ff)
        attn.to_qkv = attn.to_out = layer.ff = None

    def __call__(self, x: Tensor) -> Tensor:
        """(B, T, width) → the same."""
        inputs = _tanh(x, self._alpha)
        both = self._to_qk(inputs, "tanh").unflatten(-1, (2 * self._maps, self._heads, self._size))
        both = self._rotated(both)
        values = self._to_v(inputs).unflatten(-1, (1, self._heads, self._size)).expand(-1, -1, self._maps, -1, -1)
        queries, keys = both[:, :, : self._maps].flatten(2, 3), both[:, :, self._maps :].flatten(2, 3)
        out = self._attend(queries, keys, values.flatten(2, 3)).unflatten(2, (self._maps, self._heads))
        out = out[:, :, 0] - out[:, :, 1] if self._maps == 2 else out[:, :, 0]
        x = self._to_out.plus(out.flatten(2), x)
        return self._ff.plus(_tanh(x, self._alpha_ff), x)


class PackedDenoiserLayer:
    """A layer of ``StableAudio3DiTModel``; its weights are taken out of the network, except those for the text."""

    @torch.no_grad()
    def __init__(self, block: Any, rotary: Rotary) -> None:
        attn, cross = block.self_attn, block.cross_attn
        self._maps, self._heads, self._size = 2 if attn.use_differential else 1, attn.heads, attn.dim_heads
        norms = (block.pre_norm, attn.q_norm, block.cross_attend_norm, cross.q_norm, block.ff_norm)
        self._eps = tuple(float(norm.eps) for norm in norms)
        parts = 2 * self._maps * self._heads * self._size
        self._to_qk = PackedLinear(attn.to_qkv.weight[:parts], None)
        self._to_v = PackedLinear(attn.to_qkv.weight[parts:], None)
        self._to_out = PackedLinear(attn.to_out.weight, None)
        self._rotated = RotatedNorm(attn, rotary)
        width = cross.to_q.in_features
        gamma = block.cross_attend_norm.gamma.float() * math.sqrt(width)
        self._to_q = PackedLinear((cross.to_q.weight.float() * gamma).to(cross.to_q.weight.dtype), None)
        self._text_out = PackedLinear(cross.to_out.weight, None)
        self._ff = PackedFeedForward(block.ff)
        self.key_scale = cross.q_norm.gamma.float() * math.sqrt(self._size)  # (D,), of keys of the text
        attn.to_qkv = attn.to_out = cross.to_q = cross.to_out = block.ff = None

    def __call__(
        self, x: Tensor, count: int, modulation: tuple[Tensor, ...], text: tuple[Tensor, ...], known: Tensor | None
    ) -> Tensor:
        """(B, T, width) → the same: self-attention, attention to the text, the known sound, feed-forward.

        Args:
            x: of which the first ``count`` positions are seen.
            count: at most T.
            modulation: factor, summand, gate of the attention, and of the feed-forward: (B, 1, width) each. A factor
                stands for the weights of the norm, too, times the square root of the width.
            text: keys, times ``key_scale``, and values (B, heads, L, D), and an (L,) bias of their scores.
            known: (B, known, width), added to the last of the ``count`` positions.
        """
        factor, shift, gate, factor_ff, shift_ff, gate_ff = modulation
        inputs = torch.addcmul(shift, _unit(x, self._eps[0]), factor)
        both = self._to_qk(inputs).unflatten(-1, (2 * self._maps, self._heads, self._size))
        both = self._rotated(_unit(both, self._eps[1]))
        values = self._to_v(inputs)[:, :count].unflatten(-1, (1, self._heads, self._size))
        values = values.expand(-1, -1, self._maps, -1, -1).flatten(2, 3).transpose(1, 2)
        queries = both[:, :, : self._maps].flatten(2, 3).transpose(1, 2)
        keys = both[:, :count, self._maps :].flatten(2, 3).transpose(1, 2)
        out = self._difference(F.scaled_dot_product_attention(queries, keys, values))
        x = torch.addcmul(x, self._to_out(out), gate)

        queries = self._to_q(_unit(x, self._eps[2])).unflatten(-1, (self._maps * self._heads, self._size))
        queries = _unit(queries, self._eps[3]).transpose(1, 2)
        keys, values, bias = text
        mask = bias.expand(len(x), 1, x.shape[1], -1)
        out = self._difference(F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask))
        x = self._text_out.plus(out, x)
        if known is not None:
            x[:, count - known.shape[1] : count] += known
        inputs = torch.addcmul(shift_ff, _unit(x, self._eps[4]), factor_ff)
        return torch.addcmul(x, self._ff(inputs), gate_ff)

    def _difference(self, out: Tensor) -> Tensor:
        """(B, T, width) of (B, maps x heads, T, D): the second map is subtracted."""
        rows, _, length, size = out.shape
        out = out.transpose(1, 2).reshape(rows, length, self._maps, self._heads, size)
        return (out[:, :, 0] - out[:, :, 1] if self._maps == 2 else out[:, :, 0]).flatten(2)


def _unit(x: Tensor, eps: float) -> Tensor:
    """Vectors along the last dimension, of n channels, divided by the square root of the sum of squares and n·eps.

    The root-mean-square norm without its weights, divided by the square root of n: one pass over memory by torch's
    kernel for weight norms, which has no eps, unless a vector is so short that it matters.
    """
    count = x.shape[-1]
    rows = x.reshape(-1, count)
    out, lengths = torch._weight_norm_interface(rows, x.new_ones(len(rows), 1), 0)
    if float(lengths.min()) ** 2 < CLEARLY * eps * count:
        wide = rows.float()
        out = (wide * wide.square().sum(-1, keepdim=True).add_(count * eps).rsqrt_()).to(x.dtype)
    unit: Tensor = out.view(x.shape)
    return unit


def _tanh(x: Tensor, alpha: Tensor) -> Tensor:
    """tanh(alpha·x), computed in float32, in which torch is several times faster than in bfloat16."""
    return x.float().mul_(alpha).tanh_().to(x.dtype)


def _folded(weight: Tensor, bias: Tensor | None, norm: Any) -> tuple[Tensor, Tensor]:
    """Weights and biases in float32 of a linear layer that applies the gamma and beta of the tanh norm before it."""
    weight = weight.float()
    moved = weight @ norm.beta.float()
    return weight * norm.gamma.float(), moved if bias is None else moved + bias.float()
