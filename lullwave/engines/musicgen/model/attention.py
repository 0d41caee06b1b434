"""The ways to attend to the KV cache and to prompts.

- ``RaggedAttention``: any step inputs, each over exactly the positions it has. The result of one input does not depend
  on the others, nor on whether its past was computed step by step or at once. For the CPU.
- ``ChunkAttention``: many positions of one slot at once under a causal mask. Faster, equal up to rounding.
- ``StaticAttention`` (in ``stepper``): one input per slot in fixed buffers, for CUDA graphs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ...linear import FloatLinear
from .config import ModelConfig
from .kv_cache import KVCache


@dataclass(frozen=True, eq=False)
class PromptKV:
    """Keys and values of a prompt's tokens for the cross-attention of every layer.

    ``keys`` and ``values`` are (L, H, S, d). ``bias`` (S,) is added to the attention scores: the logarithm of each
    token's weight (the share of its prompt in a blend, times the weight of its word). None: all weights are 1.
    """

    keys: Tensor
    values: Tensor
    bias: Tensor | None = None

    @classmethod
    def projected(
        cls, products: Iterable[FloatLinear], heads: int, states: Tensor, log_weights: Tensor | None
    ) -> PromptKV:
        """Those of encoder states (S, D), by the products of all layers that give keys and values."""
        keys, values = [], []
        for product in products:
            both = product(states).view(states.shape[0], 2, heads, -1)
            keys.append(both[:, 0].transpose(0, 1).contiguous())
            values.append(both[:, 1].transpose(0, 1).contiguous())
        return cls(torch.stack(keys), torch.stack(values), log_weights)

    @property
    def length(self) -> int:
        return int(self.keys.shape[2])


@dataclass(frozen=True, eq=False)
class StepInput:
    """One position of one slot to run through the decoder. ``inputs``: (K,) tokens or (rows, D) states of a prefix."""

    slot: int
    position: int
    inputs: Tensor
    prompt_kvs: tuple[PromptKV | None, ...]  # one per row
    needs_logits: bool = True  # False: only its keys and values are needed

    @property
    def rows(self) -> int:
        return len(self.prompt_kvs)


class StepDecoder(Protocol):
    """A decoder that steps any inputs over a cache: ``Decoder``, or ``NativeDecoder``."""

    config: ModelConfig
    device: torch.device
    dtype: torch.dtype  # of the weights
    state_dtype: torch.dtype  # of activations
    cache_dtype: torch.dtype  # of keys and values
    batch_invariant: bool  # a row has the same bits in any company

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights that one step reads."""

    def prompt_kv(self, states: Tensor, log_weights: Tensor | None = None) -> PromptKV:
        """Keys and values of a prompt with encoder states (S, D)."""

    def step(self, cache: KVCache, items: Sequence[StepInput]) -> Tensor:
        """Run step inputs through the decoder: float32 logits (R, K, V) of the rows that need them."""

    def chunk(
        self, cache: KVCache, slot: int, start: int, inputs: Tensor, prompt_kvs: Sequence[PromptKV | None]
    ) -> None:
        """Fill positions of one slot from ``start`` on: with tokens (n, K) or prefix states (rows, n, D)."""


class Attention(Protocol):
    """How the decoder attends to the cache and to the prompts."""

    def self_attend(self, layer: int, qkv: Tensor) -> Tensor:
        """Store keys and values and attend to the past: (R, 3D) → (R, D)."""

    def prompted_rows(self, x: Tensor) -> Tensor | None:
        """The rows of ``x`` that have a prompt; None if no row has one."""

    def cross_attend(self, layer: int, query: Tensor) -> Tensor:
        """Attend to the prompts: (rows of ``prompted_rows``, D) → the same."""

    def add_to_prompted(self, x: Tensor, change: Tensor) -> Tensor:
        """Add ``change`` to the rows of ``prompted_rows``."""


def attend(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None) -> Tensor:
    """Softmax attention; queries come scaled. (…, n, d) × (…, S, d)² → (…, n, d)."""
    if query.shape[-2] == 1:  # keys times query reads the keys in memory order: 25 % faster than query times keys,
        # and 2.4 times as fast as with a query that is not contiguous
        scores = torch.matmul(keys, query.contiguous().transpose(-1, -2)).transpose(-1, -2)
    else:
        scores = torch.matmul(query, keys.transpose(-1, -2))
    if bias is not None:
        scores = scores + bias
    return torch.matmul(torch.softmax(scores, dim=-1), values)


