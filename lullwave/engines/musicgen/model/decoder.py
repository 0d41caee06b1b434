"""The MusicGen decoder: a compact transformer over codebook tokens.

Pre-norm blocks with self-attention, cross-attention to the prompt and a GELU feed-forward (Copet et al. 2023,
arXiv:2306.05284). One fused product gives queries, keys and values, and one gives the logits of all codebooks. The keys
and values of a prompt are computed once. The row without a prompt skips cross-attention; this is exact, because its
encoder states are zero and the projections have no bias.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...linear import FloatLinear, Int8Linear, Linear
from .attention import Attention, ChunkAttention, PromptKV, RaggedAttention, StepInput
from .config import ModelConfig
from .decoder_weights import DecoderWeights, ProductName
from .grouped_int8 import WeightOnlyLinear
from .kv_cache import KVCache
from .weights import Weights

POSITIONS = 4096  # positional encodings


@dataclass(frozen=True)
class Norm:
    """Layer normalization with its affine part."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5)


@dataclass(frozen=True)
class CrossAttention:
    """Cross-attention of one layer."""

    norm: Norm
    query: Linear
    key_value: FloatLinear  # used once per prompt
    out: Linear


@dataclass(frozen=True)
class Layer:
    """One block."""

    norm: Norm
    qkv: Linear
    out: Linear
    cross: CrossAttention | None
    ffn_norm: Norm
    up: Linear
    down: Linear


