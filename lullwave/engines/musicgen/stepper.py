"""Runs one step of many songs: decoder inputs to tokens.

On a CPU the arithmetic of every song is independent of the others. On a GPU all songs share fixed buffers: the kernels
of a step are recorded once per size as a CUDA graph and replayed, with one transfer to the device and one back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from .cuda_graphs import record
from .model.attention import PromptKV, StepDecoder, StepInput
from .model.decoder import Decoder
from .model.fused_step import FusedStep, PromptBuffers
from .model.kv_cache import ROWS, KVCache
from .sampling import Sampling, draw, guided

log = logging.getLogger(__name__)

_NOTHING = PromptKV(torch.empty(0), torch.empty(0))  # equals no prompt: the buffers of the row are not filled yet


@dataclass(frozen=True)
class StepJob:
    """One song's step: the input in the current window, inputs that fill the next window, and the sampling."""

    main: StepInput
    upcoming: tuple[StepInput, ...]
    sampling: Sampling
    chance: Tensor  # (K,) random numbers in [0, 1)


class Stepper(Protocol):
    """Runs the jobs of one step."""

    def run(self, jobs: Sequence[StepJob]) -> Tensor:
        """Tokens (n, K) on the CPU."""


class RaggedStepper:
    """Steps with ``RaggedAttention``. With 8-bit weights the matrix products of all jobs are batched and stay exact."""

    def __init__(self, decoder: StepDecoder, cache: KVCache, native: Any = None) -> None:
        """``native``: the module ``lullwave_native``, if it is to draw the tokens; None: torch."""
        self._decoder, self._cache, self._native = decoder, cache, native

    def run(self, jobs: Sequence[StepJob]) -> Tensor:
        groups = [jobs] if self._decoder.batch_invariant else [[job] for job in jobs]
        return torch.cat([self._together(group) for group in groups])

    def _together(self, jobs: Sequence[StepJob]) -> Tensor:
        items = [job.main for job in jobs] + [item for job in jobs for item in job.upcoming]
        logits = self._decoder.step(self._cache, items)
        if self._native is not None:
            return self._drawn_natively(logits, jobs)
        tokens, at = [], 0
        for job in jobs:  # one by one, so that no sum depends on other songs
            pair = logits[at : at + job.main.rows][None]
            at += job.main.rows
            mixed = pair[:, 0] if job.main.rows == 1 else guided(pair, torch.tensor([job.sampling.guidance]))
            tokens.append(_drawn(mixed, [job]))
        return torch.cat(tokens)

    def _drawn_natively(self, logits: Tensor, jobs: Sequence[StepJob]) -> Tensor:
        settings = [(s.guidance, s.temperature, s.top_k, s.top_p) for s in (job.sampling for job in jobs)]
        tokens = torch.empty(len(jobs), logits.shape[1], dtype=torch.long)
        self._native.draw(
            logits,
            torch.tensor([job.main.rows for job in jobs], dtype=torch.int32),
            torch.tensor(settings, dtype=torch.float32),
            torch.stack([job.chance for job in jobs]),
            tokens,
        )
        return tokens


