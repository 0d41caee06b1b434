"""Matrix products with frozen weights, in floating point or in 8 bits.

The 8-bit product quantizes the weights per output channel, once, and every input row by its own largest value. Its
sums are integers and therefore exact: the result of a row does not depend on the other rows. So a song sounds the same
alone and in a batch.

FBGEMM without VNNI adds two products of uint8 inputs and int8 weights in 16 bits and clips the sum. There the weights
get one bit less, so that no sum is clipped. The inputs keep 8 bits: outliers make them the harder side to quantize
(Dettmers et al. 2022, "LLM.int8()"; Xiao et al. 2023, "SmoothQuant").
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Linear = Callable[[Tensor], Tensor]  # (R, in) → (R, out)


class FloatLinear:
    """Multiplies in the precision of the weights; the result has the dtype of the input."""

    def __init__(self, weight: Tensor, dtype: torch.dtype, device: torch.device) -> None:
        self.weight = weight.to(device=device, dtype=dtype).contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        if x.dtype == self.weight.dtype:
            return F.linear(x, self.weight)
        return F.linear(x.to(self.weight.dtype), self.weight).to(x.dtype)


INPUT_LEVELS = 127  # an input is quantized to -127..127, stored as uint8 around 128
WEIGHT_LEVELS = 127  # the range of int8
SAFE_WEIGHT_LEVELS = 64  # 2 x 255 x 64 = 32640 fits in 16 bits


class Int8Linear:
    """Multiplies 8-bit rows by 8-bit weights (7-bit on CPUs without VNNI) with the kernels of FBGEMM in torch."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self._packed = _pack(weight, SAFE_WEIGHT_LEVELS if sums_are_clipped() else WEIGHT_LEVELS)
        self._bias = None if bias is None else bias.detach().float()

    def __call__(self, x: Tensor) -> Tensor:
        largest = x.abs().amax(dim=1, keepdim=True)  # 0 for a row of zeros: the result of 0/0 is multiplied by 0 again
        product = _multiply(x / largest, self._packed).mul_(largest)
        return product if self._bias is None else product.add_(self._bias)


def int8_available() -> bool:
    """Tell whether torch has fast 8-bit kernels on this machine."""
    return bool(torch.backends.quantized.engine in ("x86", "fbgemm"))


@cache
def sums_are_clipped() -> bool:
    """Tell whether the 8-bit kernel of this CPU clips the sum of two products of the largest values."""
    ones = torch.ones(1, 64)
    product = _multiply(ones, _pack(ones, WEIGHT_LEVELS))
    return abs(float(product) - 64.0) > 0.01


def _pack(weight: Tensor, levels: int) -> Any:
    """Quantize (out, in) weights to -levels..levels, one scale per output channel, in the layout of the kernel."""
    weight = weight.detach().float().contiguous()
    scale = weight.abs().amax(dim=1).clamp_min(1e-12).double() / levels
    zero = torch.zeros(scale.shape, dtype=torch.long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that quantization moves to another package
        quantized = torch.quantize_per_channel(weight, scale, zero, 0, torch.qint8)
        return torch.ops.quantized.linear_prepack(quantized, None)


def _multiply(x: Tensor, packed: Any) -> Tensor:
    """Quantize rows within ±1 and multiply them by packed weights: (R, in) → (R, out)."""
    product: Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
        x, 1.0 / INPUT_LEVELS, 128, packed
    )
    return product
