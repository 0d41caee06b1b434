"""Runs the products of the denoiser's layers in 8 bits on CPUs, with the kernels that MusicGen uses.

Quantized are the products over the latents, which are nearly all of the work: weights per output channel, inputs per
row. Text, noise levels and the known latents are computed once a window and stay in floating point, and so does the
autoencoder.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ...linear import Int8Linear, int8_available

QUANTIZED = (("self_attn", ("to_qkv", "to_out")), ("cross_attn", ("to_q", "to_out")), ("ff", ("proj_in", "proj_out")))


class QuantizedLinear(nn.Module):
    """A linear layer (…, in) → (…, out) whose product is made in 8 bits."""

    def __init__(self, linear: Any) -> None:
        super().__init__()
        self._product = Int8Linear(linear.weight)
        self._bias = None if linear.bias is None else linear.bias.detach().float()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self._product(x.flatten(0, -2).float())
        if self._bias is not None:
            out = out + self._bias
        return out.to(x.dtype).view(*x.shape[:-1], -1)


def available() -> bool:
    """Tell whether torch has fast 8-bit kernels on this machine."""
    return int8_available()


def quantize(transformer: Any) -> None:
    """Replace the linear layers of each block of a ``StableAudio3DiTModel``; their weights are freed."""
    for block in transformer.transformer_blocks:
        for part, names in QUANTIZED:
            owner = getattr(block, part)
            for name in names:
                setattr(owner, name, QuantizedLinear(getattr(owner, name)))
