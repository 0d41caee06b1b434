"""Loads a Stable Diffusion 1.x checkpoint that is one file (``.safetensors``, ``.ckpt``), through diffusers.

The file holds the networks only. Their configurations, the vocabulary and the scheduler come from a directory in
diffusers format: the one in which the file lies, an installed model or the hub's cache; else the hub has them.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch

from ....checkpoints import installed
from ....errors import CheckpointError
from .checkpoint_files import PARTS, SUFFIXES

STOCK = "stable-diffusion-v1-5/stable-diffusion-v1-5"  # whose configurations diffusers takes for such files

log = logging.getLogger(__name__)


def load_parts(file: Path, dtype: torch.dtype, offline: bool) -> tuple[dict[str, Any], Path | None]:
    """The networks, the tokenizer and the scheduler by the names of ``PARTS``, and the directory of configurations.

    The directory is None if the configurations came from the hub.

    Raises:
        CheckpointError: the file is damaged or another kind of file, or the configurations are nowhere.
    """
    import diffusers

    if file.suffix not in SUFFIXES:
        raise CheckpointError(f"{file} is no checkpoint: a directory in diffusers format, or {' or '.join(SUFFIXES)}")
    configs = _configs(file)
    if configs is None and offline:
        raise CheckpointError(
            f"{file} holds no configurations, there are none on this machine, and downloads are off. "
            f"Get them with: lullwave models pull riffusion/riffusion-model-v1. {conversion(file)}"
        )
    where: dict[str, Any] = {} if configs is None else {"config": str(configs), "local_files_only": True}
    log.info("loading %s with the configurations of %s", file, configs or STOCK)
    try:
        made: Any = diffusers.StableDiffusionPipeline.from_single_file(
            str(file), torch_dtype=torch.float32, safety_checker=None, feature_extractor=None, **where
        )
    except Exception as error:  # the libraries raise errors of all kinds for a damaged file, and without a network
        told = " ".join(str(error).split())[:500]
        raise CheckpointError(f"{file} cannot be loaded: {told}. {conversion(file)}") from error
    parts = {part: getattr(made, part) for part in PARTS}
    for name in ("unet", "vae"):
        torch.nn.Module.to(parts[name], dtype)  # that of diffusers warns, without reason here
    return parts, configs


def conversion(file: Path) -> str:
    """How to convert a file to a directory."""
    code = f"diffusers.StableDiffusionPipeline.from_single_file({str(file)!r}).save_pretrained('NEW_FOLDER')"
    return f'To convert it where the hub can be reached: python -c "import diffusers; {code}"'


def _configs(file: Path) -> Path | None:
    """A directory in diffusers format on this machine."""
    near = [file.parent, *(one.path for one in installed())]
    return next((folder for folder in near if _is_whole(folder)), _in_hub_cache())


def _is_whole(folder: Path) -> bool:
    return (folder / "model_index.json").is_file() and all((folder / part).is_dir() for part in PARTS)


def _in_hub_cache() -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(STOCK, "model_index.json")
    return Path(found).parent if isinstance(found, str) and _is_whole(Path(found).parent) else None
