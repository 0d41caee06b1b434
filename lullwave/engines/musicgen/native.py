"""Chooses between the decoder of the optional package ``lullwave-native`` and torch's. Imports nothing heavy."""

from __future__ import annotations

from typing import Any

from ...errors import EngineError, InvalidInput
from ..native_package import find_native


def choose_native(backend: str, device: str, dtype: str, kv_dtype: str) -> Any:
    """The module to run the decoder with, or None for torch.

    Raises:
        InvalidInput: ``native`` on another device than a CPU, or with weights in floating point; 4 bits without it.
        EngineError: ``native`` or 4 bits, and the package is missing.
    """
    fits = device == "cpu" and dtype in ("auto", "int8", "int4")
    needing = [name for name, value in (("dtype", dtype), ("kv_dtype", kv_dtype)) if value == "int4"]
    if needing and (backend == "torch" or not fits):
        allowed = f"int4 with native kernels on a CPU, not with dtype {dtype} and backend {backend} on {device}"
        raise InvalidInput(needing[0], "int4", allowed)
    if backend == "torch" or (backend == "auto" and not fits):
        return None
    if not fits:
        raise InvalidInput("backend", backend, f"auto or torch with {dtype} on {device} (native: 8 or 4 bits on a CPU)")
    found = find_native()
    if found.module is None and (backend == "native" or needing):
        raise EngineError(f"{f'{needing[0]} int4' if needing else 'backend native'}: {found.problem}")
    return found.module