class Decoder:
    """The whole transformer. ``dtype`` of weights: torch.int8, bfloat16, float16 or float32."""

    def __init__(
        self,
        config: ModelConfig,
        weights: Weights,
        device: torch.device,
        dtype: torch.dtype,
        quantized: Callable[[str, Tensor], Linear] = lambda product, weight: Int8Linear(weight),
    ) -> None:
        """Load the weights. ``quantized`` makes the products of quantized weights on a CPU, by their names.

        Raises:
            CheckpointError: weights are absent or of another config.
        """
        self.config, self.device, self.dtype = config, device, dtype
        on_cpu = device.type == "cpu"
        half = torch.bfloat16 if device.type == "cuda" else torch.float16
        # activations: on a GPU in the weights' precision; on the CPU float32, converted inside the products
        self.state_dtype = torch.float32 if on_cpu else half if dtype == torch.int8 else dtype
        self.cache_dtype = self.state_dtype
        self.batch_invariant = on_cpu and dtype == torch.int8
        read = DecoderWeights(config, weights)

        def linear(product: str, weight: Tensor) -> Linear:
            if dtype != torch.int8:
                return FloatLinear(weight, dtype, device)
            return quantized(product, weight) if on_cpu else WeightOnlyLinear(weight, half, device)

        def of_layer(layer: int, product: ProductName) -> Linear:
            return linear(product, read.product(layer, product))

        def norm(pair: tuple[Tensor, Tensor]) -> Norm:
            return Norm(*(self._state(part) for part in pair))

        self.table = self._state(read.table())
        self._offsets = torch.arange(config.codebooks, device=device) * (config.vocabulary + 1)
        self.layers = []
        for i in range(config.layers):
            cross = None
            if not config.melody:
                float_dtype = dtype if dtype.is_floating_point else torch.bfloat16 if on_cpu else half
                cross = CrossAttention(
                    norm(read.norm(i, "cross_norm")),
                    of_layer(i, "cross_query"),
                    FloatLinear(read.product(i, "cross_key_value"), float_dtype, device),
                    of_layer(i, "cross_out"),
                )
            self.layers.append(
                Layer(
                    norm(read.norm(i, "norm")),
                    of_layer(i, "qkv"),
                    of_layer(i, "out"),
                    cross,
                    norm(read.norm(i, "ffn_norm")),
                    of_layer(i, "up"),
                    of_layer(i, "down"),
                )
            )
            weights.close()
        self.norm = norm(read.final_norm())
        self.heads = linear("heads", read.heads())
        self.positions = self._state(sinusoids(POSITIONS, config.hidden))

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights that one step reads."""
        d, f = self.config.hidden, self.config.ffn
        per_layer = 4 * d * d + 2 * d * f + (0 if self.config.melody else 2 * d * d)
        heads = self.config.codebooks * self.config.vocabulary * d
        return (self.config.layers * per_layer + heads) * self.dtype.itemsize

    def prompt_kv(self, states: Tensor, log_weights: Tensor | None = None) -> PromptKV:
        """Keys and values of a prompt with encoder states (S, D)."""
        products = [layer.cross.key_value for layer in self.layers if layer.cross is not None]
        bias = None if log_weights is None else self._state(log_weights)
        return PromptKV.projected(products, self.config.heads, self._state(states), bias)

    def step(self, cache: KVCache, items: Sequence[StepInput]) -> Tensor:
        """Run step inputs through the decoder: float32 logits (R, K, V) of the rows that need them.

        Inputs of one slot at rising positions may go together: each attends to those before it.
        """
        x = torch.cat([self._embedded(item) for item in items])
        x = self.run(x, RaggedAttention(cache, self.config, items))
        needs_logits = [i for i, item in enumerate(items) for _ in range(item.rows) if item.needs_logits]
        if not needs_logits:
            return x.new_zeros(0, self.config.codebooks, self.config.vocabulary)
        if not all(item.needs_logits for item in items):
            rows = [item.needs_logits for item in items for _ in range(item.rows)]
            x = x[torch.tensor(rows, device=self.device)]
        return self.logits(x)

    def chunk(
        self, cache: KVCache, slot: int, start: int, inputs: Tensor, prompt_kvs: Sequence[PromptKV | None]
    ) -> None:
        """Fill positions of one slot from ``start`` on, at once: with tokens (n, K) or prefix states (rows, n, D)."""
        count = inputs.shape[0] if inputs.dim() == 2 else inputs.shape[1]
        positions = self.positions[start : start + count]
        states = (self.embed(inputs)[None] if inputs.dim() == 2 else inputs.to(positions)) + positions
        x = states.expand(len(prompt_kvs), -1, -1).reshape(len(prompt_kvs) * count, -1)
        self.run(x, ChunkAttention(cache, self.config, slot, start, count, prompt_kvs))

    def embed(self, tokens: Tensor) -> Tensor:
        """Embed tokens: (…, K) → (…, D), the sum over codebooks."""
        return F.embedding(tokens + self._offsets, self.table).sum(-2)

    def position_encodings(self, positions: Tensor) -> Tensor:
        """Positional encodings: (R,) → (R, D)."""
        return self.positions[positions]

    def run(self, x: Tensor, attention: Attention) -> Tensor:
        """Run all blocks: (R, D) → (R, D)."""
        for i, layer in enumerate(self.layers):
            x = x + layer.out(attention.self_attend(i, layer.qkv(layer.norm(x))))
            if layer.cross is not None and (seen := attention.prompted_rows(x)) is not None:
                query = layer.cross.query(layer.cross.norm(seen))
                x = attention.add_to_prompted(x, layer.cross.out(attention.cross_attend(i, query)))
            x = x + layer.down(F.gelu(layer.up(layer.ffn_norm(x))))
        return x

    def logits(self, x: Tensor) -> Tensor:
        """(R, D) → (R, K, V) in float32."""
        return self.heads(self.norm(x)).view(-1, self.config.codebooks, self.config.vocabulary).float()

    def _embedded(self, item: StepInput) -> Tensor:
        inputs = item.inputs.to(self.device)
        states = self.embed(inputs)[None] if inputs.dim() == 1 else inputs.to(self.state_dtype)
        return (states + self.positions[item.position]).expand(item.rows, -1)

    def _state(self, tensor: Tensor) -> Tensor:
        return tensor.to(device=self.device, dtype=self.state_dtype)


def sinusoids(count: int, size: int) -> Tensor:
    """Positional encodings (count, size): cosines, then sines, wavelengths 2π to 10000 · 2π (Vaswani et al. 2017)."""
    half = size // 2
    rates = torch.exp(torch.arange(half, dtype=torch.float32) * -(math.log(10000.0) / (half - 1)))
    angles = torch.arange(count, dtype=torch.float32)[:, None] * rates[None]
    return torch.cat([torch.cos(angles), torch.sin(angles)], dim=1)
