"""Measures this machine for under a second, once per process, and lists the models with how fast each would be here."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from .. import checkpoints
from ..device import choose_device, import_torch, total_bytes
from .catalogue import CATALOGUE, Model

SIDE = 1024  # of the square matrices that are multiplied
COPIED_BYTES = 64 * 1024 * 1024  # larger than the caches
LEAST_S = 0.1  # how long each measurement takes at least
EFFICIENCY = 0.5  # share of the measured rate that networks reach


@dataclass(frozen=True)
class Machine:
    """What was measured."""

    device: str
    gflops: float  # of large matrix products, at the precision that the engines use there
    gb_s: float  # that are read from memory
    memory_gb: float | None = None  # of the device; None if the system does not say

    def fits(self, model: Model) -> bool:
        """Tell whether the weights fit into the memory of the device."""
        return self.memory_gb is None or model.memory_gb < self.memory_gb

    def speed(self, model: Model) -> float:
        """Seconds of sound that the model would make in a second here: an estimate."""
        seconds = max(model.work_gflop / (EFFICIENCY * self.gflops), model.traffic_gb / self.gb_s)
        return 1.0 / seconds


@cache
def this_machine() -> Machine:
    """Measure the device that engines choose here."""
    if find_spec("torch") is None:
        matrix: Any = np.ones((SIDE, SIDE), np.float32)
        return Machine("cpu", _gflops(lambda: matrix @ matrix, SIDE), _memory_gb_s(), _total_gb("cpu"))
    torch, device = import_torch("measuring"), choose_device("auto")
    if device.type == "cpu":
        best = 0.0
        for dtype in (torch.float32, torch.bfloat16):  # which is faster depends on the processor
            ones = torch.ones((SIDE, SIDE), dtype=dtype)
            best = max(best, _gflops(lambda ones=ones: ones @ ones, SIDE))  # type: ignore[misc]
        return Machine("cpu", best, _memory_gb_s(), _total_gb("cpu"))
    large = torch.ones((4 * SIDE, 4 * SIDE), dtype=torch.float16, device=device)

    def multiply() -> None:
        (large @ large)[0, 0].item()  # waits for the device

    def copy() -> None:
        large.clone()[0, 0].item()

    read_gb = 2 * large.numel() * large.element_size() / 1e9
    return Machine(str(device), _gflops(multiply, 4 * SIDE), read_gb * _rate(copy), _total_gb(str(device)))


def _total_gb(device: str) -> float | None:
    found = total_bytes(device)
    return None if found is None else found / 1e9


def _gflops(multiply: Callable[[], object], side: int) -> float:
    return 2.0 * side**3 / 1e9 * _rate(multiply)


def _memory_gb_s() -> float:
    """GB that a process reads from memory in a second: a copy reads and writes."""
    data = np.ones(COPIED_BYTES, np.uint8)
    target = np.empty_like(data)
    return 2 * COPIED_BYTES / 1e9 * _rate(lambda: np.copyto(target, data))


def _rate(work: Callable[[], object]) -> float:
    """How many times a second ``work`` runs, after a first time that does not count."""
    work()
    began, times = time.perf_counter(), 0
    while (took := time.perf_counter() - began) < LEAST_S:
        work()
        times += 1
    return times / took


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
