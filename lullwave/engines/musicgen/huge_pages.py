"""Large memory pages on Linux, for weights and for keys and values; knows nothing of what the memory holds.

A step reads all of them once, and with pages of 4 kB the processor has tens of thousands of addresses to look up.
The kernel gathers them into pages of 2 MB by madvise(2) with MADV_COLLAPSE (since Linux 6.1); where it cannot, all
stays as it was.
"""

from __future__ import annotations

import ctypes
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

PAGE = 1 << 21  # bytes
_HUGE = 14  # MADV_HUGEPAGE
_COLLAPSE = 25  # MADV_COLLAPSE

Range = tuple[int, int]  # addresses from, to


@contextmanager
def large_pages() -> Iterator[None]:
    """Move what is allocated inside the block, and kept, to large pages when the block ends well."""
    before = _anonymous()
    yield
    if not before:
        return
    moved = sum(_advise(start, stop, _COLLAPSE) for start, stop in _without(_anonymous(), before))
    log.debug("%d MB on large pages", moved // 1_000_000)


def _anonymous() -> list[Range]:
    """The process's own memory that no file is behind: rising, disjoint; empty where there is no /proc."""
    if sys.platform != "linux":
        return []
    found = []
    try:
        with open("/proc/self/maps") as maps:
            for line in maps:
                ends, rights, _, _, inode, *name = line.split()
                if inode == "0" and rights.startswith("rw") and name in ([], ["[heap]"]):
                    start, stop = ends.split("-")
                    found.append((int(start, 16), int(stop, 16)))
    except OSError:
        return []
    return found


def _without(ranges: list[Range], taken: list[Range]) -> list[Range]:
    """``ranges`` less ``taken``; both rising and disjoint."""
    left = []
    for start, stop in ranges:
        for low, high in taken:
            if high <= start or low >= stop:
                continue
            if low > start:
                left.append((start, low))
            start = high
            if start >= stop:
                break
        if start < stop:
            left.append((start, stop))
    return left


def prefer_large_pages(address: int, size: int) -> int:
    """Let memory that was not written yet come in large pages when it is; for how many bytes."""
    return _advise(address, address + size, _HUGE) if sys.platform == "linux" else 0


def _advise(start: int, stop: int, advice: int) -> int:
    """Tell the kernel of the whole pages in a range; how many bytes it took the advice for."""
    start, stop = -(-start // PAGE) * PAGE, stop // PAGE * PAGE
    if stop <= start:
        return 0
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return 0 if madvise(start, stop - start, advice) else stop - start
