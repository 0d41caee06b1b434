"""Packs the weights of linear layers for the bfloat16 products of CPUs, once, in the layout that oneDNN multiplies.

Otherwise each product packs its weights again. A gated pair of products (SwiGLU) is computed in two, of which the
second multiplies its result by the gate while it is written: no tensor is read and written between them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

ROWS = 512  # of the inputs for which the layout is chosen: windows of half a minute; others are as fast


class PackedLinear(nn.Module):
    """A linear layer (…, in) → (…, out) in bfloat16."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), ROWS)
        self._bias = None if bias is None else bias.detach().clone()

    def forward(self, x: Tensor, activation: str = "none") -> Tensor:
        """``activation``: ``none``, ``tanh``, or ``swish`` for SiLU."""
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x.contiguous(), self._weight, self._bias, activation, [], "")
        return out

    def times(self, x: Tensor, factor: Tensor) -> Tensor:
        """The result for ``x`` times a factor of its shape."""
        return self._with(x, factor, "mul")

    def plus(self, x: Tensor, summand: Tensor) -> Tensor:
        """The result for ``x`` plus a summand of its shape."""
        return self._with(x, summand, "add")

    def _with(self, x: Tensor, other: Tensor, operation: str) -> Tensor:
        x, other = x.contiguous(), other.contiguous()
        out: Tensor = torch.ops.mkldnn._linear_pointwise.binary(x, other, self._weight, self._bias, operation)
        return out


class PackedGate(nn.Module):
    """Both products of a SwiGLU, joined: (…, in) → (…, inner)."""

    def __init__(self, proj_in: nn.Linear) -> None:
        super().__init__()
        inner = proj_in.out_features // 2
        bias = proj_in.bias
        self._inner = PackedLinear(proj_in.weight[:inner], bias[:inner])
        self._gate = PackedLinear(proj_in.weight[inner:], bias[inner:])

    def forward(self, x: Tensor) -> Tensor:
        return self._inner.times(x, self._gate(x, "swish"))


class PackedFeedForward(nn.Module):
    """The feed-forward layers of a block whose gate is a SiLU."""

    def __init__(self, ff: Any) -> None:
        super().__init__()
        self.gated = PackedGate(ff.proj_in)
        self.proj_out = PackedLinear(ff.proj_out.weight, ff.proj_out.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.proj_out(self.gated(x))
        return out

    def plus(self, x: Tensor, summand: Tensor) -> Tensor:
        """The result for ``x`` plus a summand of its shape."""
        out: Tensor = self.proj_out.plus(self.gated(x), summand)
        return out


def available(device: torch.device, dtype: torch.dtype) -> bool:
    """Tell whether products of this type are made by oneDNN on this device."""
    here = device.type == "cpu" and torch._C._has_mkldnn
    return bool(here and dtype is torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


@torch.no_grad()
def pack(layers: Iterable[Any]) -> None:
    """Replace the linear layers of transformer layers, one after the other. Their weights are freed.

    Layers of another kind (8-bit ones) and gates with another activation stay as they are.
    """
    for layer in layers:
        ff = getattr(layer, "ff", None)
        if isinstance(getattr(ff, "proj_in", None), nn.Linear) and not getattr(ff, "sinusoidal", False):
            layer.ff = PackedFeedForward(ff)
        for part in layer.modules():
            for name, inner in list(part.named_children()):
                if isinstance(inner, nn.Linear) and not isinstance(part, nn.Sequential):
                    setattr(part, name, PackedLinear(inner.weight, inner.bias))
