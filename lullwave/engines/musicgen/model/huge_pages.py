"""Moves memory to 2 MB pages on Linux, for weights and the KV cache.

Every decoder step reads all of that memory once; with 4 kB pages, address translation (TLB misses) slows it down.
``madvise(2)`` with MADV_COLLAPSE (Linux 6.1 and later) merges pages; on other systems nothing changes.
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
def huge_pages() -> Iterator[None]:
    """Move memory that was allocated inside the block to huge pages when the block ends without an error."""
    before = _anonymous()
    yield
    if not before:
        return
    moved = sum(_advise(start, stop, _COLLAPSE) for start, stop in _without(_anonymous(), before))
    log.debug("%d MB on huge pages", moved // 1_000_000)


def _anonymous() -> list[Range]:
    """Anonymous memory ranges of this process, ascending and disjoint; empty without /proc."""
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
    """``ranges`` without ``taken``; both ascending and disjoint."""
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


def prefer_huge_pages(address: int, size: int) -> int:
    """Ask for huge pages for memory that was not written yet; returns the number of bytes advised."""
    return _advise(address, address + size, _HUGE) if sys.platform == "linux" else 0


def _advise(start: int, stop: int, advice: int) -> int:
    """Call madvise for the whole huge pages in a range; returns the bytes for which it succeeded."""
    start, stop = -(-start // PAGE) * PAGE, stop // PAGE * PAGE
    if stop <= start:
        return 0
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return 0 if madvise(start, stop - start, advice) else stop - start
