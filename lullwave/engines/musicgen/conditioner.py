"""Conditioning of a song at a step: the blended keys and values of its prompts, or a prefix for melody models.

Encoded prompts are cached and shared by the songs that use them.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor

from .model.attention import PromptKV, StepDecoder
from .model.text_encoder import Conditioning, Phrase, TextEncoder
from .model.weights import Weights
from .prompt_schedule import PromptSchedule, Window

_CACHE_SIZE = 48


class Conditioner:
    """Computes and caches conditioning. Used by one thread at a time."""

    def __init__(self, decoder: StepDecoder, text: TextEncoder, weights: Weights) -> None:
        self._decoder, self.text = decoder, text
        self._prompt_kvs: OrderedDict[Any, PromptKV] = OrderedDict()
        config = decoder.config
        if config.melody:
            size = (config.hidden, config.chroma_bins)
            self._chroma_weight = weights.get("audio_enc_to_dec_proj.weight", size).float().to(decoder.device)
            self._chroma_bias = weights.get("audio_enc_to_dec_proj.bias", (config.hidden,)).float().to(decoder.device)

    @torch.inference_mode()
    def prompt_kvs(self, schedule: PromptSchedule, step: int, guided: bool) -> tuple[PromptKV | None, ...]:
        """Keys and values for each row of a song at ``step``: the blend of its prompts, and the negative prompt."""
        if self._decoder.config.melody:
            return (None, None) if guided else (None,)
        wanted = self._blend(schedule.shares(step))
        if not guided:
            return (wanted,)
        avoid = self.text(schedule.dominant_prompt(step)).avoid
        return (wanted, None if avoid is None else self._prompt_kv((avoid,), "avoid " + schedule.dominant_prompt(step)))

    @torch.inference_mode()
    def prefix(self, schedule: PromptSchedule, window: Window, guided: bool, melody: Tensor | None) -> Tensor | None:
        """States (rows, n, D) that precede a window's tokens in melody models; None for other models.

        ``melody`` is chroma (T, bins) from the window's first frame on; it is repeated to the trained length.
        """
        config = self._decoder.config
        if not config.melody:
            return None
        conditioning = self.text(schedule.target_prompt(schedule.fill_step(window)))
        rows = [_interpolated(conditioning.wanted)]
        if guided:
            rows.append(torch.zeros_like(rows[0]) if conditioning.avoid is None else conditioning.avoid.states)
        length = max(row.shape[0] for row in rows)
        texts = [torch.nn.functional.pad(row, (0, 0, 0, length - row.shape[0])) for row in rows]
        silence = torch.zeros(1, config.chroma_bins)
        silence[:, 0] = 1.0
        melodies = [silence if melody is None or not melody.shape[0] else melody, silence][: len(rows)]
        return torch.stack(
            [torch.cat([self._melody_states(t).to(text), text]) for t, text in zip(melodies, texts, strict=True)]
        )

    def _melody_states(self, chroma: Tensor) -> Tensor:
        """Project chroma to decoder states, repeated or cut to the trained length."""
        frames = self._decoder.config.chroma_frames
        states = torch.nn.functional.linear(chroma.to(self._chroma_weight), self._chroma_weight, self._chroma_bias)
        return states.repeat(math.ceil(frames / states.shape[0]), 1)[:frames]

    def _blend(self, shares: dict[str, float]) -> PromptKV:
        if len(shares) == 1:
            (prompt,) = shares
            return self._prompt_kv(self.text(prompt).wanted, prompt)
        parts = {prompt: self._prompt_kv(self.text(prompt).wanted, prompt) for prompt in shares}
        joined = self._cached(("joined", *parts), lambda: _concatenated(list(parts.values())))
        bias = torch.cat([_bias(parts[prompt]) + math.log(max(share, 1e-9)) for prompt, share in shares.items()])
        return PromptKV(joined.keys, joined.values, bias.to(joined.keys.dtype))

    def _prompt_kv(self, phrases: tuple[Phrase, ...], name: str) -> PromptKV:
        def make() -> PromptKV:
            plain = len(phrases) == 1 and phrases[0].log_weights is None
            states = torch.cat([phrase.states for phrase in phrases])
            return self._decoder.prompt_kv(states, None if plain else torch.cat([p.weighted() for p in phrases]))

        return self._cached(name, make)

    def _cached(self, key: Any, make: Any) -> PromptKV:
        if key not in self._prompt_kvs:
            self._prompt_kvs[key] = make()
            while len(self._prompt_kvs) > _CACHE_SIZE:
                self._prompt_kvs.popitem(last=False)
        self._prompt_kvs.move_to_end(key)
        return self._prompt_kvs[key]


def token_count(conditioning: Conditioning) -> int:
    """Number of prompt tokens that the decoder attends to."""
    return sum(phrase.states.shape[0] for phrase in conditioning.wanted)


def _bias(prompt_kv: PromptKV) -> Tensor:
    return prompt_kv.keys.new_zeros(prompt_kv.length) if prompt_kv.bias is None else prompt_kv.bias


def _concatenated(prompt_kvs: list[PromptKV]) -> PromptKV:
    return PromptKV(torch.cat([m.keys for m in prompt_kvs], 2), torch.cat([m.values for m in prompt_kvs], 2))


def _interpolated(phrases: tuple[Phrase, ...]) -> Tensor:
    """Blend without attention: the sum of the states, weighted by share and by the words' weights."""
    length = max(phrase.states.shape[0] for phrase in phrases)
    total = phrases[0].states.new_zeros(length, phrases[0].states.shape[1])
    for phrase in phrases:
        states = phrase.states
        if phrase.log_weights is not None:
            states = states * phrase.log_weights.exp()[:, None].to(states)
        total[: states.shape[0]] += states * phrase.share
    return total
