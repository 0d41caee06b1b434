"""Finds the optional package ``lullwave-native``: kernels for CPUs. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

Backend = Literal["auto", "native", "torch"]
BACKENDS: tuple[Backend, ...] = ("auto", "native", "torch")
INSTALL = "run make native in a checkout, or pip install ./native"
FAST_LAYERS = "amx"  # the instruction set of those kernels of layers in bfloat16 that are faster than torch's


@dataclass(frozen=True)
class NativePackage:
    """The package as it is on this machine."""

    module: Any  # None: it cannot be used
    level: str  # the instruction set of its fastest kernels for whole numbers here, such as "avx2"
    problem: str  # why it cannot be used; empty if it can
    layer_levels: tuple[str, ...] = ()  # instruction sets of its layers in bfloat16 here, the fastest first

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
    if not hasattr(getattr(module, "Decoder", None), "active_threads"):  # the newest that is called
        return NativePackage(None, "", f"lullwave-native is older than lullwave; {INSTALL}")
    return NativePackage(module, module.levels()[0], "", tuple(module.layer_levels()))
