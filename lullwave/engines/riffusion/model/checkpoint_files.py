"""Checks the files of a checkpoint without loading it, so that hours of work do not end at a later model.

Reads configurations and the headers of weights; loads no weights, and neither torch nor diffusers.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from ....errors import CheckpointError
from ...networks import WEIGHTS

SUFFIXES = (".safetensors", ".ckpt")  # of a checkpoint that is one file
PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
NETWORKS = PARTS[:3]


def check_files(path: Path) -> None:
    """Check that a directory in diffusers format, or a single file, is complete and undamaged as far as headers tell.

    Raises:
        CheckpointError: names the file or the folder.
    """
    if path.is_file():
        if path.suffix not in SUFFIXES:
            raise CheckpointError(
                f"{path} is no checkpoint: a directory in diffusers format, or {' or '.join(SUFFIXES)}"
            )
        _check_weights(path)
        return
    check_parts(path)
    for part in NETWORKS:
        _config(path / part / "config.json")
        found = [file for file in sorted((path / part).iterdir()) if WEIGHTS.fullmatch(file.name)]
        if not found:
            raise CheckpointError(f"{path / part} holds no weights (.safetensors or .bin)")
        for file in found:
            _check_weights(file)
        for index in (path / part).glob("*.index*.json"):
            for name in set(_config(index).get("weight_map", {}).values()):
                if not (path / part / str(name)).is_file():
                    raise CheckpointError(f"{path / part} lacks {name}, which {index.name} names")
    file = path / "scheduler" / "scheduler_config.json"
    if not str(_config(file).get("_class_name", "")).endswith("Scheduler"):
        raise CheckpointError(f"{file} names no scheduler of diffusers")


def check_parts(directory: Path) -> None:
    """Check that a directory has a folder for every part.

    Raises:
        CheckpointError: one is missing.
    """
    for part in PARTS:
        if not (directory / part).is_dir():
            raise CheckpointError(
                f"{directory} is not a Stable Diffusion checkpoint in diffusers format: it has no folder {part!r} "
                f"(needed: {', '.join(PARTS)})"
            )


def _config(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{file} holds no JSON object")
    return found


def _check_weights(file: Path) -> None:
    """Check that a file of weights is as long as its header states, or a whole archive."""
    if file.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(file, framework="numpy"):
                return
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{file} is damaged or cut off: {error}") from None
    with file.open("rb") as opened:
        old = opened.read(1) == b"\x80"  # a pickle of torch before 1.6, which has no header
    if not old and not zipfile.is_zipfile(file):
        raise CheckpointError(f"{file} is damaged or cut off")
