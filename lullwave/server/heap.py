"""Keeps the C heap small where many threads make music; knows nothing of the threads.

glibc gives every thread an arena of its own, up to eight a core, and memory that one frees is not given to another:
five stations grew to nearly twice what they use. One arena is enough, as NumPy allocates while it holds the GIL; and
what is large goes back to the system as soon as it is freed.
"""

from __future__ import annotations

import ctypes
import sys

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # glibc, malloc.h
LARGE_BYTES = 2 << 20  # smaller, and the pages of every short-lived array are fetched anew: twice the processor time


def keep_heap_small() -> bool:
    """Set the C library up, before threads are started; False where it has no such settings."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(M_ARENA_MAX, 1)) and bool(mallopt(M_MMAP_THRESHOLD, LARGE_BYTES))
