"""Where models run: work apart leaves no threads behind, and its errors reach who asked."""

import threading
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from lullwave.device import container_free_bytes, run_on_new_thread  # noqa: E402

THREADS = Path("/proc/self/task")


def multiply():
    return torch.ones(600, 600) @ torch.ones(600, 600)


def settled(tasks, limit=500):
    """How many threads there are once they are few enough, or after a while."""
    pause = threading.Event()
    for _ in range(limit):
        if len(list(THREADS.iterdir())) <= tasks:
            break
        pause.wait(0.01)
    return len(list(THREADS.iterdir()))


@pytest.mark.skipif(not THREADS.is_dir(), reason="counts threads as Linux tells them")
def test_work_apart_leaves_no_team_of_threads():
    before = len(list(THREADS.iterdir()))
    for _ in range(5):
        assert float(run_on_new_thread(multiply)[0, 0]) == 600.0
    assert settled(before) <= before


def test_what_work_apart_raises_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        run_on_new_thread(lambda: 1 // 0)


def test_a_container_s_limit_counts_what_may_be_dropped(tmp_path):
    for name, value in (("max", "1000"), ("current", "700"), ("stat", "anon 500\ninactive_file 150\n")):
        (tmp_path / f"memory.{name}").write_text(value)
    assert container_free_bytes(tmp_path) == 450
    (tmp_path / "memory.max").write_text("max\n")
    assert container_free_bytes(tmp_path) is None
    assert container_free_bytes(tmp_path / "absent") is None
