"""The KV cache: keys and values of the past, in floating point, in 8 bits or in 4.

A *slot* holds those of one window of one song, in two rows: one with the prompt, and one without it or with the
negative prompt, for guidance. In 8 bits each key and each value of a head has a scale of its own.

In 4 bits its channels are whole numbers -8..7, and each quarter of them has a factor 1..15 besides the scale, so that a
loud channel costs the others of its quarter precision, not the whole head. A number times its factor is a whole number
of 8 bits: kernels turn it into that and go on as in 8 bits.
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
NIBBLES = torch.uint8  # the dtype of a cache in 4 bits: two numbers in a byte
QUARTERS = 4  # parts of a head's channels that have a factor in 4 bits
FACTORS = 15  # the largest factor; with it a quarter has the whole scale
BLOCK = 16  # positions: the length of a cache in 4 bits is a multiple of it
_ORDER_OF_KEYS, _ORDER_OF_VALUES = (16, 4), (4, 1)  # positions that stand together, bytes of one side by side
_END = 7.5  # where the peak of a quarter is put: half a step beyond the last number on one side
_LEAST_PEAK = 1e-30  # of keys and values that are not taken for zeros, as in kernels.hpp
_SCALE_BITS = -65536  # of a word: its upper half

Index = tuple[Any, ...]  # of slots, rows, heads, positions


class KVCache:
    """Keys and values, (L, slots, rows, H, T, d) each. On a CPU, memory is used only for pages that were written.

    ``dtype`` int8 adds scales in float32, (L, slots, rows, H, T). ``NIBBLES`` has keys and values (…, d / 2): a channel
    of the first half of the head in the low half of a byte, that of the second half in the high one, both plus 8. In
    place of scales it has words in int32: a bfloat16 in the upper half, the factors of the four quarters in the lower
    one, the first factor lowest. The bytes of 16 positions of keys lie in the order (d / 8, 16, 4), those of four
    positions of values in the order (d / 2, 4), as sums read them.
    """

    def __init__(self, config: ModelConfig, slots: int, length: int, dtype: torch.dtype, device: torch.device) -> None:
        assert dtype != NIBBLES or length % BLOCK == 0, length
        stored = config.head_size // (2 if dtype == NIBBLES else 1)
        size = (config.layers, slots, ROWS, config.heads, length, stored)
        self.slots = slots
        self.length = length
        self.dtype = dtype
        self.keys = torch.empty(size, dtype=dtype, device=device)
        self.values = torch.empty(size, dtype=dtype, device=device)
        self.key_scales = self.value_scales = None
        if dtype in (torch.int8, NIBBLES):
            kind = torch.int32 if dtype == NIBBLES else torch.float32
            self.key_scales = torch.empty(size[:-1], dtype=kind, device=device)
            self.value_scales = torch.empty(size[:-1], dtype=kind, device=device)
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
        if self.dtype == NIBBLES:
            positions = -(-positions // BLOCK) * BLOCK
        for part in self._parts:
            part[:, target, :, :, :positions] = part[:, source, :, :, :positions]

    @staticmethod
    def bytes_per_slot(config: ModelConfig, length: int, dtype: torch.dtype) -> int:
        head = config.head_size * dtype.itemsize
        if dtype in (torch.int8, NIBBLES):
            head = head // (2 if dtype == NIBBLES else 1) + torch.float32.itemsize
        return 2 * config.layers * ROWS * config.heads * length * head

    @property
    def _parts(self) -> list[Tensor]:
        return [part for part in (self.keys, self.values, self.key_scales, self.value_scales) if part is not None]


@dataclass(frozen=True, eq=False)
class LayerCache:
    """Views of the keys and values (slots, rows, H, T, d) of one layer, and of their scales or words."""

    keys: Tensor
    values: Tensor
    key_scales: Tensor | None
    value_scales: Tensor | None

    def put(self, index: Index, keys: Tensor, values: Tensor) -> None:
        """Store keys and values (…, d)."""
        if self.keys.dtype == NIBBLES:
            assert self.key_scales is not None
            assert self.value_scales is not None
            for part, scales, order, new in (
                (self.keys, self.key_scales, _ORDER_OF_KEYS, keys),
                (self.values, self.value_scales, _ORDER_OF_VALUES, values),
            ):
                nibbles, scales[index] = in_4_bits(new)
                chosen, places = _in_order(part, order, index)
                chosen[places] = nibbles.reshape(*nibbles.shape[:-1], -1, order[1])
            return
        for part, levels, new in (
            (self.keys, self.key_scales, keys),
            (self.values, self.value_scales, values),
        ):
            if levels is None:
                part[index] = new.to(part.dtype)
            else:
                part[index], levels[index] = in_8_bits(new)

    def get(self, index: Index, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Keys and values (…, d) in ``dtype``."""
        found = []
        for part, scales, order in (
            (self.keys, self.key_scales, _ORDER_OF_KEYS),
            (self.values, self.value_scales, _ORDER_OF_VALUES),
        ):
            if scales is None:
                found.append(part[index].to(dtype))
                continue
            if part.dtype == NIBBLES:
                chosen, places = _in_order(part, order, index)
                whole, factors = in_bytes(chosen[places].flatten(-2), scales[index])
            else:
                whole, factors = part[index], scales[index]
            found.append(whole.to(dtype) * factors.to(dtype).unsqueeze(-1))
        return found[0], found[1]


