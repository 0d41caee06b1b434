"""Measures the time from a cold start of ``lullwave serve`` to its first sound and its first whole clip.

Each repeat starts a new process with an empty data folder. The times run from the start of the process to: the first
answer, the first MP3 frames of ``/stream.mp3`` that decode to sound, the last byte of ``/current.mp3``.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from ..measure import report, wait_until_quiet

REPEATS = 5
BAR_S = {"first answer": None, "first sound": 3.0, "first clip": 5.0}


def main() -> None:
    """Run the benchmark and print the table."""
    load = wait_until_quiet()
    runs = [_run() for _ in range(REPEATS)]
    rows = [
        {
            "until": name,
            "median_s": statistics.median(run[name] for run in runs),
            "worst_s": max(run[name] for run in runs),
            "bar_s": BAR_S[name] or "",
        }
        for name in BAR_S
    ]
    report("first_sound", rows, repeats=REPEATS, other_load=round(load, 2))


def _run() -> dict[str, float]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lullwave", "serve", "--port", str(port), "--data-dir", folder]
        began = time.perf_counter()
        process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
        seconds: dict[str, float] = {}
        clip = threading.Thread(target=_clip, args=(port, began, seconds))
        try:
            _answer(port, began, seconds)
            clip.start()
            _sound(port, began, seconds)
            clip.join(60)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)
    return seconds


def _answer(port: int, began: float, seconds: dict[str, float]) -> None:
    while time.perf_counter() - began < 60:
        try:
            socket.create_connection(("127.0.0.1", port), 60).close()
        except OSError:
            time.sleep(0.01)
            continue
        seconds["first answer"] = time.perf_counter() - began
        return
    raise RuntimeError("the server does not answer")


def _get(port: int, path: str) -> tuple[Any, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    return connection, connection.getresponse()


def _sound(port: int, began: float, seconds: dict[str, float]) -> None:
    from lullwave.codecs import decode
    from lullwave.errors import CodecError

    connection, response = _get(port, "/stream.mp3")
    data = b""
    while True:
        data += response.read1(65536)
        at = time.perf_counter() - began
        try:
            if decode(data).peak_dbfs > -60:
                break
        except CodecError:
            continue
    seconds["first sound"] = at
    connection.close()


def _clip(port: int, began: float, seconds: dict[str, float]) -> None:
    from lullwave.codecs import decode

    connection, response = _get(port, "/current.mp3")
    data = response.read()
    seconds["first clip"] = time.perf_counter() - began
    assert response.status == 200
    assert 55 <= decode(data).duration_s <= 65
    connection.close()


if __name__ == "__main__":
    main()
