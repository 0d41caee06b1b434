"""Writes checkpoints with random weights in diffusers format, for tests (tiny) and benchmarks (full size).

The layout is that of ``stabilityai/stable-audio-3-small-music``: what ``StableAudio3Pipeline.save_pretrained`` writes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from ....errors import InvalidInput

log = logging.getLogger(__name__)

Size = Literal["tiny", "small", "medium"]

_TRANSFORMER: dict[str, dict[str, Any]] = {
    "tiny": {
        "io_channels": 8,
        "embed_dim": 32,
        "depth": 2,
        "num_heads": 2,
        "cond_token_dim": 16,
        "global_cond_dim": 16,
        "local_add_cond_dim": 9,
        "timestep_features_dim": 16,
        "num_memory_tokens": 4,
    },
    # 459 million parameters
    "small": {"embed_dim": 1024, "depth": 20, "num_heads": 16, "use_differential_attention": False},
    "medium": {},  # the defaults of diffusers
}
_AUTOENCODER: dict[str, dict[str, Any]] = {
    "tiny": {
        "patch_size": 64,
        "encoder_channels": 16,
        "encoder_c_mults": (2,),
        "encoder_strides": (16,),
        "encoder_transformer_depths": (2,),
        "latent_dim": 8,
        "dim_heads": 16,
        "sampling_rate": 8000,
    },
    "small": {},  # the defaults are those of SAME-S
    # SAME-L
    "medium": {
        "encoder_channels": 256,
        "encoder_transformer_depths": (12,),
        "decoder_sinusoidal_blocks": (8,),
    },
}
_TEXT: dict[str, dict[str, int]] = {
    "tiny": {
        "vocab_size": 320,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "query_pre_attn_scalar": 8,
    },
    # the encoder of google/t5gemma-b-b-ul2
    "small": {
        "vocab_size": 256000,
        "hidden_size": 768,
        "intermediate_size": 2048,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "num_key_value_heads": 12,
        "head_dim": 64,
        "query_pre_attn_scalar": 64,
    },
}
_TEXT["medium"] = _TEXT["small"]


def make_random(
    directory: str | Path,
    size: Size = "tiny",
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    distilled: bool = True,
    autoencoder: Mapping[str, Any] | None = None,
    **transformer: Any,
) -> Path:
    """Write a random checkpoint and return its directory.

    Args:
        directory: empty, or not there yet.
        size: ``tiny``, or ``small`` and ``medium`` as ``stable-audio-3-small-music`` and ``stable-audio-3-medium``.
        seed: the same seed gives the same weights.
        dtype: precision of the files.
        distilled: with the scheduler of the distilled checkpoints; else with that of the base checkpoints.
        autoencoder, transformer: configuration of either network that differs.

    Raises:
        InvalidInput: ``size`` is unknown, or the directory is not empty.
    """
    from diffusers import (
        AutoencoderSAME,
        FlowMatchEulerDiscreteScheduler,
        StableAudio3DiTModel,
        StableAudio3Pipeline,
    )
    from diffusers.pipelines.stable_audio_3 import StableAudio3DurationEmbedder

    if size not in _TRANSFORMER:
        raise InvalidInput("size", size, ", ".join(_TRANSFORMER))
    root = Path(directory)
    if root.exists() and any(root.iterdir()):
        raise InvalidInput("directory", str(root), "a directory that is empty or does not exist")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = {
            "transformer": StableAudio3DiTModel(**{**_TRANSFORMER[size], **transformer}),
            "vae": AutoencoderSAME(**{**_AUTOENCODER[size], **(autoencoder or {})}),
            "text_encoder": _text_encoder(_TEXT[size]),
            "duration_embedder": StableAudio3DurationEmbedder(
                output_dim=_TEXT[size]["hidden_size"], fourier_dim=32 if size == "tiny" else 256
            ),
        }
        for network in networks.values():
            _fill_zeros(network)
        _tell_tokens_apart(networks["vae"])
        for network in networks.values():
            network.to(dtype).eval()
    pipeline = StableAudio3Pipeline(
        tokenizer=_tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, stochastic_sampling=distilled),
        **networks,
    )
    pipeline.save_pretrained(root)
    log.info("wrote a %s checkpoint of random weights to %s", size, root)
    return root


def _text_encoder(shape: dict[str, int]) -> Any:
    from transformers import T5GemmaConfig, T5GemmaEncoderModel

    return T5GemmaEncoderModel(T5GemmaConfig(encoder=dict(shape), decoder=dict(shape), is_encoder_decoder=False))


@torch.no_grad()
def _fill_zeros(network: Any) -> None:
    """Give the matrices that training begins at zero the size of the others, so that every layer has an effect."""
    for parameter in network.parameters():
        if parameter.dim() > 1 and not parameter.any():
            parameter.normal_(0.0, 0.5 * parameter[0].numel() ** -0.5)


@torch.no_grad()
def _tell_tokens_apart(autoencoder: Any) -> None:
    """Give the learned tokens the size of others; from near zero, both maps of the attention are even and cancel."""
    for block in (*autoencoder.encoder.blocks, *autoencoder.decoder.blocks):
        block.new_tokens.normal_()


def _tokenizer() -> Any:
    """A tokenizer like Gemma's that knows bytes only."""
    from transformers import GemmaTokenizer

    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    tokens = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    return GemmaTokenizer(vocab={token: n for n, token in enumerate(tokens)}, merges=[], model_max_length=256)
