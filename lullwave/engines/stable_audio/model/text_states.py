"""Turns prompts into the states that the denoiser attends to; encoded texts are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from ....prompt import Prompt, Span

MAX_TOKENS = 256  # on which the published models were trained; the rest of a prompt is cut
CACHED = 64  # encoded texts: 786 kB each at 256 x 768


class TextStates:
    """A T5Gemma encoder with its tokenizer and a cache. Thread-safe."""

    def __init__(self, tokenizer: Any, encoder: Any, padding: Tensor) -> None:
        """``padding`` (D,) stands for the tokens that a prompt does not have."""
        self._tokenizer, self._encoder = tokenizer, encoder
        self._padding = padding.detach().float()
        self._length = min(int(getattr(tokenizer, "model_max_length", MAX_TOKENS)), MAX_TOKENS)
        self._cache: OrderedDict[tuple[Span, ...], Tensor] = OrderedDict()
        self._lock = Lock()

    def tokens(self, text: str) -> int:
        """How many tokens a text has, those beyond the limit included."""
        return len(self._tokenizer(text).input_ids)

    def blend(self, shares: Mapping[str, float]) -> Tensor:
        """(L, D) float32: the states of prompts, weighted by their shares, which add up to 1."""
        total: Tensor | None = None
        for source, share in shares.items():
            for part in Prompt.parse(source).parts:
                if share * part.share > 0:
                    states = self._encoded(part.spans) * (share * part.share)
                    total = states if total is None else total + states
        assert total is not None
        return total

    def avoided(self, shares: Mapping[str, float]) -> Tensor:
        """(L, D) float32: the states of what prompts exclude, weighted likewise; of an empty text where they do not."""
        parts = [self._encoded(Prompt.parse(source).avoid) * share for source, share in shares.items() if share > 0]
        return torch.stack(parts).sum(0)

    def _encoded(self, spans: Sequence[Span]) -> Tensor:
        key = tuple(spans)
        with self._lock:
            if key not in self._cache:
                self._cache[key] = self._encode(key)
                while len(self._cache) > CACHED:
                    self._cache.popitem(last=False)
            self._cache.move_to_end(key)
            return self._cache[key]

    @torch.inference_mode()
    def _encode(self, spans: tuple[Span, ...]) -> Tensor:
        """Encode weighted text, only the tokens that there are.

        A word of weight w is moved from the padding by w times its distance: 0 removes it, 1 leaves it as it is.
        """
        text = "".join(span.text for span in spans)
        weighted = any(span.weight != 1.0 for span in spans)
        found = self._tokenizer(
            text,
            padding="max_length",
            max_length=self._length,
            truncation=True,
            return_tensors="pt",
            return_offsets_mapping=weighted,
        )
        device = next(self._encoder.parameters()).device
        here = found.attention_mask[0].bool()
        ids = found.input_ids[0][here][None].to(device)
        states = self._padding.repeat(self._length, 1)
        if ids.numel():
            hidden = self._encoder(ids, attention_mask=torch.ones_like(ids))[0][0].float()
            if weighted:
                weights = torch.tensor(_weights(spans, found.offset_mapping[0][here].tolist()), device=device)
                hidden = self._padding + weights[:, None] * (hidden - self._padding)
            states[here.to(device)] = hidden
        return states


def _weights(spans: Sequence[Span], offsets: Sequence[Sequence[int]]) -> list[float]:
    """The weight of each token, given by the first character of its text; 1 for tokens without text."""
    of_characters = [span.weight for span in spans for _ in span.text]
    return [of_characters[start] if stop > start else 1.0 for start, stop in offsets]
