"""Chooses precision, offloading and tiling of a pipeline from its size and the memory that is free."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ...device import free_bytes
from ...errors import EngineError

WORKING_SHARE = 0.25  # memory for activations, as a share of the weights
_BYTES = {torch.float32: 4, torch.float16: 2, torch.bfloat16: 2}
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_SUFFIXES = (".safetensors", ".bin")


@dataclass(frozen=True)
class Placement:
    """Where and how a pipeline runs."""

    dtype: torch.dtype
    offload: str  # "none", "model": one network at a time on the GPU, "sequential": one layer at a time
    tiled: bool  # decode in tiles: slower, less memory


def weight_sizes(directory: Path) -> dict[str, int]:
    """Bytes of the weights of each network (a folder) on disk; of two forms of the same weights, the smaller."""
    sizes: dict[str, int] = {}
    for folder in [directory, *(path for path in directory.iterdir() if path.is_dir())]:
        forms = [sum(file.stat().st_size for file in folder.glob(f"*{suffix}")) for suffix in _SUFFIXES]
        if any(forms):
            sizes[folder.name] = min(size for size in forms if size)
    return sizes


def place(sizes: dict[str, int], stored_bytes: int, device: torch.device, dtype: str, offload: str) -> Placement:
    """Choose how a pipeline runs.

    ``sizes``: bytes on disk of each network, of ``stored_bytes`` bytes a number. What is not "auto" is kept.

    Raises:
        EngineError: it does not fit; the message tells the sizes.
    """
    free = free_bytes(device)
    numbers = sum(sizes.values()) / stored_bytes
    wide = torch.float16 if device.type == "cuda" else torch.float32
    chosen = wide if dtype == "auto" else _DTYPES[dtype]

    def needed(kind: torch.dtype) -> float:
        return numbers * _BYTES[kind] * (1.0 + WORKING_SHARE)

    if dtype == "auto" and free is not None and needed(chosen) > free:
        chosen = torch.bfloat16 if device.type == "cpu" else chosen
    if free is None or needed(chosen) <= free:
        tight = free is not None and needed(chosen) > 0.7 * free
        return Placement(chosen, "none" if offload == "auto" else offload, tight)
    if device.type == "cuda" and offload in ("auto", "model", "sequential"):
        largest = max(sizes.values()) / stored_bytes * _BYTES[chosen] * (1.0 + WORKING_SHARE)
        host = free_bytes(torch.device("cpu"))
        if host is None or numbers * _BYTES[chosen] <= host:
            by_network = offload != "sequential" and largest <= free
            return Placement(chosen, "model" if by_network else "sequential", True)
    raise EngineError(
        f"the model does not fit: its weights need {needed(chosen) / 1e9:.1f} GB of {device} memory "
        f"({sum(sizes.values()) / 1e9:.1f} GB on disk, {str(chosen).removeprefix('torch.')}); "
        f"{free / 1e9:.1f} GB are free"
    )
