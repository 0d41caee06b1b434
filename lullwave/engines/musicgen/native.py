"""Finds the optional package ``lullwave-native``: kernels of the decoder for CPUs. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from ...errors import EngineError, InvalidInput

Backend = Literal["auto", "native", "torch"]
BACKENDS: tuple[Backend, ...] = ("auto", "native", "torch")
INSTALL = "run make native in a checkout, or pip install ./native"


@dataclass(frozen=True)
class NativePackage:
    """The package as it is on this machine."""

    module: Any  # None: it cannot be used
    level: str  # the instruction set of its fastest kernels here, such as "avx2"
    problem: str  # why it cannot be used; empty if it can

    def __str__(self) -> str:
        return f"native kernels, {self.level}" if self.module else f"torch kernels ({self.problem})"


@cache
def find_native() -> NativePackage:
    """Import the package, once."""
    try:
        import lullwave_native as module
    except ImportError as error:
        absent = getattr(error, "name", None) == "lullwave_native" and isinstance(error, ModuleNotFoundError)
        told = "lullwave-native is not installed" if absent else f"lullwave-native cannot be loaded: {error}"
        return NativePackage(None, "", f"{told}; {INSTALL}")
    return NativePackage(module, module.levels()[0], "")


def choose_native(backend: str, device: str, dtype: str) -> Any:
    """The module to run the decoder with, or None for torch.

    Raises:
        InvalidInput: ``native`` on another device than a CPU, or with weights in floating point; 4 bits without it.
        EngineError: ``native`` or 4 bits, and the package is missing.
    """
    fits = device == "cpu" and dtype in ("auto", "int8", "int4")
    if dtype == "int4" and (backend == "torch" or not fits):
        raise InvalidInput("dtype", dtype, f"int4 with native kernels on a CPU, not with backend {backend} on {device}")
    if backend == "torch" or (backend == "auto" and not fits):
        return None
    if not fits:
        raise InvalidInput("backend", backend, f"auto or torch with {dtype} on {device} (native: 8 or 4 bits on a CPU)")
    found = find_native()
    if found.module is None and (backend == "native" or dtype == "int4"):
        raise EngineError(f"{'dtype int4' if dtype == 'int4' else 'backend native'}: {found.problem}")
    return found.module