def _in_order(part: Tensor, order: tuple[int, int], index: Index) -> tuple[Tensor, Index]:
    """A view of nibbles (…, blocks, positions, parts, bytes) with ``index`` but for positions, and their places."""
    together, width = order
    index = index + (slice(None),) * (4 - len(index))
    *sizes, count, half = part.shape
    blocks = part.view(*sizes, count // together, half // width, together, width).transpose(-2, -3)
    at = torch.arange(count, device=part.device)[index[3]]
    return blocks[index[:3]], (..., at // together, at % together, slice(None), slice(None))


def in_8_bits(x: Tensor) -> tuple[Tensor, Tensor]:
    """(…, d) → whole numbers int8 (…, d) and their scales float32 (…,)."""
    x = x.float()
    peaks = x.abs().amax(-1)
    factors = torch.where(peaks > 0, LEVELS / peaks, 0.0)
    return (x * factors.unsqueeze(-1)).round().to(torch.int8), peaks / LEVELS


def in_4_bits(x: Tensor) -> tuple[Tensor, Tensor]:
    """(…, d) → bytes (…, d / 2) and words int32 (…,), as ``KVCache`` stores them; d: a multiple of 8."""
    quarters = x.float().reshape(*x.shape[:-1], QUARTERS, -1)
    peaks = quarters.abs().amax(-1)
    most = peaks.amax(-1)
    sounds = most > _LEAST_PEAK
    exact = torch.where(sounds, most / (_END * FACTORS), 0.0)
    bits = (exact.view(torch.int32) + ~_SCALE_BITS) & _SCALE_BITS  # rounded up to a bfloat16
    scales = bits.view(torch.float32).unsqueeze(-1)
    factors = torch.where(sounds.unsqueeze(-1), peaks / (_END * scales), 0.0).round().clamp(1, FACTORS)
    steps = torch.where(sounds.unsqueeze(-1), 1 / (scales * factors), 0.0)
    numbers = ((quarters * steps.unsqueeze(-1)).round().clamp(-8, 7) + 8).flatten(-2).to(torch.uint8)
    low, high = numbers.chunk(2, -1)
    places = torch.tensor([1 << 4 * quarter for quarter in range(QUARTERS)], dtype=torch.int32, device=x.device)
    words = bits | (factors.to(torch.int32) * places).sum(-1, dtype=torch.int32)
    return low | high << 4, words


def in_bytes(nibbles: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
    """What ``in_4_bits`` made, as whole numbers int8 (…, d) and their scales float32 (…,)."""
    numbers = torch.cat((nibbles & 15, nibbles >> 4), -1).to(torch.int8) - 8
    factors = torch.stack([words >> 4 * quarter & FACTORS for quarter in range(QUARTERS)], -1).to(torch.int8)
    whole = (numbers.view(*factors.shape, -1) * factors.unsqueeze(-1)).flatten(-2)
    return whole, (words & _SCALE_BITS).view(torch.float32)
