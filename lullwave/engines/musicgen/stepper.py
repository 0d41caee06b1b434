"""One step of many songs: from lanes to tokens; knows nothing of where songs come from or go.

On the CPU every song's part of the arithmetic is its own, whatever stands beside it. On a GPU all songs share fixed
buffers, so that the kernels of a step are recorded once per size and replayed (CUDA graphs), with one transfer to the
device and one back per step.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from .attention import ROWS, Cache, Lane, Memory
from .decoder import Decoder
from .sampling import Sampling, draw, guided

log = logging.getLogger(__name__)

_NOTHING = Memory(torch.empty(0), torch.empty(0))  # what a row has seen before it has seen anything


@dataclass(frozen=True)
class Job:
    """One song's step: the lane that makes tokens, the one that fills the next window, and how to draw."""

    lane: Lane
    shadow: Lane | None
    sampling: Sampling
    chance: Tensor  # (K,)


class Stepper(Protocol):
    """Runs jobs together."""

    def run(self, jobs: Sequence[Job]) -> Tensor:
        """Tokens (n, K) on the CPU."""


class LaneStepper:
    """Each lane by itself over its live part. With 8-bit weights the products are made together, and stay exact."""

    def __init__(self, decoder: Decoder, cache: Cache) -> None:
        self._decoder, self._cache = decoder, cache

    def run(self, jobs: Sequence[Job]) -> Tensor:
        groups = [jobs] if self._decoder.exact_in_company else [[job] for job in jobs]
        return torch.cat([self._together(group) for group in groups])

    def _together(self, jobs: Sequence[Job]) -> Tensor:
        lanes = [job.lane for job in jobs] + [job.shadow for job in jobs if job.shadow is not None]
        logits = self._decoder.step(self._cache, lanes)
        tokens, at = [], 0
        for job in jobs:  # one by one, so that no reduction is shared
            pair = logits[at : at + job.lane.rows][None]
            at += job.lane.rows
            mixed = pair[:, 0] if job.lane.rows == 1 else guided(pair, torch.tensor([job.sampling.guidance]))
            tokens.append(_drawn(mixed, [job]))
        return torch.cat(tokens)


class StaticStepper:
    """All slots up to the highest in use, in fixed buffers. Sizes are rounded up, so that few graphs are recorded."""

    def __init__(self, decoder: Decoder, cache: Cache, fixed: bool = False) -> None:
        """``fixed``: always all slots (dearer; the arithmetic is then the same in any company)."""
        self._decoder, self._cache, self._fixed = decoder, cache, fixed
        shape, device, n = decoder.shape, decoder.device, cache.slots
        self._device = device
        self._tokens = torch.full((n, shape.codebooks), shape.pad, dtype=torch.long, device=device)
        self._positions = torch.full((n,), cache.length - 1, dtype=torch.long, device=device)
        self._chance = torch.zeros(n, shape.codebooks, device=device)
        self._settings = torch.zeros(n, 4, device=device)
        self._room = 0
        self._held: dict[int, tuple[Memory | None, ...]] = {}
        self._graphs: dict[tuple[int, int, int, int], tuple[torch.cuda.CUDAGraph, Tensor]] = {}
        self._grow(256 if fixed else 64)

    def run(self, jobs: Sequence[Job]) -> Tensor:
        lanes = [job.lane for job in jobs] + [job.shadow for job in jobs if job.shadow is not None]
        songs = _rounded(1 + max(lane.slot for lane in lanes), 1, self._cache.slots)
        live = _rounded(1 + max(lane.position for lane in lanes), 256, self._cache.length)
        seen, both = self._look(lanes)
        self._fill(jobs, lanes)
        key = (songs, live, seen, both)
        if self._fixed:
            key = (self._cache.slots, self._cache.length, self._room if seen else 0, ROWS if seen else 0)
        if self._device.type == "cuda":
            tokens = self._replay(key)
        else:
            tokens = self._step(*key)
        return tokens.cpu()[[job.lane.slot for job in jobs]]

    def _fill(self, jobs: Sequence[Job], lanes: Sequence[Lane]) -> None:
        """Put the step's inputs into the buffers. A slot at rest writes to the last position, which nobody reads."""
        n = self._cache.slots
        tokens = torch.full((n, self._tokens.shape[1]), self._decoder.shape.pad, dtype=torch.long)
        positions = torch.full((n,), self._cache.length - 1, dtype=torch.long)
        chance, settings = torch.zeros(n, tokens.shape[1]), torch.ones(n, 4)
        for lane in lanes:
            tokens[lane.slot], positions[lane.slot] = lane.inputs, lane.position
        for job in jobs:
            s, slot = job.sampling, job.lane.slot
            chance[slot] = job.chance
            strength = s.guidance if job.lane.rows == ROWS else 1.0
            settings[slot] = torch.tensor([strength, s.temperature, s.top_k, s.top_p])
        for buffer, value in (
            (self._tokens, tokens),
            (self._positions, positions),
            (self._chance, chance),
            (self._settings, settings),
        ):
            buffer.copy_(value.pin_memory() if self._device.type == "cuda" else value, non_blocking=True)

    def _look(self, lanes: Sequence[Lane]) -> tuple[int, int]:
        """Bring the prompts' keys and values into the buffers where they changed; how long, and how many rows."""
        for lane in lanes:
            held = self._held.pop(lane.slot, ())  # put back when all of it is there
            for row, memory in enumerate(lane.memories):
                before = held[row] if row < len(held) else _NOTHING
                if before is memory:
                    continue
                self._bias[lane.slot, row] = -torch.inf
                if memory is None:
                    self._bias[lane.slot, row, 0] = 0.0  # nothing to see: zero values, so that nothing is added
                    self._values[:, lane.slot, row] = 0.0
                    continue
                if memory.length > self._room:
                    self._grow(memory.length)
                    return self._look(lanes)
                if before is None or before.keys is not memory.keys:  # while prompts blend, only their weights change
                    self._keys[:, lane.slot, row, :, : memory.length] = memory.keys
                    self._values[:, lane.slot, row, :, : memory.length] = memory.values
                self._bias[lane.slot, row, : memory.length] = 0.0 if memory.bias is None else memory.bias
            self._held[lane.slot] = lane.memories
        memories = [m for lane in lanes for m in lane.memories if m is not None]
        if not memories:
            return 0, 0
        both = any(len(lane.memories) == ROWS and lane.memories[1] is not None for lane in lanes)
        return _rounded(max(m.length for m in memories), 64, self._room), ROWS if both else 1

    def _grow(self, room: int) -> None:
        """Buffers for prompts of up to ``room`` tokens; recorded graphs know the old ones and are dropped."""
        shape, n = self._decoder.shape, self._cache.slots
        self._held.clear()  # first: if there is no memory, what is held is unknown
        self._graphs.clear()
        room = _rounded(room, 64, 1 << 20)
        layers = 0 if shape.melody else shape.layers
        size = (layers, n, ROWS, shape.heads, room, shape.head_size)
        keys = torch.zeros(size, dtype=self._cache.keys.dtype, device=self._device)
        values = torch.zeros_like(keys)
        bias = torch.full((n, ROWS, room), -torch.inf, dtype=keys.dtype, device=self._device)
        bias[:, :, 0] = 0.0
        self._keys, self._values, self._bias, self._room = keys, values, bias, room

    def _replay(self, key: tuple[int, int, int, int]) -> Tensor:
        if key not in self._graphs:
            log.debug("recording the step for %d slots, %d positions, %d prompt tokens, %d rows", *key)
            cuda: Any = torch.cuda
            side = cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self._step(*key)  # once by hand: libraries set themselves up outside of the recording
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            # Other threads encode prompts and wait for sound meanwhile: their calls are not to spoil the recording
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                tokens = self._step(*key)
            self._graphs[key] = (graph, tokens)
        graph, tokens = self._graphs[key]
        graph.replay()
        return tokens

    def _step(self, songs: int, live: int, seen: int, both: int) -> Tensor:
        decoder = self._decoder
        positions = self._positions[:songs]
        x = decoder.embed(self._tokens[:songs]) + decoder.at(positions)
        x = x.repeat_interleave(ROWS, 0)
        x = decoder.run(x, _StaticAttention(self, songs, live, seen, both))
        logits = decoder.logits(x)
        logits = logits.view(songs, ROWS, *logits.shape[1:])
        strength, temperature, top_k, top_p = self._settings[:songs].unbind(1)
        return draw(guided(logits, strength), self._chance[:songs], temperature, top_k.long(), top_p)


