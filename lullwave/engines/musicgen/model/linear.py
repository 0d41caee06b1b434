"""Matrix products with frozen weights, in floating point or in 8 bits; knows nothing of the model around them.

The 8-bit product quantizes the weights per output channel, once, and every input row by its own largest value. Its
sums are integers and therefore exact: the result of a row does not depend on the other rows. So a song sounds the same
alone and in a batch.
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
    """Multiplies in the precision of the weights; the result has the dtype of the input."""

    def __init__(self, weight: Tensor, dtype: torch.dtype, device: torch.device) -> None:
        self.weight = weight.to(device=device, dtype=dtype).contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        if x.dtype == self.weight.dtype:
            return F.linear(x, self.weight)
        return F.linear(x.to(self.weight.dtype), self.weight).to(x.dtype)


class Int8Linear:
    """Multiplies 8-bit rows by 8-bit weights on the CPU, with torch's own kernels (FBGEMM or oneDNN)."""

    def __init__(self, weight: Tensor) -> None:
        weight = weight.detach().float().contiguous()
        scale = weight.abs().amax(dim=1).clamp_min(1e-12).double() / 127.0
        zero = torch.zeros(scale.shape, dtype=torch.long)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns that quantization moves to another package
            quantized = torch.quantize_per_channel(weight, scale, zero, 0, torch.qint8)
            self._packed: Any = torch.ops.quantized.linear_prepack(quantized, None)
        self._step = 1.0 / _input_levels()

    def __call__(self, x: Tensor) -> Tensor:
        largest = x.abs().amax(dim=1, keepdim=True)  # 0 for a row of zeros: the result of 0/0 is multiplied by 0 again
        product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            x / largest, self._step, 128, self._packed
        )
        return product.mul_(largest)  # type: ignore[no-any-return]


def int8_available() -> bool:
    """Tell whether torch has fast 8-bit kernels on this machine."""
    return bool(torch.backends.quantized.engine in ("x86", "fbgemm", "onednn"))


def _input_levels() -> float:
    """Largest quantized input. Without VNNI, FBGEMM adds pairs of products in 16 bits: 7-bit inputs do not overflow."""
    capability = torch.backends.cpu.get_cpu_capability()
    vnni = getattr(torch.cpu, "_is_vnni_supported", None)
    has_vnni = bool(vnni()) if vnni is not None else capability == "AVX512"
    return 127.0 if has_vnni else 63.0
