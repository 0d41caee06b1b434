"""Independent pieces of array work on all cores; knows nothing of what is computed.

The pieces release the interpreter's lock (NumPy, SciPy's FFT, compiled loops). Which thread does which piece never
changes a result.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import numpy as np

Piece = TypeVar("Piece")
Result = TypeVar("Result")

KEPT_BYTES = 32 * 2**20 - 2**16  # the largest block that raises glibc's threshold

_inside = threading.local()


def threads() -> int:
    """How many cores this process may use, at most 8."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, cores, int(limit) if limit.isdigit() and int(limit) > 0 else cores))


@cache
def keep_memory() -> None:
    """Let the memory of a chunk's arrays be used again, once in a process.

    The GNU C library gives larger blocks back to the system as they are freed, and the next use of one then costs a
    fault for each of its pages: a third of the time of an analysis. Freeing one large block raises the size from which
    on it does so (mallopt(3), M_MMAP_THRESHOLD). Nothing is written to the block. Elsewhere this does nothing.
    """
    np.empty(KEPT_BYTES, np.uint8)


@cache
def _pool(size: int, process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(size, thread_name_prefix=f"spectrogram-{process}", initializer=_mark)


def _mark() -> None:
    _inside.busy = True


def each(work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> list[Result]:
    """``[work(piece) for piece in pieces]``, several at once; inside such work, one after the other."""
    listed = list(pieces)
    keep_memory()
    if len(listed) < 2 or threads() == 1 or getattr(_inside, "busy", False):
        return [work(piece) for piece in listed]
    return list(_pool(threads(), os.getpid()).map(work, listed))


def spans(total: int, size: int) -> list[slice]:
    """0 to ``total`` in slices of ``size``, the last one shorter."""
    return [slice(begin, min(begin + size, total)) for begin in range(0, total, size)]
