"""Prompts as states that the decoder looks at: the T5 encoder and the prompt grammar; knows nothing of songs.

Words' weights and blends' shares become logarithms that are added to the attention scores: a token of weight w is
attended to as if it stood there w times.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from ...errors import CheckpointError, PromptError
from ...prompt import Part, Prompt, Span
from .config import Shape
from .weights import Weights, load_into

MAX_TOKENS = 256  # of one part of a prompt
DEFAULT_PROMPT = "calm lo-fi hip hop with mellow piano, soft drums and warm bass"
_REMEMBERED = 64


@dataclass(frozen=True)
class Phrase:
    """A piece of text: states (S, D), the logarithms of its tokens' weights (S,) or None, its share of the whole."""

    states: Tensor
    log_weights: Tensor | None
    share: float

    def weighted(self) -> Tensor:
        """The logarithm of every token's weight, the share included."""
        zero = self.states.new_zeros(self.states.shape[0]) if self.log_weights is None else self.log_weights
        return zero + math.log(max(self.share, 1e-9))


@dataclass(frozen=True)
class Conditioning:
    """A prompt, encoded."""

    source: str
    wanted: tuple[Phrase, ...]
    avoid: Phrase | None


class TextEncoder:
    """T5 with its tokenizer, and the product that brings its states to the decoder's size."""

    def __init__(self, shape: Shape, weights: Weights, config: Any, device: torch.device, dtype: torch.dtype) -> None:
        """Load from a checkpoint.

        Raises:
            CheckpointError: tokenizer or weights are absent or damaged.
        """
        import transformers

        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(
                weights.directory, local_files_only=True, use_fast=True
            )
        except Exception as error:  # the library raises whatever its parsers raise
            raise CheckpointError(f"{weights.directory}: the tokenizer cannot be read: {error}") from None
        with torch.device("meta"):
            model = transformers.T5EncoderModel(config)
        state = {name: tensor.float() for name, tensor in weights.part("text_encoder.").items()}
        shared = state.get("shared.weight", state.get("encoder.embed_tokens.weight"))
        if shared is None:
            raise CheckpointError(f"{weights.directory} lacks the text encoder's embeddings")
        state["shared.weight"] = state["encoder.embed_tokens.weight"] = shared
        load_into(model, state, weights.directory, "the text encoder")
        self._model: Any = model.eval().to(device=device, dtype=torch.float32)
        self._device, self._dtype = device, dtype
        d = shape.hidden
        self._weight = self._bias = None
        if shape.text_hidden != d or "enc_to_dec_proj.weight" in weights:
            self._weight = weights.get("enc_to_dec_proj.weight", (d, shape.text_hidden)).float().to(device)
            self._bias = weights.get("enc_to_dec_proj.bias", (d,)).float().to(device)
        self._known: OrderedDict[str, Conditioning] = OrderedDict()
        self._lock = Lock()

    def __call__(self, source: str) -> Conditioning:
        """Encode a prompt; an empty one is the default.

        Raises:
            PromptError: a part is too long.
        """
        with self._lock:
            if source in self._known:
                self._known.move_to_end(source)
                return self._known[source]
            prompt = Prompt.parse(source)
            parts = prompt.parts if prompt.text else Prompt.parse(DEFAULT_PROMPT).parts
            wanted = tuple(self._phrase(part) for part in parts if part.share > 0)
            avoid = self._phrase(Part(_listed(prompt.avoid), 1.0)) if prompt.avoid else None
            found = self._known[source] = Conditioning(source, wanted, avoid)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return found

    @torch.inference_mode()
    def _phrase(self, part: Part) -> Phrase:
        """Encode the words of one part as they stand, and find every token's weight by the word that it is of."""
        text = "".join(span.text for span in part.spans)
        weight_of = [span.weight for span in part.spans for _ in span.text]
        start = len(text) - len(text.lstrip())
        text = text.strip()
        encoded = self._tokenizer(text, return_offsets_mapping=True)
        tokens: list[int] = encoded["input_ids"]
        if len(tokens) > MAX_TOKENS:
            raise PromptError("prompt", f"{len(tokens)} tokens", f"at most {MAX_TOKENS} tokens in one part of a prompt")
        weights = [weight_of[start + max(a, b - 1)] if b > a else 1.0 for a, b in encoded["offset_mapping"]]
        ids = torch.tensor([tokens], device=self._device)
        states = self._model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        if self._weight is not None:
            states = torch.nn.functional.linear(states, self._weight, self._bias)
        logs = None
        if any(weight != 1.0 for weight in weights):
            logs = torch.tensor([math.log(max(w, 1e-4)) for w in weights], device=self._device)
        return Phrase(states.to(self._dtype), logs, part.share)


def _listed(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Words to be avoided, with commas between them."""
    out: list[Span] = []
    for span in spans:
        out += [Span(", "), span] if out else [span]
    return tuple(out)
