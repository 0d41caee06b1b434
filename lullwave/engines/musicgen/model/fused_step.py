"""A decoder step of a few songs by fused Triton kernels: eight a layer, and weights are read once for all rows.

Used on CUDA for the sizes that the kernels know (``fits``). The residual stream is float32; everything between two
kernels has the decoder's ``state_dtype``. Results differ from those of ``Decoder.run`` by rounding.
"""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import dataclass

import torch
from torch import Tensor

from .attention import PromptKV, StepInput
from .config import ModelConfig
from .decoder import Decoder
from .kv_cache import ROWS, KVCache

log = logging.getLogger(__name__)

TOLERANCE = 0.05  # relative L2 of logits: half precision gives under 0.02


@dataclass(frozen=True)
class PromptBuffers:
    """Keys and values (L, slots, rows, H, room, d) of the prompts of all slots, and their bias (slots, rows, room)."""

    keys: Tensor
    values: Tensor
    bias: Tensor


def available() -> bool:
    """Tell whether Triton is installed."""
    return importlib.util.find_spec("triton") is not None


def fits(config: ModelConfig) -> bool:
    """Tell whether the kernels take a model of these sizes."""
    size = config.head_size
    whole = all(number % 16 == 0 for number in (config.hidden, config.ffn, config.codebooks * config.vocabulary))
    return whole and size >= 16 and size & (size - 1) == 0


def checked(decoder: Decoder, cache: KVCache) -> FusedStep | None:
    """The fused step of a decoder, compared with the decoder's own; None, with the reason in the log, if it cannot run.

    Overwrites the first positions of the cache's first slot.
    """
    if not available() or not fits(decoder.config):
        log.info("no fused kernels: %s", "other sizes than theirs" if available() else "Triton is not installed")
        return None
    try:
        fused = FusedStep(decoder, cache)
        error = fused.error()
    except Exception as problem:  # Triton raises exceptions of many types where it does not know the GPU or its driver
        log.warning("the fused kernels cannot run here, so torch's are used: %s", problem)
        return None
    if not error <= TOLERANCE:
        log.warning("the fused kernels are off by %.3g here, so torch's are used", error)
        return None
    return fused


class FusedStep:
    """Runs steps of up to ``most_slots`` slots in fixed buffers. One thread."""

    def __init__(self, decoder: Decoder, cache: KVCache) -> None:
        from .fused_kernels import MOST_SLOTS, FusedKernels

        config, dtype, device = decoder.config, decoder.state_dtype, decoder.device
        self.most_slots = MOST_SLOTS
        self._decoder, self._cache = decoder, cache
        self._kernels = FusedKernels(config, dtype, device)
        rows, d = MOST_SLOTS * ROWS, config.hidden
        self._x = torch.zeros(rows, d, device=device)  # the residual stream
        self._qkv = torch.zeros(rows, 3 * d, dtype=dtype, device=device)
        self._query = torch.zeros(rows, d, dtype=dtype, device=device)
        self._seen = torch.zeros(rows, d, dtype=dtype, device=device)
        self._wide = torch.zeros(rows, config.ffn, dtype=dtype, device=device)
        self._logits = torch.zeros(rows, config.codebooks * config.vocabulary, device=device)

    def logits(
        self, tokens: Tensor, positions: Tensor, prompts: PromptBuffers, prompt_length: int, prompt_rows: int
    ) -> Tensor:
        """Step slots 0 … n - 1 with ``tokens`` (n, K) at ``positions`` (n,): logits (n, 2, K, V).

        The first ``prompt_rows`` rows of each slot attend to ``prompt_length`` tokens of their prompts. The next call
        overwrites the result.
        """
        kernels, decoder, x = self._kernels, self._decoder, self._x
        slots = tokens.shape[0]
        rows, every = slots * ROWS, ROWS // max(1, prompt_rows)
        kernels.embed(tokens, positions, decoder.table, decoder.positions, x)
        for number, layer in enumerate(decoder.layers):
            kernels.project(layer.qkv, x, self._qkv, rows, layer.norm)
            kernels.attend_to_past(self._qkv, self._cache.layer(number), positions, self._seen)
            kernels.project(layer.out, self._seen, x, rows, add=True)
            if (cross := layer.cross) is not None and prompt_length:
                prompted = rows // every
                kernels.project(cross.query, x, self._query, prompted, cross.norm, x_every=every)
                keys, values = prompts.keys[number], prompts.values[number]
                kernels.attend_to_prompt(
                    self._query, keys, values, prompts.bias, prompt_length, every, prompted, self._seen
                )
                kernels.project(cross.out, self._seen, x, prompted, add=True, out_every=every)
            kernels.project(layer.up, x, self._wide, rows, layer.ffn_norm, gelu=True)
            kernels.project(layer.down, self._wide, x, rows, add=True)
        kernels.project(decoder.heads, x, self._logits, rows, decoder.norm)
        return self._logits[:rows].view(slots, ROWS, decoder.config.codebooks, decoder.config.vocabulary)

    @torch.inference_mode()
    def error(self) -> float:
        """Relative L2 difference to the decoder's logits over three steps of the first slot, which they overwrite."""
        decoder, config, device = self._decoder, self._decoder.config, self._decoder.device
        tokens = (torch.arange(3 * config.codebooks, device=device) * 37 % config.vocabulary).view(3, -1)
        prompt, buffers, length = self._sample_prompt()
        off = whole = 0.0
        for at, row in enumerate(tokens):
            where = torch.tensor([at], device=device)
            made = self.logits(row[None], where, buffers, length, 1)[0]
            expected = decoder.step(self._cache, [StepInput(0, at, row, (prompt, None))])
            off += float((made - expected).square().sum())
            whole += float(expected.square().sum())
        return float((off / whole) ** 0.5)

    def _sample_prompt(self) -> tuple[PromptKV | None, PromptBuffers, int]:
        """A prompt of five tokens, buffers that hold it for the first slot, and their length."""
        from .fused_kernels import BLOCK_T

        decoder, config, device = self._decoder, self._decoder.config, self._decoder.device
        bias = torch.full((1, ROWS, BLOCK_T), -torch.inf, device=device)
        if config.melody:
            return None, PromptBuffers(bias, bias, bias), 0
        states = torch.linspace(-8.0, 8.0, 5 * config.hidden, device=device).sin().view(5, -1)
        prompt = decoder.prompt_kv(states)
        size = (config.layers, 1, ROWS, config.heads, BLOCK_T, config.head_size)
        keys, values = (torch.zeros(size, dtype=decoder.state_dtype, device=device) for _ in range(2))
        keys[:, 0, 0, :, :5], values[:, 0, 0, :, :5], bias[0, 0, :5] = prompt.keys, prompt.values, 0.0
        return prompt, PromptBuffers(keys, values, bias), BLOCK_T