class RaggedAttention:
    """Attends for every step input separately, over exactly the positions it has."""

    def __init__(self, cache: KVCache, config: ModelConfig, items: Sequence[StepInput]) -> None:
        self._cache, self._heads, self._size = cache, config.heads, config.head_size
        self._items: list[tuple[int, int, int, int]] = []  # slot, position, first row, end of rows
        self._prompt_kvs: list[PromptKV] = []
        rows: list[int] = []
        at = 0
        for item in items:
            self._items.append((item.slot, item.position, at, at + item.rows))
            for row, prompt_kv in enumerate(item.prompt_kvs):
                if prompt_kv is not None:
                    rows.append(at + row)
                    self._prompt_kvs.append(prompt_kv)
            at += item.rows
        self._all = len(rows) == at
        self._first = rows == [0]  # one song with guidance: the common case needs no gathering
        self._rows = torch.tensor(rows, dtype=torch.long)

    def self_attend(self, layer: int, qkv: Tensor) -> Tensor:
        query, key, value = qkv.view(qkv.shape[0], 3, self._heads, 1, self._size).unbind(1)
        cache = self._cache.layer(layer)
        for slot, position, start, stop in self._items:
            cache.put(
                (slot, slice(stop - start), slice(None), position), key[start:stop, :, 0], value[start:stop, :, 0]
            )
        seen = [
            attend(query[a:b], *cache.get((slot, slice(b - a), slice(None), slice(p + 1)), query.dtype))
            for slot, p, a, b in self._items
        ]
        return (seen[0] if len(seen) == 1 else torch.cat(seen)).view(qkv.shape[0], -1)

    def prompted_rows(self, x: Tensor) -> Tensor | None:
        if not self._prompt_kvs:
            return None
        if self._all:
            return x
        return x[:1] if self._first else x.index_select(0, self._rows)

    def cross_attend(self, layer: int, query: Tensor) -> Tensor:
        query = query.view(-1, self._heads, 1, self._size)
        seen = [
            attend(query[row], prompt_kv.keys[layer], prompt_kv.values[layer], prompt_kv.bias)
            for row, prompt_kv in enumerate(self._prompt_kvs)
        ]
        return (seen[0] if len(seen) == 1 else torch.stack(seen)).view(len(seen), -1)

    def add_to_prompted(self, x: Tensor, change: Tensor) -> Tensor:
        if self._all:
            return x + change
        if self._first:
            x[:1] += change
            return x
        return x.index_add_(0, self._rows, change)


class ChunkAttention:
    """Attends for positions ``start`` … ``start + n`` of one slot at once; states are row by row: (rows · n, D)."""

    def __init__(
        self,
        cache: KVCache,
        config: ModelConfig,
        slot: int,
        start: int,
        count: int,
        prompt_kvs: Sequence[PromptKV | None],
    ) -> None:
        self._cache, self._heads, self._size = cache, config.heads, config.head_size
        self._slot, self._start, self._count, self._rows = slot, start, count, len(prompt_kvs)
        self._prompt_kvs = [prompt_kv for prompt_kv in prompt_kvs if prompt_kv is not None]
        self._which = [row for row, prompt_kv in enumerate(prompt_kvs) if prompt_kv is not None]
        device = cache.keys.device
        ahead = (
            torch.arange(start + count, device=device)[None]
            > torch.arange(start, start + count, device=device)[:, None]
        )
        self._mask = torch.zeros(ahead.shape, device=device).masked_fill_(ahead, -torch.inf)

    def self_attend(self, layer: int, qkv: Tensor) -> Tensor:
        parts = qkv.view(self._rows, self._count, 3, self._heads, self._size).permute(2, 0, 3, 1, 4)
        end, cache = self._start + self._count, self._cache.layer(layer)
        here = (self._slot, slice(self._rows), slice(None))
        cache.put((*here, slice(self._start, end)), parts[1], parts[2])
        keys, values = cache.get((*here, slice(end)), qkv.dtype)
        seen = F.scaled_dot_product_attention(parts[0], keys, values, attn_mask=self._mask.to(qkv.dtype), scale=1.0)
        return seen.transpose(1, 2).reshape(self._rows * self._count, -1)

    def prompted_rows(self, x: Tensor) -> Tensor | None:
        if not self._which:
            return None
        return x.view(self._rows, self._count, -1)[self._which].flatten(0, 1)

    def cross_attend(self, layer: int, query: Tensor) -> Tensor:
        query = query.view(len(self._which), self._count, self._heads, self._size).transpose(1, 2)
        seen = [
            attend(query[row], prompt_kv.keys[layer], prompt_kv.values[layer], prompt_kv.bias)
            for row, prompt_kv in enumerate(self._prompt_kvs)
        ]
        return torch.stack(seen).transpose(1, 2).reshape(len(seen) * self._count, -1)

    def add_to_prompted(self, x: Tensor, change: Tensor) -> Tensor:
        parts = x.view(self._rows, self._count, -1).clone()
        parts[self._which] += change.view(len(self._which), self._count, -1)
        return parts.view(x.shape)
