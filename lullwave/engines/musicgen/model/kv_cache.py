"""The KV cache: keys and values of the past, in floating point or in 8 bits.

A *slot* holds those of one window of one song, in two rows: one with the prompt, and one without it or with the
negative prompt, for guidance. In 8 bits each key and each value of a head has a scale of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .config import ModelConfig
from .huge_pages import prefer_huge_pages

ROWS = 2  # rows of a slot: prompted, and unprompted or negative
LEVELS = 127  # 8-bit keys and values are whole numbers -127..127

Index = tuple[Any, ...]  # of slots, rows, heads, positions


class KVCache:
    """Keys and values, (L, slots, rows, H, T, d) each. On a CPU, memory is used only for pages that were written.

    ``dtype`` int8 adds scales in float32, (L, slots, rows, H, T).
    """

    def __init__(self, config: ModelConfig, slots: int, length: int, dtype: torch.dtype, device: torch.device) -> None:
        size = (config.layers, slots, ROWS, config.heads, length, config.head_size)
        self.slots = slots
        self.length = length
        self.dtype = dtype
        self.keys = torch.empty(size, dtype=dtype, device=device)
        self.values = torch.empty(size, dtype=dtype, device=device)
        self.key_scales = self.value_scales = None
        if dtype == torch.int8:
            self.key_scales = torch.empty(size[:-1], device=device)
            self.value_scales = torch.empty(size[:-1], device=device)
        for part in self._parts:
            if device.type == "cpu":
                prefer_huge_pages(part.data_ptr(), part.nbytes)
            else:  # masked positions are multiplied by 0 there, and 0 times NaN is NaN
                part.zero_()

    def layer(self, number: int) -> LayerCache:
        """The keys and values of one layer."""
        scales = (self.key_scales, self.value_scales)
        return LayerCache(
            self.keys[number], self.values[number], *(None if part is None else part[number] for part in scales)
        )

    def copy(self, source: int, target: int, positions: int) -> None:
        """Copy the first ``positions`` of one slot to another."""
        for part in self._parts:
            part[:, target, :, :, :positions] = part[:, source, :, :, :positions]

    @staticmethod
    def bytes_per_slot(config: ModelConfig, length: int, dtype: torch.dtype) -> int:
        head = config.head_size * dtype.itemsize + (torch.float32.itemsize if dtype == torch.int8 else 0)
        return 2 * config.layers * ROWS * config.heads * length * head

    @property
    def _parts(self) -> list[Tensor]:
        return [part for part in (self.keys, self.values, self.key_scales, self.value_scales) if part is not None]


@dataclass(frozen=True, eq=False)
class LayerCache:
    """Views of the keys and values (slots, rows, H, T, d) of one layer, and of their scales in 8 bits."""

    keys: Tensor
    values: Tensor
    key_scales: Tensor | None
    value_scales: Tensor | None

    def put(self, index: Index, keys: Tensor, values: Tensor) -> None:
        """Store keys and values (…, d)."""
        for part, scales, new in (
            (self.keys, self.key_scales, keys),
            (self.values, self.value_scales, values),
        ):
            if scales is None:
                part[index] = new.to(part.dtype)
            else:
                part[index], scales[index] = in_8_bits(new)

    def get(self, index: Index, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Keys and values (…, d) in ``dtype``."""
        keys, values = self.keys[index].to(dtype), self.values[index].to(dtype)
        if self.key_scales is None or self.value_scales is None:
            return keys, values
        return (
            keys * self.key_scales[index].to(dtype).unsqueeze(-1),
            values * self.value_scales[index].to(dtype).unsqueeze(-1),
        )


def in_8_bits(x: Tensor) -> tuple[Tensor, Tensor]:
    """(…, d) → whole numbers int8 (…, d) and their scales float32 (…,)."""
    x = x.float()
    peaks = x.abs().amax(-1)
    factors = torch.where(peaks > 0, LEVELS / peaks, 0.0)
    return (x * factors.unsqueeze(-1)).round().to(torch.int8), peaks / LEVELS
