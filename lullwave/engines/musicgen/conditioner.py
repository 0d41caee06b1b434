"""What the decoder looks at for a song at a step: memories of prompts, blended, or states before the sequence.

Knows nothing of scheduling. Encoded prompts and their keys and values are kept for the songs that use them.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor

from .attention import Memory
from .decoder import Decoder
from .prompt_schedule import Program, Window
from .text_encoder import Conditioning, Phrase, TextEncoder
from .weights import Weights

_REMEMBERED = 48


class Conditioner:
    """Memories and prefixes by prompt. Used by one thread at a time."""

    def __init__(self, decoder: Decoder, text: TextEncoder, weights: Weights) -> None:
        self._decoder, self.text = decoder, text
        self._memories: OrderedDict[Any, Memory] = OrderedDict()
        shape = decoder.shape
        if shape.melody:
            size = (shape.hidden, shape.chroma_bins)
            self._chroma_weight = weights.get("audio_enc_to_dec_proj.weight", size).float().to(decoder.device)
            self._chroma_bias = weights.get("audio_enc_to_dec_proj.bias", (shape.hidden,)).float().to(decoder.device)

    @torch.inference_mode()
    def memories(self, program: Program, step: int, guided: bool) -> tuple[Memory | None, ...]:
        """What the rows of a song look at: the blend of the prompts at ``step``, and what is to be avoided."""
        if self._decoder.shape.melody:
            return (None, None) if guided else (None,)
        wanted = self._blend(program.shares(step))
        if not guided:
            return (wanted,)
        avoid = self.text(program.leading(step)).avoid
        return (wanted, None if avoid is None else self._memory((avoid,), "avoid " + program.leading(step)))

    @torch.inference_mode()
    def prefix(self, program: Program, window: Window, guided: bool, melody: Tensor | None) -> Tensor | None:
        """States (rows, n, D) before a window's sequence, for models with a melody; else None.

        ``melody`` is chroma (T, bins) from the window's first frame on; it is repeated to the trained length.
        """
        shape = self._decoder.shape
        if not shape.melody:
            return None
        conditioning = self.text(program.aim(program.begins(window)))
        rows = [_interpolated(conditioning.wanted)]
        if guided:
            rows.append(torch.zeros_like(rows[0]) if conditioning.avoid is None else conditioning.avoid.states)
        length = max(row.shape[0] for row in rows)
        texts = [torch.nn.functional.pad(row, (0, 0, 0, length - row.shape[0])) for row in rows]
        silence = torch.zeros(1, shape.chroma_bins)
        silence[:, 0] = 1.0
        tunes = [silence if melody is None or not melody.shape[0] else melody, silence][: len(rows)]
        return torch.stack([torch.cat([self._tune(t).to(text), text]) for t, text in zip(tunes, texts, strict=True)])

    def _tune(self, chroma: Tensor) -> Tensor:
        """Chroma as states, repeated or cut to the trained length."""
        frames = self._decoder.shape.chroma_frames
        states = torch.nn.functional.linear(chroma.to(self._chroma_weight), self._chroma_weight, self._chroma_bias)
        return states.repeat(math.ceil(frames / states.shape[0]), 1)[:frames]

    def _blend(self, shares: dict[str, float]) -> Memory:
        if len(shares) == 1:
            (prompt,) = shares
            return self._memory(self.text(prompt).wanted, prompt)
        parts = {prompt: self._memory(self.text(prompt).wanted, prompt) for prompt in shares}
        joined = self._remember(("joined", *parts), lambda: _joined(list(parts.values())))
        bias = torch.cat([_bias(parts[prompt]) + math.log(max(share, 1e-9)) for prompt, share in shares.items()])
        return Memory(joined.keys, joined.values, bias.to(joined.keys.dtype))

    def _memory(self, phrases: tuple[Phrase, ...], name: str) -> Memory:
        def make() -> Memory:
            plain = len(phrases) == 1 and phrases[0].log_weights is None
            states = torch.cat([phrase.states for phrase in phrases])
            return self._decoder.memory(states, None if plain else torch.cat([p.weighted() for p in phrases]))

        return self._remember(name, make)

    def _remember(self, key: Any, make: Any) -> Memory:
        if key not in self._memories:
            self._memories[key] = make()
            while len(self._memories) > _REMEMBERED:
                self._memories.popitem(last=False)
        self._memories.move_to_end(key)
        return self._memories[key]


def understood(conditioning: Conditioning) -> int:
    """Tokens that the decoder will look at."""
    return sum(phrase.states.shape[0] for phrase in conditioning.wanted)


def _bias(memory: Memory) -> Tensor:
    return memory.keys.new_zeros(memory.length) if memory.bias is None else memory.bias


def _joined(memories: list[Memory]) -> Memory:
    return Memory(torch.cat([m.keys for m in memories], 2), torch.cat([m.values for m in memories], 2))


def _interpolated(phrases: tuple[Phrase, ...]) -> Tensor:
    """Where there is no attention to weigh: states summed by share, words' weights as factors."""
    length = max(phrase.states.shape[0] for phrase in phrases)
    total = phrases[0].states.new_zeros(length, phrases[0].states.shape[1])
    for phrase in phrases:
        states = phrase.states
        if phrase.log_weights is not None:
            states = states * phrase.log_weights.exp()[:, None].to(states)
        total[: states.shape[0]] += states * phrase.share
    return total
