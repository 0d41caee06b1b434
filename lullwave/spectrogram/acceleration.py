"""Whether the compiled loops are there; knows nothing of what they do."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

log = logging.getLogger(__name__)


@cache
def compiled() -> Any:
    """The module of compiled loops, or None where numba is not installed or has no place to keep what it compiled."""
    try:
        from . import numba_kernels as module
    except ImportError:
        return None
    except RuntimeError as error:  # of numba, where neither the package nor the home can be written to
        log.warning("spectrograms are made without numba (%s); NUMBA_CACHE_DIR can name a folder for it", error)
        return None
    return module
