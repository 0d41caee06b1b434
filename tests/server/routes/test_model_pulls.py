"""Models that the owner downloads over HTTP: progress, one at a time, cancelled, failed; nothing for others."""

import threading
import time

import pytest
from radio_server import serving

from lullwave import checkpoints
from lullwave.errors import CheckpointError

SMALL, OTHER = {"name": "facebook/musicgen-small"}, {"name": "facebook/musicgen-medium"}


class Hub:
    """Stands for ``checkpoints.pull``: 1000 bytes in ten pieces, each of which waits for the test."""

    def __init__(self, monkeypatch):
        self.go, self.asked, self.error = threading.Semaphore(0), [], None
        monkeypatch.setattr(checkpoints, "pull", self.pull)

    def pull(self, name, progress):
        self.asked.append(name)
        for piece in range(1, 11):
            self.go.acquire()
            if self.error is not None:
                raise self.error
            progress("model.safetensors", 100 * piece, 1000)


@pytest.fixture
def hub(monkeypatch):
    return Hub(monkeypatch)


def until(served, **wanted):
    """The download once it is as wanted."""
    for _ in range(3000):
        pull = served.json("/api/models/pull")["pull"]
        if all(pull[name] == value for name, value in wanted.items()):
            return pull
        time.sleep(0.01)
    raise AssertionError(pull)


def test_a_model_is_downloaded_with_progress_one_at_a_time(hub, tmp_path):
    with serving(tmp_path) as served:
        assert served.json("/api/models/pull") == {"pull": None}
        response, _ = served.ask("/api/models/pull", "POST", SMALL)
        assert response.status == 202
        hub.go.release(3)
        pull = until(served, done_bytes=300)
        assert (pull["name"], pull["state"], pull["total_bytes"]) == (SMALL["name"], "pulling", 1000)
        served.clock.advance(6.0)
        hub.go.release(1)
        left_s = until(served, done_bytes=400)["left_s"]
        assert left_s == pytest.approx(600 * 6 / 300)  # 300 bytes came in six seconds
        response, data = served.ask("/api/models/pull", "POST", OTHER)
        assert response.status == 429
        assert b"facebook/musicgen-small is downloaded now" in data
        assert served.ask("/api/models/pull", "POST", SMALL)[0].status == 202  # the same again is no second one
        hub.go.release(6)
        until(served, state="done")
        assert hub.asked == [SMALL["name"]]


def test_a_download_is_cancelled_and_fails_with_its_reason_and_can_begin_again(hub, tmp_path):
    with serving(tmp_path) as served:
        served.ask("/api/models/pull", "POST", SMALL)
        hub.go.release(1)
        until(served, done_bytes=100)
        served.ask("/api/models/pull/cancel", "POST")
        hub.go.release(1)
        assert until(served, state="cancelled")["done_bytes"] == 100
        for error, words in ((CheckpointError("the disk is full"), "the disk is full"), (ZeroDivisionError(), "log")):
            hub.error = error
            served.ask("/api/models/pull", "POST", OTHER)
            hub.go.release(1)
            assert words in until(served, state="failed", name=OTHER["name"])["error"]
            hub.error = None
            served.ask("/api/models/pull", "POST", SMALL)
            hub.go.release(10)
            until(served, state="done")


def test_only_the_owner_downloads_and_is_told(hub, tmp_path):
    with serving(tmp_path, host="0.0.0.0", token="open sesame") as served:
        owner = {"Authorization": "Bearer open sesame"}
        assert served.ask("/api/models/pull", "POST", SMALL)[0].status == 401
        assert served.ask("/api/models/pull/cancel", "POST")[0].status == 401
        assert served.ask("/api/models/pull")[0].status == 403
        assert served.ask("/api/models/pull", "POST", {"name": "x" * 300}, owner)[0].status == 422
        assert hub.asked == []
        assert served.ask("/api/models/pull", "POST", SMALL, owner)[0].status == 202
        assert served.json("/api/models/pull", headers=owner)["pull"]["name"] == SMALL["name"]
        hub.go.release(10)