class GraphStepper:
    """Steps all slots up to the highest in use, in fixed buffers. Sizes are rounded up, so that graphs are few."""

    def __init__(self, decoder: Decoder, cache: KVCache, fixed: bool = False, fused: FusedStep | None = None) -> None:
        """``fixed``: always step all slots; slower, but a song does not depend on the others.

        ``fused``: kernels for steps of few slots; None: torch's for all.
        """
        self._decoder, self._cache, self._fixed, self._fused = decoder, cache, fixed, fused
        config, device, n = decoder.config, decoder.device, cache.slots
        self._device = device
        self._tokens = torch.full((n, config.codebooks), config.pad, dtype=torch.long, device=device)
        self._positions = torch.full((n,), cache.length - 1, dtype=torch.long, device=device)
        self._chance = torch.zeros(n, config.codebooks, device=device)
        self._settings = torch.zeros(n, 4, device=device)
        self._room = 0
        self._held: dict[int, tuple[PromptKV | None, ...]] = {}
        self._graphs: dict[tuple[int, int, int, int], Callable[[], Tensor]] = {}
        self._grow(256 if fixed else 64)

    def run(self, jobs: Sequence[StepJob]) -> Tensor:
        items = [job.main for job in jobs] + [item for job in jobs for item in job.upcoming]
        songs = _rounded(1 + max(item.slot for item in items), 1, self._cache.slots)
        live = _rounded(1 + max(item.position for item in items), 256, self._cache.length)
        prompt_length, prompt_rows = self._update_prompts(items)
        self._fill(jobs, items)
        key = (songs, live, prompt_length, prompt_rows)
        if self._fixed:
            key = (
                self._cache.slots,
                self._cache.length,
                self._room if prompt_length else 0,
                ROWS if prompt_length else 0,
            )
        if self._fuses(key[0]):
            key = (key[0], self._cache.length, *key[2:])  # these kernels read as much of the past as there is
        if self._device.type == "cuda":
            tokens = self._replay(key)
        else:
            tokens = self._step(*key)
        return tokens.cpu()[[job.main.slot for job in jobs]]

    def _fill(self, jobs: Sequence[StepJob], items: Sequence[StepInput]) -> None:
        """Copy the step's inputs into the buffers. Idle slots write to the last position, which is never read."""
        n = self._cache.slots
        tokens = torch.full((n, self._tokens.shape[1]), self._decoder.config.pad, dtype=torch.long)
        positions = torch.full((n,), self._cache.length - 1, dtype=torch.long)
        chance, settings = torch.zeros(n, tokens.shape[1]), torch.ones(n, 4)
        for item in items:
            tokens[item.slot], positions[item.slot] = item.inputs, item.position
        for job in jobs:
            s, slot = job.sampling, job.main.slot
            chance[slot] = job.chance
            strength = s.guidance if job.main.rows == ROWS else 1.0
            settings[slot] = torch.tensor([strength, s.temperature, s.top_k, s.top_p])
        for buffer, value in (
            (self._tokens, tokens),
            (self._positions, positions),
            (self._chance, chance),
            (self._settings, settings),
        ):
            buffer.copy_(value.pin_memory() if self._device.type == "cuda" else value, non_blocking=True)

    def _update_prompts(self, items: Sequence[StepInput]) -> tuple[int, int]:
        """Copy changed prompts into the buffers; return the prompt length to attend to and the rows with prompts."""
        for item in items:
            held = self._held.pop(item.slot, ())  # put back once all of it is copied
            for row, prompt_kv in enumerate(item.prompt_kvs):
                before = held[row] if row < len(held) else _NOTHING
                if before is prompt_kv:
                    continue
                self._bias[item.slot, row] = -torch.inf
                if prompt_kv is None:
                    self._bias[item.slot, row, 0] = 0.0  # no prompt: zero values, so that nothing is added
                    self._values[:, item.slot, row] = 0.0
                    continue
                if prompt_kv.length > self._room:
                    self._grow(prompt_kv.length)
                    return self._update_prompts(items)
                # while prompts blend, only their bias changes
                if before is None or before.keys is not prompt_kv.keys:
                    self._keys[:, item.slot, row, :, : prompt_kv.length] = prompt_kv.keys
                    self._values[:, item.slot, row, :, : prompt_kv.length] = prompt_kv.values
                self._bias[item.slot, row, : prompt_kv.length] = 0.0 if prompt_kv.bias is None else prompt_kv.bias
            self._held[item.slot] = item.prompt_kvs
        prompt_kvs = [m for item in items for m in item.prompt_kvs if m is not None]
        if not prompt_kvs:
            return 0, 0
        both = any(len(item.prompt_kvs) == ROWS and item.prompt_kvs[1] is not None for item in items)
        return _rounded(max(m.length for m in prompt_kvs), 64, self._room), ROWS if both else 1

    def _grow(self, room: int) -> None:
        """Allocate buffers for prompts of up to ``room`` tokens; graphs recorded with the old buffers are dropped."""
        config, n = self._decoder.config, self._cache.slots
        self._held.clear()  # first: if the allocation fails, the buffers' contents are unknown
        self._graphs.clear()
        room = _rounded(room, 64, 1 << 20)
        layers = 0 if config.melody else config.layers
        size = (layers, n, ROWS, config.heads, room, config.head_size)
        keys = torch.zeros(size, dtype=self._decoder.state_dtype, device=self._device)
        values = torch.zeros_like(keys)
        bias = torch.full((n, ROWS, room), -torch.inf, dtype=keys.dtype, device=self._device)
        bias[:, :, 0] = 0.0
        self._keys, self._values, self._bias, self._room = keys, values, bias, room

    def _replay(self, key: tuple[int, int, int, int]) -> Tensor:
        if key not in self._graphs:
            log.debug("recording the step for %d slots, %d positions, %d prompt tokens, %d rows", *key)
            self._graphs[key] = record(lambda: self._step(*key))
        return self._graphs[key]()

    def _fuses(self, songs: int) -> bool:
        return self._fused is not None and songs <= self._fused.most_slots

    def _step(self, songs: int, live: int, prompt_length: int, prompt_rows: int) -> Tensor:
        tokens, positions = self._tokens[:songs], self._positions[:songs]
        if self._fused is not None and self._fuses(songs):
            prompts = PromptBuffers(self._keys, self._values, self._bias)
            logits = self._fused.logits(tokens, positions, prompts, prompt_length, prompt_rows)
        else:
            x = self._decoder.embed(tokens) + self._decoder.position_encodings(positions)
            attention = _StaticAttention(self, songs, live, prompt_length, prompt_rows)
            x = self._decoder.run(x.repeat_interleave(ROWS, 0), attention)
            logits = self._decoder.logits(x)
            logits = logits.view(songs, ROWS, *logits.shape[1:])
        strength, temperature, top_k, top_p = self._settings[:songs].unbind(1)
        return draw(guided(logits, strength), self._chance[:songs], temperature, top_k.long(), top_p)


