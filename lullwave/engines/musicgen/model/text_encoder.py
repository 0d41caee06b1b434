"""Encodes prompts with T5 for the decoder's cross-attention.

The logarithms of words' weights and prompts' shares are added to the attention scores: a token of weight w counts as
if it occurred w times.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from ....errors import CheckpointError, PromptError
from ....prompt import Part, Prompt, Span
from .config import ModelConfig
from .weights import Weights, load_into

MAX_TOKENS = 256  # per part of a prompt
DEFAULT_PROMPT = "calm lo-fi hip hop with mellow piano, soft drums and warm bass"
_CACHE_SIZE = 64  # prompts


@dataclass(frozen=True)
class Phrase:
    """An encoded part of a prompt: states (S, D), log weights of its tokens (S,) or None, its share in the blend."""

    states: Tensor
    log_weights: Tensor | None
    share: float

    def weighted(self) -> Tensor:
        """Log weights (S,) of the tokens, including the share."""
        zero = self.states.new_zeros(self.states.shape[0]) if self.log_weights is None else self.log_weights
        return zero + math.log(max(self.share, 1e-9))


@dataclass(frozen=True)
class Conditioning:
    """An encoded prompt."""

    source: str
    wanted: tuple[Phrase, ...]
    avoid: Phrase | None


class TextEncoder:
    """T5 with its tokenizer and the projection to the decoder's hidden size; thread-safe."""

    def __init__(
        self, config: ModelConfig, weights: Weights, hf_config: Any, device: torch.device, dtype: torch.dtype
    ) -> None:
        """Load from a checkpoint.

        Raises:
            CheckpointError: the tokenizer or weights are missing or damaged.
        """
        import transformers

        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(
                weights.directory, local_files_only=True, use_fast=True
            )
        except Exception as error:  # the library raises exceptions of many types
            raise CheckpointError(f"{weights.directory}: the tokenizer cannot be read: {error}") from None
        with torch.device("meta"):
            model = transformers.T5EncoderModel(hf_config)
        state = {name: tensor.float() for name, tensor in weights.part("text_encoder.").items()}
        shared = state.get("shared.weight", state.get("encoder.embed_tokens.weight"))
        if shared is None:
            raise CheckpointError(f"{weights.directory} lacks the text encoder's embeddings")
        state["shared.weight"] = state["encoder.embed_tokens.weight"] = shared
        load_into(model, state, weights.directory, "the text encoder")
        self._model: Any = model.eval().to(device=device, dtype=torch.float32)
        self._device, self._dtype = device, dtype
        d = config.hidden
        self._weight = self._bias = None
        if config.text_hidden != d or "enc_to_dec_proj.weight" in weights:
            self._weight = weights.get("enc_to_dec_proj.weight", (d, config.text_hidden)).float().to(device)
            self._bias = weights.get("enc_to_dec_proj.bias", (d,)).float().to(device)
        self._known: OrderedDict[str, Conditioning] = OrderedDict()
        self._lock = Lock()

    def __call__(self, source: str) -> Conditioning:
        """Encode a prompt; an empty one stands for ``DEFAULT_PROMPT``.

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
            while len(self._known) > _CACHE_SIZE:
                self._known.popitem(last=False)
            return found

    @torch.inference_mode()
    def _phrase(self, part: Part) -> Phrase:
        """Encode the text of one part; each token gets the weight of the word that it belongs to."""
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
    """The spans joined by commas, for the negative prompt."""
    out: list[Span] = []
    for span in spans:
        out += [Span(", "), span] if out else [span]
    return tuple(out)
