"""Chooses the torch device of a model, counts its free memory and runs work on threads of its own."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from .errors import EngineError, InvalidInput, MissingExtra

log = logging.getLogger(__name__)

Result = TypeVar("Result")

DTYPES = ("auto", "int8", "bfloat16", "float16", "float32")


def choose_device(name: str = "auto") -> Any:
    """The ``torch.device`` called ``name``; ``auto`` is the first of cuda, mps and cpu that exists.

    Raises:
        MissingExtra: torch is not installed.
        InvalidInput: this machine has no such device.
    """
    torch = import_torch("neural engines")
    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
    here = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count())), *(["mps"] if has_mps else [])]
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InvalidInput("device", name, "auto, " + ", ".join(here)) from None
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda:0")
    if str(device) not in here:
        raise InvalidInput("device", name, "auto, " + ", ".join(here))
    return device


def choose_dtype(name: str, device: Any) -> Any:
    """The ``torch.dtype`` of a diffusion model.

    ``auto`` is float16 on CUDA, bfloat16 on CPUs with instructions for it, else float32. ``int8`` affects the network
    of the denoising steps alone; the other networks use what ``auto`` gives.

    Raises:
        InvalidInput: int8 on another device than a CPU.
    """
    torch = import_torch("neural engines")
    if name == "int8" and device.type != "cpu":
        raise InvalidInput("dtype", name, f"bfloat16, float16 or float32 on {device} (int8 is for CPUs)")
    if name not in ("auto", "int8"):
        return {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}[name]
    if device.type == "cuda":
        return torch.float16
    if device.type == "cpu" and has_fast_bfloat16():
        return torch.bfloat16
    return torch.float32


def has_fast_bfloat16() -> bool:
    """Tell whether this CPU has instructions for bfloat16 products."""
    try:
        with open("/proc/cpuinfo") as info:
            flags = next((line for line in info if line.startswith(("flags", "Features"))), "")
    except OSError:
        return False
    return any(flag in flags.split() for flag in ("avx512_bf16", "amx_bf16", "bf16"))


def import_torch(feature: str) -> Any:
    """Import torch for a feature, which the error names.

    Raises:
        MissingExtra: torch is not installed.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingExtra(feature, "ai", error.name or "torch") from None
    return torch


def free_bytes(device: Any) -> int | None:
    """Free memory of ``device`` in bytes; None if the system does not say."""
    torch = import_torch("neural engines")
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "cpu" and os.path.exists("/proc/meminfo"):
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    here = int(line.split()[1]) * 1024
                    return min(here, container_free_bytes() or here)
    return None


def total_bytes(device: str) -> int | None:
    """Memory in bytes of the device called ``device``; None if the system does not say. Imports torch for CUDA only."""
    if device.startswith("cuda"):
        return int(import_torch("neural engines").cuda.get_device_properties(device).total_memory)
    try:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows
        return None
    try:
        return min(whole, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no container, or one without a limit
        return whole


def check_fits(model: str, disk_bytes: int, needed_bytes: float, device: Any) -> None:
    """Check that weights fit into the free memory of a device, before they are loaded.

    Raises:
        EngineError: they do not; the message tells the sizes.
    """
    free = free_bytes(device)
    if free is not None and needed_bytes > free:
        raise EngineError(
            f"{model} does not fit: {disk_bytes / 1e9:.1f} GB of weights on disk need at least "
            f"{needed_bytes / 1e9:.1f} GB of {device} memory; {free / 1e9:.1f} GB are free"
        )


def container_free_bytes(group: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Memory in bytes that a container may still take (control groups version 2); None without a limit.

    Cached pages of files count as free, as they do in MemAvailable.
    """
    try:
        limit, used = int((group / "memory.max").read_text()), int((group / "memory.current").read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return max(0, limit - used + int(stat.get("inactive_file", 0)))
    except (OSError, ValueError):  # another version, or "max"
        return None


def set_threads(threads: int) -> None:
    """Set the number of cores of a matrix product on the CPU, for the whole process."""
    import_torch("neural engines").set_num_threads(threads)


def run_on_new_thread(work: Callable[[], Result]) -> Result:
    """Run ``work()`` on a new thread and wait for it: other threads that compute are then not slowed down afterwards.

    GNU OpenMP keeps a team of threads for every thread that has computed. Once the teams have more threads than the
    machine has cores, all of them sleep between two products instead of spinning, and a decoder of many small products
    takes more than twice as long. A team ends with its thread.
    """
    done: Future[Result] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    thread = threading.Thread(target=run, name="run-on-new-thread", daemon=True)
    thread.start()
    made = done.result()
    thread.join()
    return made
