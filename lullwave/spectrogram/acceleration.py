"""What makes array work fast: kernels compiled by numba, where it is installed, and threads.

Work that runs on threads releases the interpreter's lock (NumPy, SciPy's FFT, compiled kernels). Which thread does
which piece never changes a result.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import numpy as np

Piece = TypeVar("Piece")
Result = TypeVar("Result")

KEPT_BYTES = 32 * 2**20 - 2**16  # the largest block that raises glibc's threshold

log = logging.getLogger(__name__)


@cache
def kernels() -> Any:
    """The module ``numba_kernels``, or None where numba is not installed or has no folder for its cache."""
    try:
        from . import numba_kernels
    except ImportError:
        return None
    except RuntimeError as error:  # from numba, when neither the package nor the home directory is writable
        log.warning("spectrograms are made without numba (%s); NUMBA_CACHE_DIR can name a folder for it", error)
        return None
    return numba_kernels


_worker = threading.local()


def threads() -> int:
    """Cores that this process may use, at most 8; ``OMP_NUM_THREADS`` lowers the number."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, cores, int(limit) if limit.isdigit() and int(limit) > 0 else cores))


@cache
def reuse_freed_memory() -> None:
    """Make glibc keep freed blocks for reuse; runs once in a process.

    glibc returns large blocks to the system when they are freed, and the next block then costs a page fault for each
    of its pages: a third of the time of an analysis. Freeing one large block raises the size from which it does so
    (mallopt(3), M_MMAP_THRESHOLD). Nothing is written to the block. Other C libraries are not affected.
    """
    np.empty(KEPT_BYTES, np.uint8)


@cache
def _pool(size: int, process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(size, thread_name_prefix=f"spectrogram-{process}", initializer=_mark_worker)


def _mark_worker() -> None:
    _worker.busy = True


def parallel_map(work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> list[Result]:
    """``[work(piece) for piece in pieces]`` on several threads; nested calls run one after the other."""
    listed = list(pieces)
    reuse_freed_memory()
    if len(listed) < 2 or threads() == 1 or getattr(_worker, "busy", False):
        return [work(piece) for piece in listed]
    return list(_pool(threads(), os.getpid()).map(work, listed))


def slices(total: int, size: int) -> list[slice]:
    """Slices of ``size`` that cover 0 to ``total``; the last may be shorter."""
    return [slice(begin, min(begin + size, total)) for begin in range(0, total, size)]
