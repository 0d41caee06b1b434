"""Measures the time until steering is heard, part by part: the answer to the POST, the first changed sample of
``/stream.mp3``, and the sound of the page in headless Chromium (``--browser``).

Two stations with the same seed play the same music on the embedded engine; one is steered. A listener of each has been
connected for a while. Their decoded sound is compared; the first sample that differs is traced to the time at which its
bytes arrived. In the browser, the change is heard when the clock of the page's audio element passes its frame; beside
that stands what the page said of the wait.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from ..measure import report, wait_until_quiet

PROMPTS = ("warm synthwave, no drums", "nylon guitar, rain", "slow ambient pads", "jazzy rhodes, brushes", "music box")
DIFFERS = 0.03  # of full scale: more than the codec makes of a rounding error in the last bit
SETTINGS = """
seed = 11
steer_every_s = 0
[[stations]]
id = "steered"
prompts = ["mellow lo-fi, felt piano"]
[[stations]]
id = "left-alone"
prompts = ["mellow lo-fi, felt piano"]
"""


class Heard(threading.Thread):
    """A listener: the bytes of a stream and their times of arrival."""

    def __init__(self, port: int, station: str) -> None:
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.connection.request("GET", f"/stations/{station}/stream.mp3")
        self.response = self.connection.getresponse()
        self.data = bytearray()
        self.came: list[tuple[int, float]] = []  # (bytes so far, time)

    def run(self) -> None:
        try:
            while part := self.response.read1(65536):
                self.data += part
                self.came.append((len(self.data), time.perf_counter()))
        except (OSError, ValueError, AttributeError):
            return

    def when(self, size: int) -> float:
        """The time at which byte number ``size`` had arrived."""
        return next(at for have, at in self.came if have >= size)


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompts", nargs="*", default=PROMPTS, help="what the station is steered to (five prompts)")
    parser.add_argument("--warm-s", type=float, default=30.0)
    parser.add_argument("--browser", action="store_true", help="measure the page in headless Chromium too")
    given = parser.parse_args()
    load = wait_until_quiet()
    rows = [_run(prompt, given.warm_s, given.browser) for prompt in given.prompts]
    medians = {
        f"median_{name}": round(statistics.median(row[name] for row in rows), 2) for name in rows[0] if name != "prompt"
    }
    report("steering", rows, **medians, bar_bytes_s=3.0, bar_browser_s=4.0, other_load=round(load, 2))


def _run(prompt: str, warm_s: float, browser: bool) -> dict[str, Any]:
    from lullwave.codecs import decode

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "lullwave.toml"
        config.write_text(SETTINGS)
        command = [sys.executable, "-m", "lullwave", "serve", "--port", str(port), "--config", str(config)]
        process = subprocess.Popen(
            [*command, "--data-dir", folder], stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        assert process.stdout is not None
        process.stdout.readline()
        try:
            listeners = [Heard(port, "steered"), Heard(port, "left-alone")]
            for listener in listeners:
                listener.start()
            with _page(port) if browser else nullcontext() as page:
                time.sleep(warm_s)
                asked = time.perf_counter()
                reply = _steer(port, prompt) if page is None else page.steer(prompt)
                answered_s = time.perf_counter() - asked
                row = {"prompt": prompt, "answered_s": round(answered_s, 2), "on_air_in_s": reply["heard_in_s"]}
                if page is not None:
                    row |= page.wait(asked, reply["frame"] or _steered_frame(port, prompt))
                time.sleep(8.0)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)
    steered, alone = (decode(bytes(listener.data)).samples for listener in listeners)
    frames = min(len(steered), len(alone))
    apart = np.abs(steered[:frames] - alone[:frames]).max(axis=1)
    differs = np.flatnonzero(apart > DIFFERS)
    assert len(differs), "nothing changed"
    first = int(differs[0])
    came = listeners[0].when(int(first / len(steered) * len(listeners[0].data)))
    return row | {"bytes_s": round(came - asked, 2)}


class _Page:
    """The page, playing the steered station."""

    def __init__(self, page: Any, port: int) -> None:
        self._page = page
        self._port = port
        page.goto(f"http://127.0.0.1:{port}/")
        page.get_by_role("button", name="Play", exact=True).click()

    def steer(self, prompt: str) -> Any:
        """Steer by the form of the page; gives the server's answer."""
        box = self._page.get_by_role("textbox", name="How the music should sound")
        box.fill(prompt)
        with self._page.expect_response("**/prompt") as reply:
            box.press("Enter")
        return reply.value.json()

    def wait(self, asked: float, frame: int) -> dict[str, float]:
        """Wait until a frame is heard; when that is, and the largest error of what the page said until then."""
        listener = self._page.evaluate("new URL(document.querySelector('audio').src).searchParams.get('listener')")
        first = _first_frame(self._port, listener)
        said: list[tuple[float, float]] = []
        while True:
            at, text = self._page.evaluate(
                "[document.querySelector('audio').currentTime, document.querySelector('.steering .what').textContent]"
            )
            left_s = (frame - first) / 44100 - at
            if left_s <= 0:
                break
            if number := re.search(r"in ([\d.]+) second", text):
                said.append((left_s, float(number.group(1))))
            time.sleep(0.02)
        errors = [abs(left_s - number) for left_s, number in said]
        return {
            "browser_s": round(time.perf_counter() - asked, 2),
            "countdown_error_s": round(max(errors, default=0), 2),
        }


@contextmanager
def _page(port: int) -> Iterator[_Page]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=shutil.which("chromium-headless-shell") or shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"],
        )
        try:
            yield _Page(chromium.new_page(), port)
        finally:
            chromium.close()


def _first_frame(port: int, listener: str) -> int:
    """The first frame of a listener's audio connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", f"/api/events?station=steered&listener={listener}")
    with connection.getresponse() as response:
        while not (line := response.readline()).startswith(b"data: "):
            pass
    return int(json.loads(line.removeprefix(b"data: "))["first_frame"])


def _steered_frame(port: int, prompt: str) -> int:
    """The first frame of a change that waited when it was answered."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/api/stations/steered")
        coming = json.loads(connection.getresponse().read())["next"]
        for mark in coming:
            if mark["kind"] == "steer" and mark.get("prompt") == prompt:
                return int(mark["frame"])
        time.sleep(0.05)


def _steer(port: int, prompt: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body = json.dumps({"prompt": prompt})
    connection.request("POST", "/api/stations/steered/prompt", body, {"Content-Type": "application/json"})
    return json.loads(connection.getresponse().read())


if __name__ == "__main__":
    main()
