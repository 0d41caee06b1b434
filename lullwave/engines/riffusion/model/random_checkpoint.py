"""Writes checkpoints with random weights in diffusers format, for tests (tiny) and benchmarks (full size).

The layout is that of ``riffusion/riffusion-model-v1``: a directory with ``model_index.json``, ``unet``, ``vae``,
``text_encoder``, ``tokenizer`` and ``scheduler``.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Literal

import torch

from ....errors import InvalidInput
from ....storage.atomic_files import new_folder

log = logging.getLogger(__name__)

Size = Literal["tiny", "full"]

_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"

_UNET: dict[str, dict[str, Any]] = {
    # no attention at the widest level of the tiny one, for quick tests
    "tiny": {"block_out_channels": (8, 16, 16, 16), "layers_per_block": 1, "cross_attention_dim": 32, "cross": 2},
    "full": {"block_out_channels": (320, 640, 1280, 1280), "layers_per_block": 2, "cross_attention_dim": 768},
}
_VAE: dict[str, dict[str, Any]] = {
    "tiny": {"block_out_channels": (4, 8, 8, 8), "layers_per_block": 1, "norm_num_groups": 4},
    "full": {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "norm_num_groups": 32},
}
_TEXT: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2},
    "full": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
}
# The scheduler of Stable Diffusion 1.x.
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "skip_prk_steps": True,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def make_random(
    directory: str | Path, size: Size = "tiny", seed: int = 0, safe: bool = True, dtype: torch.dtype = torch.float32
) -> Path:
    """Write a random checkpoint and return its directory. ``safe=False`` writes ``.bin`` files.

    The directory appears when it is complete.

    Raises:
        InvalidInput: ``size`` is unknown, or the directory is not empty.
    """
    if size not in _UNET:
        raise InvalidInput("size", size, "tiny or full")
    directory = Path(directory)
    if directory.exists() and any(directory.iterdir()):
        raise InvalidInput("directory", str(directory), "a directory that is empty or does not exist")
    with new_folder(directory) as folder:
        _write(folder, size, seed, safe, dtype)
    log.info("wrote a %s checkpoint of random weights to %s", size, directory)
    return directory


def _write(root: Path, size: Size, seed: int, safe: bool, dtype: torch.dtype) -> None:
    from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    vocabulary = byte_vocabulary()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        shape = dict(_UNET[size])
        cross = shape.pop("cross", 3)  # levels with attention
        plain = 3 - cross
        unet = UNet2DConditionModel(
            sample_size=64,
            in_channels=4,
            out_channels=4,
            down_block_types=("DownBlock2D",) * plain + ("CrossAttnDownBlock2D",) * cross + ("DownBlock2D",),
            up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * cross + ("UpBlock2D",) * plain,
            attention_head_dim=2 if size == "tiny" else 8,  # the number of heads, for historical reasons
            norm_num_groups=8 if size == "tiny" else 32,
            **shape,
        )
        vae = AutoencoderKL(
            in_channels=3,
            out_channels=3,
            latent_channels=4,
            sample_size=512,
            scaling_factor=0.18215,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            **_VAE[size],
        )
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(vocabulary) if size == "tiny" else 49408,
                max_position_embeddings=77,
                hidden_act="quick_gelu",
                projection_dim=_TEXT[size]["hidden_size"],
                bos_token_id=vocabulary[_BEGIN],
                eos_token_id=vocabulary[_END],
                pad_token_id=vocabulary[_END],
                **_TEXT[size],
            )
        )
        # embeddings of a trained encoder have a mean other than 0, which weighted prompts keep
        norm: Any = dict(text.named_modules())[_final_norm(text)]
        torch.nn.init.normal_(norm.bias, 0.2, 0.1)
    for name, module in (("unet", unet), ("vae", vae), ("text_encoder", text)):
        module.to(dtype)
        if safe or name != "text_encoder":
            extra = {} if name == "text_encoder" else {"safe_serialization": safe}
            module.save_pretrained(root / name, **extra)
        else:  # current transformers writes safetensors only
            module.config.save_pretrained(root / name)
            torch.save(module.state_dict(), root / name / "pytorch_model.bin")
    PNDMScheduler(**SCHEDULER).save_pretrained(root / "scheduler")
    _write_tokenizer(root / "tokenizer", vocabulary)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.9.0",
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (root / "model_index.json").write_text(json.dumps(index, indent=2))


def _final_norm(text: Any) -> str:
    """Name of the last normalisation of a text encoder; versions of transformers differ in its prefix."""
    found: str = next(name for name, _ in text.named_modules() if name.endswith("final_layer_norm"))
    return found


def byte_vocabulary() -> dict[str, int]:
    """The CLIP vocabulary before any merge: every byte, every byte at the end of a word, begin and end."""
    signs = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    letters = [chr(c) for c in signs]
    letters += [chr(256 + n) for n in range(256 - len(letters))]  # bytes that are not printable
    tokens = [*letters, *(letter + "</w>" for letter in letters), _BEGIN, _END]
    return {token: index for index, token in enumerate(tokens)}


def _write_tokenizer(directory: Path, vocabulary: dict[str, int]) -> None:
    directory.mkdir(parents=True)
    (directory / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (directory / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    special = {"bos_token": _BEGIN, "eos_token": _END, "unk_token": _END, "pad_token": _END}
    (directory / "special_tokens_map.json").write_text(json.dumps(special, indent=2))
    config = {**special, "model_max_length": 77, "do_lower_case": True, "tokenizer_class": "CLIPTokenizer"}
    (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=2))
