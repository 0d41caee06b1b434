"""Compares the decoder with that of transformers, on the same tokens and text states."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from ...errors import EngineError
from .model.attention import StepDecoder, StepInput
from .model.config import ModelConfig
from .model.kv_cache import BLOCK, KVCache

STEPS = 20
TEXT = "calm piano, rainy night"


@torch.inference_mode()
def logits(
    directory: Path, decoder: StepDecoder, config: ModelConfig, device: torch.device, kept: torch.dtype
) -> tuple[Any, Any]:
    """(2, K, S, vocabulary) by the reference and by ``decoder``, with keys and values in ``kept``.

    Both with and without the prompt.

    Raises:
        EngineError: a melody model, whose prompt is a prefix.
    """
    import transformers

    if config.melody or "melody" in json.loads((directory / "config.json").read_text())["model_type"]:
        raise EngineError("melody models of MusicGen are not compared")
    model = transformers.MusicgenForConditionalGeneration.from_pretrained(directory, local_files_only=True)
    model = model.float().eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory, local_files_only=True)
    encoded = tokenizer([TEXT], return_tensors="pt")
    states = model.text_encoder(**encoded)[0]
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, config.pad, (STEPS, config.codebooks), generator=generator)
    tokens[0] = config.pad
    expected = model(
        encoder_outputs=transformers.modeling_outputs.BaseModelOutput(
            last_hidden_state=torch.cat([states, torch.zeros_like(states)])
        ),
        attention_mask=torch.cat([encoded.attention_mask, 0 * encoded.attention_mask]),
        decoder_input_ids=tokens.t()[None].repeat(2, 1, 1).flatten(0, 1),
    ).logits.view(2, config.codebooks, STEPS, -1)
    projected = model.enc_to_dec_proj(states)[0].to(device, decoder.state_dtype)
    prompt = decoder.prompt_kv(projected)
    cache = KVCache(config, 1, BLOCK * (STEPS // BLOCK + 1), kept, device)
    made = [decoder.step(cache, [StepInput(0, p, tokens[p], (prompt, None))]) for p in range(STEPS)]
    return expected, torch.stack(made, 2)
