"""Measures the time until steering is heard: from the POST to the first changed sample of ``/stream.mp3``.

Two stations with the same seed play the same music on the embedded engine; one is steered. A listener of each has been
connected for a while. Their decoded sound is compared; the first sample that differs is traced to the time at which its
bytes arrived.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from .measure import report, wait_until_quiet

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
    parser.add_argument("--warm-s", type=float, default=30.0)
    given = parser.parse_args()
    load = wait_until_quiet()
    delays = [_run(prompt, given.warm_s) for prompt in PROMPTS]
    rows = [{"prompt": prompt, "heard_after_s": round(delay, 2)} for prompt, delay in zip(PROMPTS, delays, strict=True)]
    report("steering", rows, median_s=round(statistics.median(delays), 2), bar_s=6.0, other_load=round(load, 2))


def _run(prompt: str, warm_s: float) -> float:
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
            time.sleep(warm_s)
            asked = time.perf_counter()
            _steer(port, prompt)
            time.sleep(14.0)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)
    steered, alone = (decode(bytes(listener.data)).samples for listener in listeners)
    frames = min(len(steered), len(alone))
    apart = np.abs(steered[:frames] - alone[:frames]).max(axis=1)
    differs = np.flatnonzero(apart > DIFFERS)
    assert len(differs), "nothing changed"
    first = int(differs[0])
    return listeners[0].when(int(first / len(steered) * len(listeners[0].data))) - asked


def _steer(port: int, prompt: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body = json.dumps({"prompt": prompt})
    connection.request("POST", "/api/stations/steered/prompt", body, {"Content-Type": "application/json"})
    return json.loads(connection.getresponse().read())


if __name__ == "__main__":
    main()
