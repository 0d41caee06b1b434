"""The decoder's weights by their place in it, fused as products want them and read one at a time."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .config import ModelConfig
from .weights import Weights

ProductName = Literal["qkv", "out", "cross_query", "cross_out", "up", "down"]
NormName = Literal["norm", "cross_norm", "ffn_norm"]
PRODUCTS: tuple[ProductName, ...] = ("qkv", "out", "cross_query", "cross_out", "up", "down")
NORMS: tuple[NormName, ...] = ("norm", "cross_norm", "ffn_norm")

_ROOT = "decoder.model.decoder."
_NAMES = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "out": ("self_attn.out_proj",),
    "cross_query": ("encoder_attn.q_proj",),
    "cross_key_value": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
    "cross_out": ("encoder_attn.out_proj",),
    "up": ("fc1",),
    "down": ("fc2",),
    "norm": ("self_attn_layer_norm",),
    "cross_norm": ("encoder_attn_layer_norm",),
    "ffn_norm": ("final_layer_norm",),
}


class DecoderWeights:
    """Reads tensors of the decoder in float32. Every method raises CheckpointError for absent or other weights."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self._config, self._weights = config, weights

    def product(self, layer: int, name: ProductName | Literal["cross_key_value"]) -> Tensor:
        """Weights (out, in) of a product; those of queries include the scale of the attention scores."""
        d, f = self._config.hidden, self._config.ffn
        out, into = {"up": (f, d), "down": (d, f)}.get(name, (d, d))
        parts = [self._weights.get(f"{_ROOT}layers.{layer}.{part}.weight", (out, into)) for part in _NAMES[name]]
        parts = [part.float() for part in parts]
        if name in ("qkv", "cross_query"):
            parts[0] = parts[0] * self._config.head_size**-0.5  # exact where it is a power of two
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def norm(self, layer: int, name: NormName) -> tuple[Tensor, Tensor]:
        """Weight and bias (D,) of a normalization of a layer."""
        return self._norm(f"{_ROOT}layers.{layer}.{_NAMES[name][0]}")

    def final_norm(self) -> tuple[Tensor, Tensor]:
        """Weight and bias (D,) of the last normalization."""
        return self._norm(f"{_ROOT}layer_norm")

    def heads(self) -> Tensor:
        """Weights (K · V, D) of the logits."""
        size = (self._config.vocabulary, self._config.hidden)
        names = [f"decoder.lm_heads.{k}.weight" for k in range(self._config.codebooks)]
        return torch.cat([self._weights.get(name, size).float() for name in names])

    def table(self) -> Tensor:
        """Embeddings (K · (V + 1), D) of all codebooks."""
        size = (self._config.vocabulary + 1, self._config.hidden)
        names = [f"{_ROOT}embed_tokens.{k}.weight" for k in range(self._config.codebooks)]
        return torch.cat([self._weights.get(name, size).float() for name in names])

    def _norm(self, name: str) -> tuple[Tensor, Tensor]:
        size = (self._config.hidden,)
        return self._weights.get(f"{name}.weight", size).float(), self._weights.get(f"{name}.bias", size).float()
