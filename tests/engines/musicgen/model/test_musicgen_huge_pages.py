"""Huge pages: which memory is asked for, and that what it holds stays what it was."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from lullwave.engines.musicgen.model.huge_pages import _COLLAPSE, PAGE, _advise, _anonymous, _without, huge_pages


def test_only_memory_that_was_not_there_before_is_asked_for():
    assert _without([(0, 10), (20, 30), (40, 50)], [(2, 4), (6, 8), (15, 25), (40, 50)]) == [
        (0, 2), (4, 6), (8, 10), (25, 30),
    ]  # fmt: skip
    assert _without([(0, 10)], []) == [(0, 10)]
    assert _without([(5, 10)], [(0, 20)]) == []


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has them")
def test_what_is_allocated_is_found_moved_where_the_kernel_can_and_kept():
    drawn = np.random.default_rng(0).bytes(32 * PAGE)
    before = _anonymous()
    with huge_pages():
        held = np.frombuffer(drawn, np.uint8).copy()
    address = held.ctypes.data
    assert any(start <= address < stop for start, stop in _without(_anonymous(), before))
    moved = _advise(address, address + held.nbytes, _COLLAPSE)  # again: what is moved already is no error
    assert moved in (0, 31 * PAGE, 32 * PAGE)  # a kernel that cannot says so
    rollup = Path("/proc/self/smaps_rollup").read_text()
    assert int(re.search(r"AnonHugePages:\s+(\d+)", rollup)[1]) * 1024 >= moved
    assert held.tobytes() == drawn
