r"""Prompts with weighted words into CLIP embeddings of any length, and interpolation between embeddings.

Weights are written as in Riffusion: ``(word:1.3)`` sets a weight, ``(word)`` is 1.1, ``[word]`` is 1/1.1, brackets
nest and multiply, and a backslash makes a bracket plain text. There are no syntax errors: a bracket that closes
nothing is text, and an unclosed one reaches to the end. (Lullwave's own grammar, ``lullwave.prompt``, is strict.)

A prompt of more than 75 tokens is cut into up to three chunks of 75, each between a begin and an end token (77 in
all). The chunks are encoded one by one and concatenated. Token embeddings are multiplied by their weights and then
rescaled to keep the mean of the whole embedding.

Two embeddings of different lengths are brought to one length by *repeating* each: softmax attention over keys that
are all repeated equally often gives the same result as over the keys once. Padding the shorter one with an empty
prompt would change the result.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any

import torch

from ....errors import PromptError
from ....prompt import Prompt, Span, merge_spans

MAX_CHUNKS = 3  # 225 tokens; the rest of a prompt is cut
CACHED_EMBEDDINGS = 64  # 236 kB each at 77 x 768
BRACKET_WEIGHT = 1.1  # factor of one pair of brackets
MAX_WEIGHT = 10.0  # beyond this, embeddings are far outside what the UNet has seen

_TOKEN = re.compile(r"\\[()\[\]\\]|:\s*(?P<weight>[+-]?(?:\d+\.?\d*|\.\d+))\s*\)|[()\[\]]|\\|:|[^\\()\[\]:]+")


class TextEncoder:
    """A CLIP text encoder with its tokenizer and a cache of embeddings. Thread-safe."""

    def __init__(self, tokenizer: Any, model: Any) -> None:
        self._tokenizer = tokenizer
        self._model = model
        self._chunk = tokenizer.model_max_length - 2  # tokens between begin and end
        self._cache: OrderedDict[tuple[Span, ...], torch.Tensor] = OrderedDict()
        self._lock = Lock()

    @property
    def max_tokens(self) -> int:
        """Tokens of a prompt that are encoded; the rest is cut."""
        return int(self._chunk * MAX_CHUNKS)

    def embed(self, spans: Sequence[Span]) -> torch.Tensor:
        """Encode weighted text: (77 x chunks, D) float32 on the device of the encoder."""
        key = tuple(spans)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
            embedding = self._embed(key)
            self._cache[key] = embedding
            if len(self._cache) > CACHED_EMBEDDINGS:
                self._cache.popitem(last=False)
            return embedding

    def blend(self, prompt: Prompt) -> torch.Tensor:
        """The mean of the embeddings of a prompt's parts, weighted by their shares: (L, D)."""
        embedded = equal_length([self.embed(part.spans or (Span(""),)) for part in prompt.parts])
        if len(embedded) == 1:
            return embedded[0]
        return torch.stack([e * part.share for e, part in zip(embedded, prompt.parts, strict=True)]).sum(0)

    def tokens(self, spans: Sequence[Span]) -> tuple[list[int], list[float]]:
        """The tokens of all spans, at most ``max_tokens``, and the weight of each."""
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
            chunk = ids[at : at + self._chunk]
            padding = self._chunk - len(chunk)
            rows.append([begin, *chunk, *[end] * padding, end])
            factors.append([1.0, *weights[at : at + self._chunk], *[1.0] * padding, 1.0])
        device = next(self._model.parameters()).device
        # one chunk at a time: batches of different sizes may round differently
        plain = torch.cat([self._model(torch.tensor([row], device=device))[0][0].float() for row in rows])
        factor = torch.tensor([f for row in factors for f in row], device=device)
        if bool((factor == 1).all()):
            return plain
        weighted = plain * factor[:, None]
        before, after = float(plain.mean()), float(weighted.mean())
        # a mean close to 0 cannot be restored by scaling
        return weighted * (before / after) if abs(after) > 1e-3 * abs(before) else weighted


def parse_weights(text: str) -> tuple[Span, ...]:
    """Split ``text`` into spans of one weight each; an empty text gives one empty span.

    Raises:
        PromptError: a weight beyond ±10.
    """
    spans: list[Span] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}  # where each open bracket began, as an index of spans

    def scale(since: int, factor: float) -> None:
        spans[since:] = [Span(span.text, span.weight * factor) for span in spans[since:]]

    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in opened:
            opened[token].append(len(spans))
        elif match["weight"] and opened["("]:
            scale(opened["("].pop(), float(match["weight"]))
        elif token == ")" and opened["("]:
            scale(opened["("].pop(), BRACKET_WEIGHT)
        elif token == "]" and opened["["]:
            scale(opened["["].pop(), 1 / BRACKET_WEIGHT)
        else:
            spans.append(Span(token[1:] if len(token) == 2 and token[0] == "\\" else token))
    for since in opened["("]:
        scale(since, BRACKET_WEIGHT)
    for since in opened["["]:
        scale(since, 1 / BRACKET_WEIGHT)
    for span in spans:
        if abs(span.weight) > MAX_WEIGHT:
            raise PromptError("prompt", text, f"weights from -{MAX_WEIGHT:g} to {MAX_WEIGHT:g}")
    return merge_spans(spans) or (Span(""),)


def equal_length(embeddings: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Repeat each (L, D) embedding to the least common multiple of their lengths."""
    length = math.lcm(*(e.shape[0] for e in embeddings))
    return [e if e.shape[0] == length else e.repeat(length // e.shape[0], 1) for e in embeddings]


def interpolate(start: torch.Tensor, end: torch.Tensor, alpha: float) -> torch.Tensor:
    """Linear interpolation of two embeddings: exactly ``start`` at 0 and ``end`` at 1."""
    if alpha <= 0 or start is end:
        return start
    if alpha >= 1:
        return end
    a, b = equal_length([start, end])
    return a + alpha * (b - a)
