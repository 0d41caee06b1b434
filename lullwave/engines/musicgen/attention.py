"""Where queries look: keys and values kept per slot, and the three ways to attend to them; knows no weights.

A *slot* holds the keys and values of one window of one song: two rows (with the prompt, and without or against it).
A *lane* is one position of one slot that goes through the decoder.

- ``RaggedAttention``: any lanes, each by itself over exactly its live part. A lane's arithmetic does not depend on
  the lanes beside it, nor on whether its past came step by step or in one go. For the CPU.
- ``ChunkAttention``: many positions of one slot at once under a causal mask. Fast, equal to rounding.
- ``StaticAttention``: one lane per slot in fixed buffers, so that a graph of kernels can be recorded. For GPUs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import Shape
from .huge_pages import prefer_large_pages

ROWS = 2  # rows of a slot


@dataclass(frozen=True, eq=False)
class Memory:
    """What cross-attention looks at: keys and values of a prompt's tokens in every layer.

    ``keys`` and ``values`` are (L, H, S, d); ``bias`` (S,) is added to the scores: the logarithm of the weight that a
    token has (a blend's share, a word's weight). None means that all weigh the same.
    """

    keys: Tensor
    values: Tensor
    bias: Tensor | None = None

    @property
    def length(self) -> int:
        return int(self.keys.shape[2])


@dataclass(frozen=True, eq=False)
class Lane:
    """One position of one slot. ``inputs`` is (K,) tokens or (rows, D) states of a prefix."""

    slot: int
    position: int
    inputs: Tensor
    memories: tuple[Memory | None, ...]  # one per row
    heard: bool = True  # whether its logits are wanted

    @property
    def rows(self) -> int:
        return len(self.memories)


class Cache:
    """Keys and values: (L, slots, rows, H, T, d) each. Pages that were never written take no memory on the CPU."""

    def __init__(self, shape: Shape, slots: int, length: int, dtype: torch.dtype, device: torch.device) -> None:
        size = (shape.layers, slots, ROWS, shape.heads, length, shape.head_size)
        self.slots = slots
        self.length = length
        self.keys = torch.empty(size, dtype=dtype, device=device)
        self.values = torch.empty(size, dtype=dtype, device=device)
        if device.type == "cpu":
            for part in (self.keys, self.values):
                prefer_large_pages(part.data_ptr(), part.nbytes)
        else:  # masked positions are multiplied by zero there, which a stray NaN survives
            self.keys.zero_()
            self.values.zero_()

    def copy(self, source: int, target: int, positions: int) -> None:
        """The first ``positions`` of one slot to another."""
        for part in (self.keys, self.values):
            part[:, target, :, :, :positions] = part[:, source, :, :, :positions]

    @staticmethod
    def bytes_per_slot(shape: Shape, length: int, dtype: torch.dtype) -> int:
        return 2 * shape.layers * ROWS * shape.hidden * length * dtype.itemsize


class Attention(Protocol):
    """What the decoder asks of a way to attend."""

    def own(self, layer: int, qkv: Tensor) -> Tensor:
        """Store keys and values and attend to the past: (R, 3D) → (R, D)."""

    def crossing(self, x: Tensor) -> Tensor | None:
        """The rows that look at a prompt; None when there are none."""

    def cross(self, layer: int, query: Tensor) -> Tensor:
        """Attend to the prompts: (rows of ``crossing``, D) → the same."""

    def add(self, x: Tensor, change: Tensor) -> Tensor:
        """``x`` with ``change`` added in the rows of ``crossing``."""


def _attend(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None) -> Tensor:
    """Softmax attention; queries come scaled. (…, n, d) × (…, S, d)² → (…, n, d)."""
    if query.shape[-2] == 1:  # keys times query reads the keys as they lie: a quarter faster than the other way round,
        # and 2.4 times as fast as with a query whose heads lie apart
        scores = torch.matmul(keys, query.contiguous().transpose(-1, -2)).transpose(-1, -2)
    else:
        scores = torch.matmul(query, keys.transpose(-1, -2))
    if bias is not None:
        scores = scores + bias
    return torch.matmul(torch.softmax(scores, dim=-1), values)


class RaggedAttention:
    """Every lane by itself over its live part."""

    def __init__(self, cache: Cache, shape: Shape, lanes: Sequence[Lane]) -> None:
        self._cache, self._heads, self._size = cache, shape.heads, shape.head_size
        self._lanes: list[tuple[int, int, int, int]] = []  # slot, position, first row, end of rows
        self._memories: list[Memory] = []
        rows: list[int] = []
        at = 0
        for lane in lanes:
            self._lanes.append((lane.slot, lane.position, at, at + lane.rows))
            for row, memory in enumerate(lane.memories):
                if memory is not None:
                    rows.append(at + row)
                    self._memories.append(memory)
            at += lane.rows
        self._all = len(rows) == at
        self._first = rows == [0]  # one song with guidance: the common case needs no gathering
        self._rows = torch.tensor(rows, dtype=torch.long)

    def own(self, layer: int, qkv: Tensor) -> Tensor:
        query, key, value = qkv.view(qkv.shape[0], 3, self._heads, 1, self._size).unbind(1)
        keys, values = self._cache.keys[layer], self._cache.values[layer]
        for slot, position, start, stop in self._lanes:
            keys[slot, : stop - start, :, position] = key[start:stop, :, 0]
            values[slot, : stop - start, :, position] = value[start:stop, :, 0]
        seen = [
            _attend(query[a:b], keys[slot, : b - a, :, : p + 1], values[slot, : b - a, :, : p + 1])
            for slot, p, a, b in self._lanes
        ]
        return (seen[0] if len(seen) == 1 else torch.cat(seen)).view(qkv.shape[0], -1)

    def crossing(self, x: Tensor) -> Tensor | None:
        if not self._memories:
            return None
        if self._all:
            return x
        return x[:1] if self._first else x.index_select(0, self._rows)

    def cross(self, layer: int, query: Tensor) -> Tensor:
        query = query.view(-1, self._heads, 1, self._size)
        seen = [
            _attend(query[row], memory.keys[layer], memory.values[layer], memory.bias)
            for row, memory in enumerate(self._memories)
        ]
        return (seen[0] if len(seen) == 1 else torch.stack(seen)).view(len(seen), -1)

    def add(self, x: Tensor, change: Tensor) -> Tensor:
        if self._all:
            return x + change
        if self._first:
            x[:1] += change
            return x
        return x.index_add_(0, self._rows, change)


class ChunkAttention:
    """Positions ``start`` … ``start + n`` of one slot; rows are laid out row by row: (rows · n, D)."""

    def __init__(
        self, cache: Cache, shape: Shape, slot: int, start: int, count: int, memories: Sequence[Memory | None]
    ) -> None:
        self._cache, self._heads, self._size = cache, shape.heads, shape.head_size
        self._slot, self._start, self._count, self._rows = slot, start, count, len(memories)
        self._memories = [memory for memory in memories if memory is not None]
        self._which = [row for row, memory in enumerate(memories) if memory is not None]
        device = cache.keys.device
        ahead = (
            torch.arange(start + count, device=device)[None]
            > torch.arange(start, start + count, device=device)[:, None]
        )
        self._mask = torch.zeros(ahead.shape, dtype=cache.keys.dtype, device=device).masked_fill_(ahead, -torch.inf)

    def own(self, layer: int, qkv: Tensor) -> Tensor:
        parts = qkv.view(self._rows, self._count, 3, self._heads, self._size).permute(2, 0, 3, 1, 4)
        end = self._start + self._count
        keys = self._cache.keys[layer, self._slot, : self._rows]
        values = self._cache.values[layer, self._slot, : self._rows]
        keys[:, :, self._start : end] = parts[1]
        values[:, :, self._start : end] = parts[2]
        seen = F.scaled_dot_product_attention(
            parts[0], keys[:, :, :end], values[:, :, :end], attn_mask=self._mask, scale=1.0
        )
        return seen.transpose(1, 2).reshape(self._rows * self._count, -1)

    def crossing(self, x: Tensor) -> Tensor | None:
        if not self._which:
            return None
        return x.view(self._rows, self._count, -1)[self._which].flatten(0, 1)

    def cross(self, layer: int, query: Tensor) -> Tensor:
        query = query.view(len(self._which), self._count, self._heads, self._size).transpose(1, 2)
        seen = [
            _attend(query[row], memory.keys[layer], memory.values[layer], memory.bias)
            for row, memory in enumerate(self._memories)
        ]
        return torch.stack(seen).transpose(1, 2).reshape(len(seen) * self._count, -1)

    def add(self, x: Tensor, change: Tensor) -> Tensor:
        parts = x.view(self._rows, self._count, -1).clone()
        parts[self._which] += change.view(len(self._which), self._count, -1)
        return parts.view(x.shape)
