"""Whether the compiled loops are there; knows nothing of what they do."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def compiled() -> Any:
    """The module of compiled loops, or None where numba is not installed."""
    try:
        from . import compiled as module
    except ImportError:
        return None
    return module
