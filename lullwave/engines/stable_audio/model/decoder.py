"""Makes sound of latents with the decoder of ``AutoencoderSAME``; computes the context that layers need, and no more.

A layer sees a fixed number of latents on each side. So after each layer less context is needed than before it, and what
no later layer sees is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .attention import norm
from .native_layers import NativeDecoderLayer, NativeLayers
from .packed_layers import PackedDecoderLayer, packable
from .packing import pack


@dataclass(frozen=True, eq=False)
class _Block:
    """A block of the decoder and the context that it needs."""

    network: Any
    layers: tuple[Callable[[Tensor], Tensor], ...]
    margins: tuple[int, ...]  # positions on each side that are needed after each of its layers


class Decoder:
    """(B, channels, T) latents → (B, C, frames) of sound. ``context``: latents on each side that sound depends on."""

    def __init__(self, autoencoder: Any, packed: bool = False, native: NativeLayers | None = None) -> None:
        """Prepare the layers.

        Args:
            autoencoder: an ``AutoencoderSAME``, whose weights may be taken out.
            packed: layers whose products can be packed are, for bfloat16 on a CPU; see ``packing.available``.
            native: layers whose sizes the native package knows are computed by it.
        """
        self._net = autoencoder
        self._blocks: list[_Block] = []
        margin = 0  # positions on each side that later blocks need
        for block in reversed(autoencoder.decoder.blocks):
            after = math.ceil(margin / block.stride)
            deeper = [after + block.sliding_window * n for n in range(len(block.transformers) + 1)]
            layers = tuple(_prepared(layer, packed, native) for layer in block.transformers)
            self._blocks.insert(0, _Block(block, layers, tuple(reversed(deeper[:-1]))))
            margin = deeper[-1]
        self.context = margin

    def __call__(self, latents: Tensor, left: int = 0, right: int = 0) -> Tensor:
        """The sound of all latents but the first ``left`` and the last ``right``, which are context."""
        net = self._net
        x = net.decoder.proj(net.bottleneck.decode(latents).transpose(1, 2))
        for block in self._blocks:
            x, left, right = _upsampled(block, x, left, right)
        sound: Tensor = net.patch_embed.decode(x[:, left : x.shape[1] - right].transpose(1, 2))
        return sound


def _upsampled(block: _Block, x: Tensor, left: int, right: int) -> tuple[Tensor, int, int]:
    """(B, T, in) → (B, T x stride, out), and how many of its positions are context on each side."""
    network = block.network
    rows, length, width = x.shape
    new = network.new_tokens.expand(rows * length, network.stride, width)
    size = network.stride + 1  # tokens of a position: its own, and one for each new position
    dtype = x.dtype
    x = torch.cat([x.reshape(rows * length, 1, width), new], dim=1).view(rows, length * size, width)
    for layer, margin in zip(block.layers, block.margins, strict=True):
        x = layer(x)
        spare_left, spare_right = max(0, left - margin), max(0, right - margin)
        x = x[:, spare_left * size : x.shape[1] - spare_right * size]
        left, right = left - spare_left, right - spare_right
    x = x.to(dtype).reshape(rows, -1, size, width)[:, :, 1:].flatten(1, 2)
    mapped = network.mapping(x.transpose(1, 2)).transpose(1, 2)
    return mapped, left * network.stride, right * network.stride


def _prepared(layer: Any, packed: bool, native: NativeLayers | None) -> Callable[[Tensor], Tensor]:
    """What computes a layer."""
    norms = (layer.norm_attn, layer.norm_ff)
    if native is not None and native.takes(layer.attn, layer.ff, layer.attn.processor.rotary, norms):
        return NativeDecoderLayer(native, layer)
    if packed and packable(layer):
        return PackedDecoderLayer(layer)
    if packed:
        pack([layer])
    return partial(_layer, layer)


def _layer(layer: Any, x: Tensor) -> Tensor:
    """(B, T, width) → the same: attention within the band, feed-forward."""
    x = x + layer.attn(norm(layer.norm_attn, x))
    fed: Tensor = layer.ff(norm(layer.norm_ff, x))
    return x + fed
