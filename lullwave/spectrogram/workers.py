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

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_inside = threading.local()


def threads() -> int:
    """How many cores this process may use, at most 8."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, cores, int(limit) if limit.isdigit() and int(limit) > 0 else cores))


@cache
def _pool(size: int, process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(size, thread_name_prefix=f"spectrogram-{process}", initializer=_mark)


def _mark() -> None:
    _inside.busy = True


def each(work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> list[Result]:
    """``[work(piece) for piece in pieces]``, several at once; inside such work, one after the other."""
    listed = list(pieces)
    if len(listed) < 2 or threads() == 1 or getattr(_inside, "busy", False):
        return [work(piece) for piece in listed]
    return list(_pool(threads(), os.getpid()).map(work, listed))


def spans(total: int, size: int) -> list[slice]:
    """0 to ``total`` in slices of ``size``, the last one shorter."""
    return [slice(begin, min(begin + size, total)) for begin in range(0, total, size)]
