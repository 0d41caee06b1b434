"""Weighted words into CLIP embeddings of any length, and between them; knows nothing of images or noise.

A prompt of more than 75 tokens is cut into up to three chunks of 75, each between a begin and an end token
(77 in all), encoded one by one and put in a row. Token embeddings are multiplied by their weights and then
rescaled so that the mean of the whole embedding stays what it was.

Two embeddings of different lengths are brought to one length by *repeating* each: softmax attention over keys
that are all repeated equally often gives the same result as over the keys once, so nothing that the model sees
changes. Padding the shorter one with an empty prompt would change it.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any

import torch

from ...prompt import Span

MAX_CHUNKS = 3
_KEPT = 64  # embeddings remembered


class TextEncoder:
    """A CLIP text encoder with its tokenizer. Safe to call from several threads."""

    def __init__(self, tokenizer: Any, model: Any) -> None:
        self._tokenizer = tokenizer
        self._model = model
        self._chunk = tokenizer.model_max_length - 2  # words between begin and end
        self._cache: OrderedDict[tuple[Span, ...], torch.Tensor] = OrderedDict()
        self._lock = Lock()

    @property
    def max_tokens(self) -> int:
        """How many tokens of a prompt are heard; the rest is cut."""
        return int(self._chunk * MAX_CHUNKS)

    def embed(self, spans: Sequence[Span]) -> torch.Tensor:
        """(chunks x 77, D) float32 on the CPU or wherever the encoder lives."""
        key = tuple(spans)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
            found = self._embed(key)
            self._cache[key] = found
            if len(self._cache) > _KEPT:
                self._cache.popitem(last=False)
            return found

    def blend(self, parts: Sequence[tuple[Sequence[Span], float]]) -> torch.Tensor:
        """The weighted mean of several prompts' embeddings; the shares add up to 1."""
        embedded = equal_length([self.embed(spans) for spans, _ in parts])
        if len(embedded) == 1:
            return embedded[0]
        return torch.stack([e * share for e, (_, share) in zip(embedded, parts, strict=True)]).sum(0)

    def tokens(self, spans: Sequence[Span]) -> tuple[list[int], list[float]]:
        """The tokens of all runs in a row, at most ``max_tokens``, and the weight of each."""
        ids: list[int] = []
        weights: list[float] = []
        for span in spans:
            found = self._tokenizer(span.text, truncation=False, add_special_tokens=False, verbose=False).input_ids
            ids += found
            weights += [span.weight] * len(found)
        return ids[: self.max_tokens], weights[: self.max_tokens]

    @torch.inference_mode()
    def _embed(self, spans: tuple[Span, ...]) -> torch.Tensor:
        ids, weights = self.tokens(spans)
        begin, end = self._tokenizer.bos_token_id, self._tokenizer.eos_token_id
        rows, factors = [], []
        for at in range(0, max(1, len(ids)), self._chunk):
            part = ids[at : at + self._chunk]
            fill = self._chunk - len(part)
            rows.append([begin, *part, *[end] * fill, end])
            factors.append([1.0, *weights[at : at + self._chunk], *[1.0] * fill, 1.0])
        device = next(self._model.parameters()).device
        # one chunk at a time: a batch of another size may round differently
        plain = torch.cat([self._model(torch.tensor([row], device=device))[0][0].float() for row in rows])
        factor = torch.tensor([f for row in factors for f in row], device=device)
        if bool((factor == 1).all()):
            return plain
        weighted = plain * factor[:, None]
        before, after = float(plain.mean()), float(weighted.mean())
        # a mean that the weights have brought to nothing cannot be restored by scaling
        return weighted * (before / after) if abs(after) > 1e-3 * abs(before) else weighted


def equal_length(embeddings: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Each (tokens, D) repeated to the least common multiple of their lengths."""
    length = math.lcm(*(e.shape[0] for e in embeddings))
    return [e if e.shape[0] == length else e.repeat(length // e.shape[0], 1) for e in embeddings]


def between(start: torch.Tensor, end: torch.Tensor, alpha: float) -> torch.Tensor:
    """Linear interpolation that is exactly ``start`` at 0 and exactly ``end`` at 1."""
    if alpha <= 0 or start is end:
        return start
    if alpha >= 1:
        return end
    a, b = equal_length([start, end])
    return a + alpha * (b - a)
