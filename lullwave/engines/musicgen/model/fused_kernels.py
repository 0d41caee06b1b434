"""Launches the Triton kernels of a decoder step on tensors; owns the room in which the parts of a result meet.

Knows the layout of tensors, not the order of a step. Launches can be recorded as a CUDA graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...linear import FloatLinear, Linear
from . import triton_kernels
from .config import ModelConfig
from .decoder import Norm
from .grouped_int8 import GROUP, WeightOnlyLinear
from .kv_cache import ROWS, LayerCache

MOST_SLOTS = triton_kernels.ROWS // ROWS
BLOCK_T = 64  # positions of the past, or tokens of a prompt, that are read together

_BLOCK_N = 16  # outputs of a program
_PROGRAMS = 256  # programs of a product: about two for each processor of a large GPU
_MOST_SPLITS = 8  # parts of a product, and of the past
_LEAST_INPUTS = 512  # of a part of a product: shorter ones wait longer than they read


class FusedKernels:
    """The kernels for rows of one model. One thread; one launch after the other on one stream."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype, device: torch.device) -> None:
        """``dtype``: of states between kernels and of the operands of products."""
        self._heads, self._size = config.heads, config.head_size
        self._type = triton_kernels.type_of(str(dtype).removeprefix("torch."))
        rows = MOST_SLOTS * ROWS
        widest = max(3 * config.hidden, config.ffn, config.codebooks * config.vocabulary)
        lanes = rows * config.heads
        self._parts = torch.empty(_MOST_SPLITS * rows * widest, device=device)
        self._sums = torch.empty(_MOST_SPLITS * lanes * 2, device=device)
        self._arrived = torch.zeros(max(widest // _BLOCK_N, lanes), dtype=torch.int32, device=device)
        self._products: dict[int, Product] = {}

    def embed(self, tokens: Tensor, positions: Tensor, table: Tensor, encodings: Tensor, out: Tensor) -> None:
        """Embed ``tokens`` (n, K) at ``positions`` (n,) into the 2 n first rows of ``out`` (R, D)."""
        books, d = tokens.shape[1], table.shape[1]
        triton_kernels.embed[(tokens.shape[0],)](
            tokens, positions, table, encodings, out, table.shape[0] // books, books, d, _power_of_two(d)
        )

    def project(
        self,
        linear: Linear,
        x: Tensor,
        out: Tensor,
        rows: int,
        norm: Norm | None = None,
        *,
        gelu: bool = False,
        add: bool = False,
        x_every: int = 1,
        out_every: int = 1,
    ) -> None:
        """Write the product of ``rows`` rows of ``x`` (R, in) to ``out`` (R, out), or add it to them (``add``).

        Rows are ``x_every`` and ``out_every`` apart. ``norm`` comes before the product, GELU after it.
        """
        product = self._products.get(id(linear))
        if product is None:
            product = self._products[id(linear)] = Product.of(linear)
        triton_kernels.project[(product.outputs // _BLOCK_N, product.splits)](
            x, norm and norm.weight, norm and norm.bias, product.weight, product.scales, product.loud,
            product.loud_weights, out, self._parts, self._arrived,
            rows, x_every * product.inputs, out_every * product.outputs,
            product.inputs, product.outputs, product.loud_count, norm is not None, product.scales is not None,
            gelu, add, product.splits, triton_kernels.ROWS, _BLOCK_N, product.block_k, self._type,
            num_warps=4, num_stages=3,
        )  # fmt: skip

    def attend_to_past(self, qkv: Tensor, cache: LayerCache, positions: Tensor, out: Tensor) -> None:
        """Store the keys and values of slots 0 … n - 1 at ``positions`` (n,) and attend to all up to there.

        ``qkv`` (R, 3 D) → ``out`` (R, D).
        """
        lanes = positions.shape[0] * ROWS * self._heads
        quantized = cache.key_scales is not None
        triton_kernels.attend_to_past[(lanes, _MOST_SPLITS)](
            qkv, cache.keys, cache.values, cache.key_scales, cache.value_scales, positions, out,
            self._parts, self._sums, self._arrived,
            self._heads, self._size, cache.keys.shape[3], quantized, _MOST_SPLITS, BLOCK_T,
        )  # fmt: skip

    def attend_to_prompt(
        self, query: Tensor, keys: Tensor, values: Tensor, bias: Tensor, count: int, every: int, rows: int, out: Tensor
    ) -> None:
        """Attend to ``count`` tokens (a multiple of ``BLOCK_T``): ``query`` (rows, D) → ``out`` (rows, D).

        Keys and values are (slots, 2, H, room, d), ``bias`` (slots, 2, room). Row i has the prompt i · ``every``.
        """
        triton_kernels.attend_to_prompt[(rows * self._heads,)](
            query, keys, values, bias, out, self._heads, self._size, keys.shape[3], count, every, BLOCK_T
        )


@dataclass(frozen=True, eq=False)
class Product:
    """The weights of a product as the kernel takes them, and how its work is divided."""

    weight: Tensor  # (out, in)
    scales: Tensor | None = None  # (out, groups), of 8-bit weights
    loud: Tensor | None = None  # (loud_count,) inputs that are multiplied apart
    loud_weights: Tensor | None = None  # (out, loud_count)
    loud_count: int = 0  # a power of two, filled up with weights of zero

    @classmethod
    def of(cls, linear: Linear) -> Product:
        if isinstance(linear, FloatLinear):
            return cls(linear.weight)
        assert isinstance(linear, WeightOnlyLinear)
        count = linear.loud.numel()
        if not count:
            return cls(linear.values, linear.scales)
        wide = max(16, _power_of_two(count))
        loud = torch.zeros(wide, dtype=torch.int32, device=linear.values.device)
        loud[:count] = linear.loud
        weights = linear.loud_weights.new_zeros(linear.values.shape[0], wide)
        weights[:, :count] = linear.loud_weights
        return cls(linear.values, linear.scales, loud, weights, wide)

    @property
    def outputs(self) -> int:
        return int(self.weight.shape[0])

    @property
    def inputs(self) -> int:
        return int(self.weight.shape[1])

    @property
    def block_k(self) -> int:
        """Inputs that are read together: a power of two that divides them, within a group."""
        return min(GROUP, self.inputs & -self.inputs)

    @property
    def splits(self) -> int:
        """Parts of the inputs, which different programs add up."""
        splits = 1
        while (
            splits < _MOST_SPLITS
            and self.outputs // _BLOCK_N * splits < _PROGRAMS
            and self.inputs % (2 * splits * self.block_k) == 0
            and self.inputs // (2 * splits) >= _LEAST_INPUTS
        ):
            splits *= 2
        return splits


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()
