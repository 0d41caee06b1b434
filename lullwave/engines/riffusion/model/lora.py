"""Merges LoRA files into the weights of a checkpoint.

W becomes W + weight x (alpha / rank) x up x down (Hu et al. 2021, eq. 3), once, at loading, so that denoising takes no
longer. Two spellings of keys are read: that of the training scripts (``lora_unet_down_blocks_0_…``) and that of
diffusers (``unet.down_blocks.0.….lora_A``, formerly ``….to_q.lora.down`` and ``….processor.to_q_lora.down``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ....errors import CheckpointError, InvalidInput

MAX_WEIGHT = 4.0  # beyond this the result is noise

_ROLES = (
    (re.compile(r"\.lora_down\.weight$|\.lora(_linear_layer)?\.down\.weight$|\.lora_A(\.default)?\.weight$"), "down"),
    (re.compile(r"\.lora_up\.weight$|\.lora(_linear_layer)?\.up\.weight$|\.lora_B(\.default)?\.weight$"), "up"),
    (re.compile(r"\.alpha$"), "alpha"),
)
_BLOCKS = ("down_blocks_", "mid_block_", "up_blocks_")  # of the U-Net
_OLD = re.compile(r"(?:\.processor)?\.(to_q|to_k|to_v|to_out)_lora\.(down|up)\.weight$")
_IN_TEXT_ENCODER = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}  # layers of old keys


@dataclass
class _Pair:
    down: torch.Tensor | None = None
    up: torch.Tensor | None = None
    alpha: float | None = None
    keys: list[str] = field(default_factory=list)


def parse(text: str) -> list[tuple[Path, float]]:
    """Parse ``"warm.safetensors:0.8, lcm.safetensors"`` into files and their weights, by default 1.

    Raises:
        InvalidInput: a weight is not a number or too large.
    """
    found = []
    for one in filter(None, (part.strip() for part in text.split(","))):
        name, colon, number = one.rpartition(":")
        weight = 1.0
        if colon and not re.fullmatch(r"[\\/].*", number):  # C:\… is a path
            try:
                weight = float(number)
            except ValueError:
                raise InvalidInput("lora", one, "FILE or FILE:WEIGHT, separated by commas") from None
        else:
            name = one
        if not abs(weight) <= MAX_WEIGHT:
            raise InvalidInput("lora", one, f"weights from -{MAX_WEIGHT:g} to {MAX_WEIGHT:g}")
        found.append((Path(name).expanduser(), weight))
    return found


def merge(unet: nn.Module, text_encoder: nn.Module, files: Sequence[tuple[Path, float]]) -> None:
    """Add every file's change, multiplied by its weight, to the networks.

    Raises:
        CheckpointError: a file cannot be read or is for another architecture.
    """
    modules = {f"unet_{name.replace('.', '_')}": module for name, module in unet.named_modules()}
    for name, module in text_encoder.named_modules():
        flat = name.replace(".", "_").removeprefix("text_model_")
        modules[f"text_{flat}"] = module
    for file, weight in files:
        _add(modules, _read(file), weight, file)


def _add(modules: Mapping[str, nn.Module], tensors: Mapping[str, torch.Tensor], weight: float, file: Path) -> None:
    pairs: dict[str, _Pair] = {}
    for key, tensor in tensors.items():
        name, role = _split(key, file)
        pair = pairs.setdefault(name, _Pair())
        pair.keys.append(key)
        if role == "alpha":
            pair.alpha = float(tensor)
        else:
            setattr(pair, role, tensor.float())
    if not pairs:
        raise CheckpointError(f"{file} holds no LoRA weights")
    for name, pair in pairs.items():
        module: Any = modules.get(name)
        if module is None or not isinstance(getattr(module, "weight", None), torch.Tensor):
            raise CheckpointError(f"{file} changes a layer that this checkpoint does not have: {pair.keys[0]}")
        if pair.down is None or pair.up is None:
            raise CheckpointError(f"{file} has only half of a LoRA pair: {pair.keys[0]}")
        target = module.weight
        rank = pair.down.shape[0]
        change = pair.up.flatten(1) @ pair.down.flatten(1)
        if pair.up.shape[1] != rank or change.numel() != target.numel():
            raise CheckpointError(f"{file} does not fit this checkpoint: {pair.keys[0]} {tuple(pair.down.shape)}")
        scale = weight * (1.0 if pair.alpha is None else pair.alpha / rank)
        with torch.no_grad():
            target.copy_(target.float() + (scale * change).reshape(target.shape).to(target.device))


def _split(key: str, file: Path) -> tuple[str, str]:
    """Parse a key of either spelling into ``unet_down_blocks_…`` and ``down``, ``up`` or ``alpha``."""
    name, role = key, ""
    if old := _OLD.search(key):
        if key.startswith("text_encoder."):
            layer = _IN_TEXT_ENCODER[old[1]]
        else:
            layer = "to_out.0" if old[1] == "to_out" else old[1]
        name, role = f"{key[: old.start()]}.{layer}", old[2]
    else:
        for pattern, found in _ROLES:
            if match := pattern.search(key):
                name, role = key[: match.start()], found
    if role:
        flat = name.replace(".", "_")
        for prefix, network in (
            ("lora_unet_", "unet_"),
            ("unet_", "unet_"),
            ("lora_te_", "text_"),
            ("text_encoder_", "text_"),
        ):
            if flat.startswith(prefix):
                return network + flat.removeprefix(prefix).removeprefix("text_model_"), role
        if flat.startswith(_BLOCKS):  # diffusers up to 0.21 saved the processors of the U-Net alone
            return "unet_" + flat, role
    raise CheckpointError(f"{file} holds a key that is not a LoRA weight of Stable Diffusion 1.x: {key}")


def _read(file: Path) -> Mapping[str, torch.Tensor]:
    if not file.is_file():
        raise CheckpointError(f"LoRA file {file} does not exist")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(file))
        read: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers raise errors of all kinds for a damaged file
        raise CheckpointError(f"LoRA file {file} cannot be read: {error}") from error
    if not (isinstance(read, dict) and all(isinstance(value, torch.Tensor) for value in read.values())):
        raise CheckpointError(f"{file} does not hold a dict of tensors")
    return read
