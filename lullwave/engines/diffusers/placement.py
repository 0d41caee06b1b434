"""Chooses precision, offloading and tiling of a pipeline from its size and the memory that is free."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch

from ...device import free_bytes
from ...errors import EngineError
from .index import Weights

WORKING_SHARE = 0.25  # memory for activations, as a share of the weights
_BYTES = {torch.float32: 4, torch.float16: 2, torch.bfloat16: 2}
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Placement:
    """Where and how a pipeline runs."""

    dtype: torch.dtype
    offload: str  # "none", "model": one network at a time on the GPU, "sequential": one layer at a time
    tiled: bool  # decode in tiles: slower, less memory


@dataclass(frozen=True)
class OffloadNeeds:
    """What must be on the GPU at the same time when a pipeline is offloaded."""

    together: frozenset[str] = frozenset()  # networks that take turns at each step
    by_layer: frozenset[str] | None = None  # networks that sequential offloading moves by layers; None: all


def place(
    weights: Mapping[str, Weights], device: torch.device, dtype: str, offload: str, needs: OffloadNeeds
) -> Placement:
    """Choose how a pipeline with the stored ``weights`` runs. What is not "auto" is kept.

    Raises:
        EngineError: it does not fit; the message tells the sizes.
    """
    free = free_bytes(device)
    chosen = _narrow(weights) if device.type == "cuda" else torch.float32
    if dtype != "auto":
        chosen = _DTYPES[dtype]

    def needed(names: Collection[str]) -> float:
        return sum(weights[name].numbers for name in names) * _BYTES[chosen] * (1.0 + WORKING_SHARE)

    if dtype == "auto" and device.type == "cpu" and free is not None and needed(weights) > free:
        chosen = torch.bfloat16
    if free is None or needed(weights) <= free:
        wanted = "none" if offload == "auto" or device.type == "cpu" else offload
        return Placement(chosen, wanted, free is not None and needed(weights) > 0.7 * free)
    least = needed(weights)
    if device.type == "cuda" and offload in ("auto", "model", "sequential"):
        groups = [needs.together & set(weights), *({name} for name in weights)]
        by_layer = frozenset(weights) if needs.by_layer is None else needs.by_layer
        whole = max(needed(group) for group in groups)
        least = max(needed(group - by_layer) for group in groups)
        host = free_bytes(torch.device("cpu"))
        if least <= free and (host is None or needed(weights) / (1.0 + WORKING_SHARE) <= host):
            return Placement(chosen, "model" if offload != "sequential" and whole <= free else "sequential", True)
    raise EngineError(
        f"the model does not fit: its weights need {needed(weights) / 1e9:.1f} GB of {device} memory "
        f"({sum(one.disk_bytes for one in weights.values()) / 1e9:.1f} GB on disk, "
        f"{str(chosen).removeprefix('torch.')}){_offloaded(least, needed(weights))}; {free / 1e9:.1f} GB are free"
    )


def _narrow(weights: Mapping[str, Weights]) -> torch.dtype:
    """The half precision of a GPU: bfloat16 for weights stored so, because they can be out of float16's range."""
    return torch.bfloat16 if any(one.bfloat16 for one in weights.values()) else torch.float16


def _offloaded(least: float, whole: float) -> str:
    """What offloading needs, for the message, where it was tried and needs memory of the GPU for whole networks."""
    return f", offloaded {least / 1e9:.1f} GB and the rest in the machine's" if 0.0 < least < whole else ""