class _StaticAttention:
    """One lane per slot under masks; the rows of a slot lie side by side."""

    def __init__(self, owner: StaticStepper, songs: int, live: int, seen: int, both: int) -> None:
        self._o, self._songs, self._live, self._seen, self._both = owner, songs, live, seen, both
        shape = owner._decoder.shape
        self._heads, self._size = shape.heads, shape.head_size
        self._every = torch.arange(songs, device=owner._device)
        self._positions = owner._positions[:songs]
        open_to = torch.arange(live, device=owner._device) <= self._positions[:, None]
        mask = torch.zeros(songs, live, dtype=owner._cache.keys.dtype, device=owner._device)
        mask = mask.masked_fill_(~open_to, -torch.inf)
        self._mask = mask[:, None].expand(songs, ROWS, live).reshape(songs * ROWS, 1, 1, live)

    def own(self, layer: int, qkv: Tensor) -> Tensor:
        query, key, value = qkv.view(self._songs, ROWS, 3, self._heads, self._size).unbind(2)
        keys, values = self._o._cache.keys[layer, : self._songs], self._o._cache.values[layer, : self._songs]
        keys[self._every, :, :, self._positions] = key
        values[self._every, :, :, self._positions] = value
        return self._sdpa(query, keys[:, :, :, : self._live], values[:, :, :, : self._live], self._mask)

    def crossing(self, x: Tensor) -> Tensor | None:
        if not self._both:
            return None
        return x if self._both == ROWS else x[::ROWS]

    def cross(self, layer: int, query: Tensor) -> Tensor:
        n, b = self._songs, self._both
        keys = self._o._keys[layer, :n, :b, :, : self._seen]
        values = self._o._values[layer, :n, :b, :, : self._seen]
        bias = self._o._bias[:n, :b, : self._seen].reshape(n * b, 1, 1, self._seen)
        return self._sdpa(query.view(n, b, self._heads, self._size), keys, values, bias)

    def add(self, x: Tensor, change: Tensor) -> Tensor:
        if self._both == ROWS:
            return x + change
        pairs = x.view(self._songs, ROWS, -1)
        return torch.stack([pairs[:, 0] + change, pairs[:, 1]], 1).view(x.shape)

    def _sdpa(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        seen = F.scaled_dot_product_attention(
            query.flatten(0, 1).unsqueeze(2), keys.flatten(0, 1), values.flatten(0, 1), attn_mask=mask, scale=1.0
        )
        return seen.reshape(seen.shape[0], -1)


def _drawn(logits: Tensor, jobs: Sequence[Job]) -> Tensor:
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
    """The next ``unit`` times a power of two, at most ``most``."""
    size = unit
    while size < value:
        size *= 2
    return min(size, most)
