"""Matrix products with frozen weights, in floating point or in 8 bits; knows nothing of the model around them.

The 8-bit product quantizes weights per output channel once, and every row of the input by its own largest value. The
sums are integers, and so exact: a row's result is the same bits whatever rows stand beside it. That is what makes a
song alone equal to the same song in company.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Linear = Callable[[Tensor], Tensor]  # (R, in) → (R, out)


class FloatLinear:
    """A product in the weights' own precision; the result has the input's."""

    def __init__(self, weight: Tensor, dtype: torch.dtype, device: torch.device) -> None:
        self.weight = weight.to(device=device, dtype=dtype).contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        if x.dtype == self.weight.dtype:
            return F.linear(x, self.weight)
        return F.linear(x.to(self.weight.dtype), self.weight).to(x.dtype)


class Int8Linear:
    """A product of 8-bit weights and 8-bit rows on the CPU, by the kernels that torch brings (FBGEMM or oneDNN)."""

    def __init__(self, weight: Tensor) -> None:
        weight = weight.detach().float().contiguous()
        scale = weight.abs().amax(dim=1).clamp_min(1e-12).double() / 127.0
        zero = torch.zeros(scale.shape, dtype=torch.long)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces the move of quantization to another package
            quantized = torch.quantize_per_channel(weight, scale, zero, 0, torch.qint8)
            self._packed: Any = torch.ops.quantized.linear_prepack(quantized, None)
        self._step = 1.0 / _input_levels()

    def __call__(self, x: Tensor) -> Tensor:
        largest = x.abs().amax(dim=1, keepdim=True)  # of a silent row 0: whatever 0/0 becomes is multiplied by it again
        product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            x / largest, self._step, 128, self._packed
        )
        return product.mul_(largest)  # type: ignore[no-any-return]


def int8_available() -> bool:
    """Whether this machine's torch has the 8-bit kernels that are fast."""
    return bool(torch.backends.quantized.engine in ("x86", "fbgemm", "onednn"))


def _input_levels() -> float:
    """Without VNNI, FBGEMM adds pairs of products in 16 bits: seven bits of input keep them from overflowing."""
    capability = torch.backends.cpu.get_cpu_capability()
    vnni = getattr(torch.cpu, "_is_vnni_supported", None)
    has_vnni = bool(vnni()) if vnni is not None else capability == "AVX512"
    return 127.0 if has_vnni else 63.0
