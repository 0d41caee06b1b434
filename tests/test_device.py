"""Threads for single pieces of work leave nothing behind and pass errors on; free memory within a container."""

import threading
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from lullwave import device  # noqa: E402
from lullwave.device import container_free_bytes, run_on_new_thread  # noqa: E402
from lullwave.errors import EngineError, InvalidInput  # noqa: E402

THREADS = Path("/proc/self/task")


def multiply():
    return torch.ones(600, 600) @ torch.ones(600, 600)


def settled(tasks, limit=500):
    """The number of threads, once at most ``tasks`` are left or after five seconds."""
    pause = threading.Event()
    for _ in range(limit):
        if len(list(THREADS.iterdir())) <= tasks:
            break
        pause.wait(0.01)
    return len(list(THREADS.iterdir()))


@pytest.mark.skipif(not THREADS.is_dir(), reason="counts threads as Linux tells them")
def test_a_new_thread_leaves_no_team_of_threads():
    before = len(list(THREADS.iterdir()))
    for _ in range(5):
        assert float(run_on_new_thread(multiply)[0, 0]) == 600.0
    assert settled(before) <= before


def test_errors_of_the_new_thread_reach_the_caller():
    with pytest.raises(ZeroDivisionError):
        run_on_new_thread(lambda: 1 // 0)


def test_cached_pages_count_as_free_within_a_container(tmp_path):
    for name, value in (("max", "1000"), ("current", "700"), ("stat", "anon 500\ninactive_file 150\n")):
        (tmp_path / f"memory.{name}").write_text(value)
    assert container_free_bytes(tmp_path) == 450
    (tmp_path / "memory.max").write_text("max\n")
    assert container_free_bytes(tmp_path) is None
    assert container_free_bytes(tmp_path / "absent") is None


def test_weights_that_do_not_fit_are_refused_with_the_sizes(monkeypatch):
    monkeypatch.setattr(device, "free_bytes", lambda asked: 3_000_000_000)
    device.check_fits("some/model", 4_000_000_000, 2_900_000_000, "cpu")
    with pytest.raises(EngineError, match=r"some/model does not fit: 4\.0 GB .* at least 3\.1 GB .* 3\.0 GB are free"):
        device.check_fits("some/model", 4_000_000_000, 3_100_000_000, "cpu")


@pytest.mark.parametrize("name", ["nonsense", "cuda:99"])
def test_a_device_that_is_not_here_is_refused_by_name(name):
    with pytest.raises(InvalidInput, match=f"device: got '{name}'"):
        device.choose_device(name)