class _StaticAttention:
    """Attends for one input per slot under masks; the rows of a slot are adjacent."""

    def __init__(self, stepper: GraphStepper, songs: int, live: int, prompt_length: int, prompt_rows: int) -> None:
        self._stepper, self._songs, self._live = stepper, songs, live
        self._prompt_length, self._prompt_rows = prompt_length, prompt_rows
        config = stepper._decoder.config
        self._heads, self._size = config.heads, config.head_size
        self._every = torch.arange(songs, device=stepper._device)
        self._positions = stepper._positions[:songs]
        open_to = torch.arange(live, device=stepper._device) <= self._positions[:, None]
        mask = torch.zeros(songs, live, dtype=stepper._decoder.state_dtype, device=stepper._device)
        mask = mask.masked_fill_(~open_to, -torch.inf)
        self._mask = mask[:, None].expand(songs, ROWS, live).reshape(songs * ROWS, 1, 1, live)

    def self_attend(self, layer: int, qkv: Tensor) -> Tensor:
        query, key, value = qkv.view(self._songs, ROWS, 3, self._heads, self._size).unbind(2)
        cache, every = self._stepper._cache.layer(layer), slice(None)
        cache.put((self._every, every, every, self._positions), key, value)
        keys, values = cache.get((slice(self._songs), every, every, slice(self._live)), qkv.dtype)
        return self._sdpa(query, keys, values, self._mask)

    def prompted_rows(self, x: Tensor) -> Tensor | None:
        if not self._prompt_rows:
            return None
        return x if self._prompt_rows == ROWS else x[::ROWS]

    def cross_attend(self, layer: int, query: Tensor) -> Tensor:
        n, b = self._songs, self._prompt_rows
        keys = self._stepper._keys[layer, :n, :b, :, : self._prompt_length]
        values = self._stepper._values[layer, :n, :b, :, : self._prompt_length]
        bias = self._stepper._bias[:n, :b, : self._prompt_length].reshape(n * b, 1, 1, self._prompt_length)
        return self._sdpa(query.view(n, b, self._heads, self._size), keys, values, bias)

    def add_to_prompted(self, x: Tensor, change: Tensor) -> Tensor:
        if self._prompt_rows == ROWS:
            return x + change
        pairs = x.view(self._songs, ROWS, -1)
        return torch.stack([pairs[:, 0] + change, pairs[:, 1]], 1).view(x.shape)

    def _sdpa(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        seen = F.scaled_dot_product_attention(
            query.flatten(0, 1).unsqueeze(2), keys.flatten(0, 1), values.flatten(0, 1), attn_mask=mask, scale=1.0
        )
        return seen.reshape(seen.shape[0], -1)


def _drawn(logits: Tensor, jobs: Sequence[StepJob]) -> Tensor:
    settings = [job.sampling for job in jobs]
    return draw(
        logits,
        torch.stack([job.chance for job in jobs]),
        torch.tensor([s.temperature for s in settings]),
        torch.tensor([s.top_k for s in settings]),
        torch.tensor([s.top_p for s in settings]),
        most=0 if any(s.top_k == 0 for s in settings) else max(s.top_k for s in settings),
    )


def _rounded(value: int, unit: int, most: int) -> int:
    """Round up to ``unit`` times a power of two, at most ``most``."""
    size = unit
    while size < value:
        size *= 2
    return min(size, most)
