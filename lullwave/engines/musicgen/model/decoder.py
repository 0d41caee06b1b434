"""The MusicGen decoder: a compact transformer over codebook tokens.

Pre-norm blocks with self-attention, cross-attention to the prompt and a GELU feed-forward (Copet et al. 2023,
arXiv:2306.05284). One fused product gives queries, keys and values, and one gives the logits of all codebooks. The keys
and values of a prompt are computed once. The row without a prompt skips cross-attention; this is exact, because its
encoder states are zero and the projections have no bias.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...linear import FloatLinear, Int8Linear, Linear
from .attention import Attention, ChunkAttention, KVCache, PromptKV, RaggedAttention, StepInput
from .config import ModelConfig
from .weights import Weights


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
    """The whole transformer. ``dtype`` of weights: torch.int8 (CPU only), bfloat16, float16 or float32."""

    def __init__(self, config: ModelConfig, weights: Weights, device: torch.device, dtype: torch.dtype) -> None:
        """Load the weights.

        Raises:
            CheckpointError: weights are absent or of another config.
        """
        self.config, self.device, self.dtype = config, device, dtype
        # activations: on a GPU in the weights' precision; on the CPU float32, converted inside the products
        self.state_dtype = torch.float32 if device.type == "cpu" else dtype
        self.batch_invariant = dtype == torch.int8
        d, k, v = config.hidden, config.codebooks, config.vocabulary
        root = "decoder.model.decoder."

        def linear(names: Sequence[str], out: int, into: int, scale_first: float = 1.0) -> Linear:
            parts = [weights.get(name, (out, into)).float() for name in names]
            parts[0] = parts[0] * scale_first
            weight = torch.cat(parts)
            return Int8Linear(weight) if dtype == torch.int8 else FloatLinear(weight, dtype, device)

        def norm(name: str) -> Norm:
            return Norm(*(self._state(weights.get(f"{root}{name}.{part}", (d,))) for part in ("weight", "bias")))

        tables = [weights.get(f"{root}embed_tokens.{i}.weight", (v + 1, d)) for i in range(k)]
        self._table = self._state(torch.cat(tables))
        self._offsets = torch.arange(k, device=device) * (v + 1)
        scale = config.head_size**-0.5  # multiplied into the query weights; exact, as it is a power of two
        self._layers = []
        for i in range(config.layers):
            at = f"layers.{i}."
            own = [f"{root}{at}self_attn.{part}_proj.weight" for part in ("q", "k", "v")]
            cross = None
            if not config.melody:
                other = f"{root}{at}encoder_attn."
                pair = [weights.get(f"{other}{part}_proj.weight", (d, d)) for part in ("k", "v")]
                cross = CrossAttention(
                    norm(f"{at}encoder_attn_layer_norm"),
                    linear([f"{other}q_proj.weight"], d, d, scale),
                    FloatLinear(torch.cat(pair), dtype if dtype.is_floating_point else torch.bfloat16, device),
                    linear([f"{other}out_proj.weight"], d, d),
                )
            self._layers.append(
                Layer(
                    norm(f"{at}self_attn_layer_norm"),
                    linear(own, d, d, scale),
                    linear([f"{root}{at}self_attn.out_proj.weight"], d, d),
                    cross,
                    norm(f"{at}final_layer_norm"),
                    linear([f"{root}{at}fc1.weight"], config.ffn, d),
                    linear([f"{root}{at}fc2.weight"], d, config.ffn),
                )
            )
        self._norm = norm("layer_norm")
        self._heads = linear([f"decoder.lm_heads.{i}.weight" for i in range(k)], v, d)
        self._positions = self._state(sinusoids(4096, d))

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights that one step reads."""
        d, f = self.config.hidden, self.config.ffn
        per_layer = 4 * d * d + 2 * d * f + (0 if self.config.melody else 2 * d * d)
        heads = self.config.codebooks * self.config.vocabulary * d
        return (self.config.layers * per_layer + heads) * self.dtype.itemsize

    def prompt_kv(self, states: Tensor, log_weights: Tensor | None = None) -> PromptKV:
        """Keys and values of a prompt with encoder states (S, D)."""
        h, size = self.config.heads, self.config.head_size
        keys, values = [], []
        for layer in self._layers:
            assert layer.cross is not None
            both = layer.cross.key_value(states.to(self.device, self.state_dtype)).view(-1, 2, h, size)
            keys.append(both[:, 0].transpose(0, 1).contiguous())
            values.append(both[:, 1].transpose(0, 1).contiguous())
        bias = None if log_weights is None else self._state(log_weights)
        return PromptKV(torch.stack(keys), torch.stack(values), bias)

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
        positions = self._positions[start : start + count]
        states = (self.embed(inputs)[None] if inputs.dim() == 2 else inputs.to(positions)) + positions
        x = states.expand(len(prompt_kvs), -1, -1).reshape(len(prompt_kvs) * count, -1)
        self.run(x, ChunkAttention(cache, self.config, slot, start, count, prompt_kvs))

    def embed(self, tokens: Tensor) -> Tensor:
        """Embed tokens: (…, K) → (…, D), the sum over codebooks."""
        return F.embedding(tokens + self._offsets, self._table).sum(-2)

    def position_encodings(self, positions: Tensor) -> Tensor:
        """Positional encodings: (R,) → (R, D)."""
        return self._positions[positions]

    def run(self, x: Tensor, attention: Attention) -> Tensor:
        """Run all blocks: (R, D) → (R, D)."""
        for i, layer in enumerate(self._layers):
            x = x + layer.out(attention.self_attend(i, layer.qkv(layer.norm(x))))
            if layer.cross is not None and (seen := attention.prompted_rows(x)) is not None:
                query = layer.cross.query(layer.cross.norm(seen))
                x = attention.add_to_prompted(x, layer.cross.out(attention.cross_attend(i, query)))
            x = x + layer.down(F.gelu(layer.up(layer.ffn_norm(x))))
        return x

    def logits(self, x: Tensor) -> Tensor:
        """(R, D) → (R, K, V) in float32."""
        return self._heads(self._norm(x)).view(-1, self.config.codebooks, self.config.vocabulary).float()

    def _embedded(self, item: StepInput) -> Tensor:
        states = self.embed(item.inputs)[None] if item.inputs.dim() == 1 else item.inputs.to(self.state_dtype)
        return (states + self._positions[item.position]).expand(item.rows, -1)

    def _state(self, tensor: Tensor) -> Tensor:
        return tensor.to(device=self.device, dtype=self.state_dtype)


def sinusoids(count: int, size: int) -> Tensor:
    """Positional encodings (count, size): cosines, then sines, wavelengths 2π to 10000 · 2π (Vaswani et al. 2017)."""
    half = size // 2
    rates = torch.exp(torch.arange(half, dtype=torch.float32) * -(math.log(10000.0) / (half - 1)))
    angles = torch.arange(count, dtype=torch.float32)[:, None] * rates[None]
    return torch.cat([torch.cos(angles), torch.sin(angles)], dim=1)
