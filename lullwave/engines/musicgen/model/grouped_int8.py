"""8-bit products with a scale for each group of 256 inputs and loud inputs in floating point.

``GroupedInt8Linear`` is the arithmetic of the native package, in plain torch: slow, and the oracle of its kernels.
``WeightOnlyLinear`` multiplies the same weights by inputs in floating point, for GPUs: there 8 bits save only memory
and its reading.

- A group of 256 inputs has its own scale, in each output's weights and in each row of inputs: one large value costs
  precision only in its group. The sums of a group are integers below 2^24, exact in float32.
- A few input channels whose weights are much louder than the others' are multiplied in float32: as part of their group
  they would leave the others few of the 255 levels (Dettmers et al. 2022, arXiv:2208.07339, "LLM.int8()").
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

GROUP = 256  # inputs that share a scale
LEVELS = 127  # weights and inputs are quantized to -127..127
LOUD = 3.0  # an input is loud if the RMS of its weights is this many times the median's
MOST_LOUD = 1 / 64  # of the inputs


@dataclass(frozen=True, eq=False)
class GroupedWeights:
    """Quantized weights of one product."""

    values: Tensor  # int8 (out, in); the columns of loud inputs are zero
    scales: Tensor  # float32 (out, groups)
    loud: Tensor  # int32 (J,), the loud inputs
    loud_weights: Tensor  # float32 (out, J)


def quantize(weight: Tensor) -> GroupedWeights:
    """Quantize (out, in) weights."""
    weight = weight.detach().float()
    loud = loud_inputs(weight)
    loud_weights = weight[:, loud].contiguous()
    if loud.numel():
        weight = weight.index_fill(1, loud, 0.0)
    values, peaks = _levels(grouped(weight))
    size = weight.shape
    return GroupedWeights(
        values.to(torch.int8).view(size[0], -1)[:, : size[1]].contiguous(),
        (peaks / LEVELS).contiguous(),
        loud.to(torch.int32),
        loud_weights,
    )


class GroupedInt8Linear:
    """Multiplies rows by quantized weights: (R, in) → (R, out)."""

    def __init__(self, weight: Tensor) -> None:
        self.weights = quantize(weight)
        self._values = grouped(self.weights.values.float())

    def __call__(self, x: Tensor) -> Tensor:
        loud = self.weights.loud.long()
        values, scales = row_levels(x.index_fill(1, loud, 0.0))
        exact = torch.einsum("rgi,ogi->rog", values, self._values)
        scaled = exact * scales[:, None] * self.weights.scales
        return scaled.sum(-1) + x[:, loud] @ self.weights.loud_weights.T


class WeightOnlyLinear:
    """Multiplies rows in ``dtype`` by quantized weights: (R, in) → (R, out) in the dtype of the input."""

    def __init__(self, weight: Tensor, dtype: torch.dtype, device: torch.device) -> None:
        found = quantize(weight)
        self.dtype = dtype
        self.values = found.values.to(device)
        self.scales = found.scales.to(device)
        self.loud = found.loud.to(device)
        self.loud_weights = found.loud_weights.to(device, dtype)

    def __call__(self, x: Tensor) -> Tensor:
        inputs = self.values.shape[1]
        scales = self.scales.repeat_interleave(GROUP, 1)[:, :inputs]
        product = F.linear(x.to(self.dtype), (self.values * scales).to(self.dtype))
        if self.loud.numel():
            product = product + F.linear(x[:, self.loud.long()].to(self.dtype), self.loud_weights)
        return product.to(x.dtype)


def loud_inputs(weight: Tensor) -> Tensor:
    """The numbers of the loud inputs, rising."""
    rms = weight.square().mean(0).sqrt()
    most = int(weight.shape[1] * MOST_LOUD)
    found = torch.topk(rms, most).indices if most else torch.empty(0, dtype=torch.long)
    return found[rms[found] > LOUD * rms.median()].sort().values


def grouped(x: Tensor) -> Tensor:
    """(n, in) → (n, groups, 256), the last group filled up with zeros."""
    return F.pad(x, (0, -x.shape[1] % GROUP)).view(x.shape[0], -1, GROUP)


def row_levels(x: Tensor) -> tuple[Tensor, Tensor]:
    """Quantize rows (R, in): whole numbers (R, groups, 256) and the scale of each group (R, groups)."""
    values, peaks = _levels(grouped(x))
    return values, peaks / LEVELS


def _levels(groups: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers -127..127 of the same shape, and the largest magnitude of each group."""
    peaks = groups.abs().amax(-1)
    factors = torch.where(peaks > 0, LEVELS / peaks, 0.0)
    return (groups * factors[..., None]).round(), peaks
