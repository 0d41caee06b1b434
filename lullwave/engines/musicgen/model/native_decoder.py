"""The decoder by the native package: a step of any rows is one call that computes outside the GIL.

``decoder.py`` with ``GroupedInt8Linear`` (with 4 bits, ``grouped_int4.linear_of``) and the same ``KVCache``, in 16, 8
or 4 bits, is its definition; logits differ by rounding.
"""

from __future__ import annotations

import os
from collections.abc import Sequence, Set
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from ...linear import FloatLinear
from . import grouped_int4, grouped_int8
from .attention import PromptKV, StepInput
from .config import ModelConfig
from .decoder import POSITIONS, sinusoids
from .decoder_weights import NORMS, PRODUCTS, DecoderWeights
from .kv_cache import KVCache
from .weights import Weights

THREADS = 2  # unless asked for more: two read nearly as fast as the memory of a small machine gives
_PIECE = 32  # positions of a prefix that go through the layers together


def unfit(config: ModelConfig) -> str:
    """The size that the kernels do not take, in words; "" if they take a model of these sizes."""
    sizes = {
        "a head": config.hidden / config.heads,
        "the feed-forward layer": config.ffn,
        "codebooks times vocabulary": config.codebooks * config.vocabulary,
    }
    return next((f"{name} has {size:g}" for name, size in sizes.items() if size % 16), "")


class NativeDecoder:
    """The whole transformer with 8-bit or 4-bit weights, on a CPU; used like ``Decoder``."""

    dtype = torch.int8
    state_dtype = torch.float32
    cache_dtype = torch.float16
    batch_invariant = True

    def __init__(
        self,
        module: Any,
        config: ModelConfig,
        weights: Weights,
        threads: int | None = None,
        pinned: bool = False,
        level: str = "",
        four_bits: Set[str] = frozenset(),
    ) -> None:
        """Quantize and pack the weights, tensor by tensor. ``module`` is ``lullwave_native``.

        ``four_bits`` names the products whose weights get 4 bits, such as ``grouped_int4.FOUR_BITS``; others get 8.

        Raises:
            CheckpointError: weights are absent or of another config.
        """
        self.config, self.device = config, torch.device("cpu")
        self._module = module
        read = DecoderWeights(config, weights)
        cross = not config.melody
        self._native = module.Decoder(
            config.hidden,
            config.layers,
            config.heads,
            config.ffn,
            config.codebooks,
            config.vocabulary,
            cross,
            read.table(),
            sinusoids(POSITIONS, config.hidden),
            threads=threads or min(THREADS, _cores()),
            pinned=pinned,
            level=level,
        )
        self._key_values: list[FloatLinear] = []
        for layer in range(config.layers):
            for place, product in enumerate(PRODUCTS):
                if cross or not product.startswith("cross"):
                    self._set(layer, place, read.product(layer, product), product in four_bits)
            for place, norm in enumerate(NORMS):
                if cross or not norm.startswith("cross"):
                    self._native.set_norm(layer, place, *read.norm(layer, norm))
            if cross:
                both = read.product(layer, "cross_key_value")
                self._key_values.append(FloatLinear(both, torch.bfloat16, self.device))
            weights.close()
        self._set(0, len(PRODUCTS), read.heads(), "heads" in four_bits)
        self._native.set_norm(0, len(NORMS), *read.final_norm())
        weights.close()
        self._caches: WeakKeyDictionary[KVCache, Any] = WeakKeyDictionary()
        self._prompts: WeakKeyDictionary[PromptKV, Any] = WeakKeyDictionary()

    def _set(self, layer: int, place: int, weight: Tensor, four_bits: bool) -> None:
        packed = grouped_int4.quantize(weight, self._module) if four_bits else grouped_int8.quantize(weight)
        parts = (packed.parts,) if isinstance(packed, grouped_int4.NibbleWeights) else ()
        self._native.set_product(layer, place, packed.values, packed.scales, packed.loud, packed.loud_weights, *parts)

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights and scales that one step reads."""
        return int(self._native.weight_bytes)

    @property
    def level(self) -> str:
        """The instruction set of the kernels."""
        return str(self._native.level)

    @property
    def threads(self) -> int:
        """Threads that compute a step where every one has a core."""
        return int(self._native.threads)

    @property
    def active_threads(self) -> int:
        """Threads that compute steps now, but for trials: fewer while other processes take cores."""
        return int(self._native.active_threads)

    def read_weights(self) -> None:
        """Read the weights of a step once and do nothing else: for measuring the limit that the memory sets."""
        self._native.read_weights()

    def prompt_kv(self, states: Tensor, log_weights: Tensor | None = None) -> PromptKV:
        """Keys and values of a prompt with encoder states (S, D)."""
        return PromptKV.projected(self._key_values, self.config.heads, states.float(), log_weights)

    def step(self, cache: KVCache, items: Sequence[StepInput]) -> Tensor:
        """Run step inputs through the decoder: float32 logits (R, K, V) of the rows that need them.

        Inputs of one slot at rising positions may go together: each attends to those before it.
        """
        places: dict[PromptKV, int] = {}
        rows = [
            (
                item.slot,
                row,
                item.position,
                -1 if prompt_kv is None else places.setdefault(prompt_kv, len(places)),
                item.needs_logits,
            )
            for item in items
            for row, prompt_kv in enumerate(item.prompt_kvs)
        ]
        inputs = [
            item.inputs if item.inputs.dim() == 1 else item.inputs[row] for item in items for row in range(item.rows)
        ]
        needing = sum(row[4] for row in rows)
        logits = torch.empty(needing, self.config.codebooks * self.config.vocabulary)
        if rows:
            together = torch.stack(inputs)
            self._native.step(
                self._cache(cache),
                torch.tensor(rows, dtype=torch.int32),
                None if together.is_floating_point() else together,
                together.float() if together.is_floating_point() else None,
                [self._prompt(prompt_kv) for prompt_kv in places],
                logits,
            )
        return logits.view(-1, self.config.codebooks, self.config.vocabulary)

    def chunk(
        self, cache: KVCache, slot: int, start: int, inputs: Tensor, prompt_kvs: Sequence[PromptKV | None]
    ) -> None:
        """Fill positions of one slot from ``start`` on: with tokens (n, K) or prefix states (rows, n, D)."""
        parts = inputs.unbind(0 if inputs.dim() == 2 else 1)
        items = [StepInput(slot, start + i, part, tuple(prompt_kvs), False) for i, part in enumerate(parts)]
        for at in range(0, len(items), _PIECE):
            self.step(cache, items[at : at + _PIECE])

    def _cache(self, cache: KVCache) -> Any:
        if cache not in self._caches:
            scales = () if cache.key_scales is None else (cache.key_scales, cache.value_scales)
            self._caches[cache] = self._module.Cache(cache.keys, cache.values, *scales)
        return self._caches[cache]

    def _prompt(self, prompt_kv: PromptKV) -> Any:
        if prompt_kv not in self._prompts:
            bias = None if prompt_kv.bias is None else prompt_kv.bias.float()
            self._prompts[prompt_kv] = self._module.Prompt(prompt_kv.keys.float(), prompt_kv.values.float(), bias)
        return self._prompts[prompt_kv]


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
