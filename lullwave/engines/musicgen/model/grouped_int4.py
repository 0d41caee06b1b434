"""Products with weights of 4 bits: 16 levels, a scale for each 16 inputs, and inputs in 8 bits.

``GroupedInt4Linear`` is the arithmetic of the native package, in plain torch: slow, and the oracle of its kernels.

- Groups of 256 inputs, the rows' quantization and the loud inputs are those of ``grouped_int8``.
- 16 inputs of a group share a whole-number scale -127..127 times the group's. So the sums of a group stay whole numbers
  below 2^31, exact in 32 bits; they are rounded once, to float32. All together, a weight takes 4.6 bits.
- The levels lie where weights are dense: those of least error for normal and heavy-tailed weights (Lloyd 1982, "Least
  squares quantization in PCM"). One end is longer than the other, and a negative scale turns it round.
- Of a few scales for each 16 inputs, the one of the least squared error is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .grouped_int8 import GROUP, GroupedInt8Linear, GroupedWeights, grouped, loud_inputs, row_levels

SUBGROUP = 16  # inputs that share a whole-number scale
PART_LEVELS = 127  # the scales of subgroups are whole numbers -127..127
LEVELS = (
    -127,
    -105,
    -78,
    -59,
    -44,
    -30,
    -18,
    -8,
    0,
    9,
    20,
    33,
    47,
    63,
    80,
    100,
)  # as in kernels.hpp
_ENDS = (1.1, 1.0, 0.9, 0.8)  # where the largest weight of a subgroup is put, in units of the first level
_PIECE = 1 << 18  # weights that are quantized together: they stay in the processor's cache

# Products of a layer whose weights have 4 bits; the logits' keep 8.
FOUR_BITS = frozenset({"qkv", "out", "cross_query", "cross_out", "up", "down"})


@dataclass(frozen=True, eq=False)
class NibbleWeights(GroupedWeights):
    """Quantized weights of one product; ``values`` holds numbers of levels, 0..15."""

    parts: Tensor  # int8 (out, in / 16), the scales of subgroups


def quantize(weight: Tensor, module: Any = None) -> NibbleWeights:
    """Quantize (out, in) weights; ``in`` is a multiple of 16.

    ``module`` is ``lullwave_native``, if it is to quantize, which is much faster. The result is the same but where
    two scales or levels are equally good to within rounding.
    """
    weight = weight.detach().float()
    loud = loud_inputs(weight)
    loud_weights = weight[:, loud].contiguous()
    if loud.numel():
        weight = weight.index_fill(1, loud, 0.0)
    outputs, inputs = weight.shape
    if module is not None:
        values = torch.empty(outputs, inputs, dtype=torch.int8)
        parts = torch.empty(outputs, inputs // SUBGROUP, dtype=torch.int8)
        scales = torch.empty(outputs, -(-inputs // GROUP))
        module.to_nibbles(weight.contiguous(), values, parts, scales)
        return NibbleWeights(values, scales, loud.to(torch.int32), loud_weights, parts)
    step = max(1, _PIECE // inputs)
    pieces = [_quantized(weight[at : at + step]) for at in range(0, outputs, step)]
    values, parts, scales = (torch.cat(found) for found in zip(*pieces, strict=True))
    return NibbleWeights(values, scales, loud.to(torch.int32), loud_weights, parts)


class GroupedInt4Linear:
    """Multiplies rows by quantized weights: (R, in) → (R, out)."""

    def __init__(self, weight: Tensor) -> None:
        self.weights = quantize(weight)
        levels = torch.tensor(LEVELS, dtype=torch.float64)[self.weights.values.long()]
        self._values = grouped(levels * self.weights.parts.repeat_interleave(SUBGROUP, 1))

    def __call__(self, x: Tensor) -> Tensor:
        loud = self.weights.loud.long()
        values, scales = row_levels(x.index_fill(1, loud, 0.0))
        exact = torch.einsum("rgi,ogi->rog", values.double(), self._values).float()
        scaled = exact * scales[:, None] * self.weights.scales
        return scaled.sum(-1) + x[:, loud] @ self.weights.loud_weights.T


def linear_of(product: str, weight: Tensor) -> GroupedInt4Linear | GroupedInt8Linear:
    """The product called ``product`` (``heads``: the logits) with the bits that it has with ``dtype=int4``."""
    return GroupedInt4Linear(weight) if product in FOUR_BITS else GroupedInt8Linear(weight)


def _quantized(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers of levels int8 (n, in), scales of subgroups int8 (n, in / 16), scales of groups float32 (n, groups)."""
    groups = weight.view(weight.shape[0], -1, SUBGROUP)
    wished = _best_scales(groups)
    per_group = F.pad(wished, (0, -wished.shape[1] % (GROUP // SUBGROUP))).view(len(weight), -1, GROUP // SUBGROUP)
    scales = per_group.abs().amax(-1) / PART_LEVELS
    parts = (per_group * _reciprocal(scales)[..., None]).round().view(len(weight), -1)[:, : wished.shape[1]]
    parts = torch.where((parts == 0) & (wished != 0), wished.sign(), parts)
    whole = parts * scales.repeat_interleave(GROUP // SUBGROUP, 1)[:, : parts.shape[1]]
    codes = _nearest(groups * _reciprocal(whole)[..., None])
    return codes.view(weight.shape).to(torch.int8), parts.to(torch.int8), scales


def _best_scales(groups: Tensor) -> Tensor:
    """The scale (n, m) of least squared error of each subgroup (n, m, 16), of those that are tried."""
    largest = groups.gather(-1, groups.abs().argmax(-1, keepdim=True))[..., 0]
    best = torch.zeros_like(largest)
    gained = torch.zeros_like(largest)  # squares that the levels account for
    levels = torch.tensor(LEVELS, dtype=torch.float32)
    for end in _ENDS:
        found = levels[_nearest(groups * (LEVELS[0] * end * _reciprocal(largest))[..., None])]
        product, square = (groups * found).sum(-1), found.square().sum(-1)
        scale = product * _reciprocal(square)  # least squares for these levels
        best = torch.where(product * scale > gained, scale, best)
        gained = torch.maximum(gained, product * scale)
    return best


def _nearest(x: Tensor) -> Tensor:
    """The numbers of the nearest levels."""
    bounds = torch.tensor([(a + b) / 2 for a, b in pairwise(LEVELS)])
    return torch.bucketize(x, bounds, out_int32=True)


def _reciprocal(x: Tensor) -> Tensor:
    return torch.where(x != 0, 1 / x, 0.0)
