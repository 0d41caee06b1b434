"""Runs the products of the denoiser's and the decoder's layers in 8 bits on CPUs, with the kernels that MusicGen uses.

Quantized are the products over the latents, which are nearly all of the work: weights per output channel, inputs per
row. Text, noise levels and the known latents are computed once a window and stay in floating point, and so does the
encoder, which is seldom used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ...linear import Int8Linear, int8_available

DENOISER = (("self_attn", ("to_qkv", "to_out")), ("cross_attn", ("to_q", "to_out")), ("ff", ("proj_in", "proj_out")))
DECODER = (("attn", ("to_qkv", "to_out")), ("ff", ("proj_in", "proj_out")))


class QuantizedLinear(nn.Module):
    """A linear layer (…, in) → (…, out) whose product is made in 8 bits."""

    def __init__(self, linear: Any) -> None:
        super().__init__()
        self._product = Int8Linear(linear.weight, linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        out = self._product(x.flatten(0, -2).float())
        return out.to(x.dtype).view(*x.shape[:-1], -1)


def available() -> bool:
    """Tell whether torch has fast 8-bit kernels on this machine."""
    return int8_available()


def quantize_denoiser(transformer: Any) -> None:
    """Replace the linear layers of a ``StableAudio3DiTModel``. Their weights are freed."""
    for block in transformer.transformer_blocks:
        _quantize(block, DENOISER)


def quantize_decoder(autoencoder: Any) -> None:
    """Replace the linear layers of an ``AutoencoderSAME``'s decoder. Their weights are freed."""
    for layer in decoder_layers(autoencoder):
        _quantize(layer, DECODER)


def decoder_layers(autoencoder: Any) -> list[Any]:
    """The transformer layers of an ``AutoencoderSAME``'s decoder."""
    return [layer for block in autoencoder.decoder.blocks for layer in block.transformers]


def _quantize(layer: Any, parts: Sequence[tuple[str, Sequence[str]]]) -> None:
    for part, names in parts:
        owner = getattr(layer, part)
        for name in names:
            setattr(owner, name, QuantizedLinear(getattr(owner, name)))
