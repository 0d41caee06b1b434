"""The list of models to choose from, as data: for the command line and HTTP."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .. import checkpoints
from .catalogue import CATALOGUE, Model
from .machine import Machine


def available(engines: Collection[str], machine: Machine) -> list[dict[str, Any]]:
    """Every model that one of ``engines`` plays, with the speed expected on ``machine``."""
    installed = {one.name for one in checkpoints.installed()}
    return [_fields(model, machine, model.name in installed) for model in CATALOGUE if model.engine in engines]


def _fields(model: Model, machine: Machine, installed: bool) -> dict[str, Any]:
    return {
        "name": model.name,
        "engine": model.engine,
        "good_at": model.good_at,
        "installed": installed,
        "disk_gb": round(model.disk_gb, 1),
        "memory_gb": round(model.memory_gb, 1),
        "rate": model.rate,
        "channels": model.channels,
        "licence": model.licence,
        "terms": model.terms,
        "gated": model.gated,
        "speed": float(f"{machine.speed(model):.2g}"),
        "device": machine.device,
        "fits": machine.fits(model),
    }
