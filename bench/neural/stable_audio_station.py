"""A station of Stable Audio 3 through ``lullwave serve`` for ten minutes, with one listener that decodes what it hears.

``python -m bench.neural.stable_audio_station --checkpoint DIR [--minutes 10]``; without a checkpoint a full-size one of
random weights is made. A row a minute: seconds heard and silent, share of the time in which the neural engine's music
was on air (as it came, or from its buffer between two windows), its speed, the buffer, memory. Samples are lost where
the decoded music is shorter than the time, less the burst.
"""

from __future__ import annotations

import argparse
import http.client
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from .. import measure

SILENT = 1e-4  # peak of a second that counts as silent
SETTLING_S = 60.0  # after the first sound, before the figures count


def main() -> None:
    """Run the station and print the table."""
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    ask.add_argument("--checkpoint", type=Path)
    ask.add_argument("--minutes", type=int, default=10)
    ask.add_argument("--dtype", default="auto", help="precision, such as int8")
    ask.add_argument("--threads", type=int, default=2)
    given = ask.parse_args()
    measure.pin(given.threads)
    with tempfile.TemporaryDirectory(prefix="lullwave-bench-") as scratch:
        from .stable_audio import _make

        checkpoint = given.checkpoint or _make(Path(scratch) / "small")
        rows = _played(checkpoint, Path(scratch) / "data", given.minutes, given.dtype)
    heard = sum(row["heard_s"] for row in rows)
    share = float(np.mean([row["engine_share"] for row in rows]))
    growth = rows[-1]["rss_mb"] - rows[min(1, len(rows) - 1)]["rss_mb"]
    measure.report("stable-audio-station", rows, heard_s=heard, engine_share=share, growth_mb=growth, dtype=given.dtype)


def _played(checkpoint: Path, data: Path, minutes: int, dtype: str) -> list[dict[str, Any]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "lullwave", "serve", "--engine", "stable-audio", "--checkpoint", str(checkpoint)]
    command += ["--engine-options", f"dtype={dtype}"]
    server = subprocess.Popen([*command, "--port", str(port), "--data-dir", str(data)])
    try:
        listener = _Listener(port)
        rows = []
        while _metrics(port).get("engine") != 1.0:  # the fallback plays while the model loads
            time.sleep(1.0)
        time.sleep(SETTLING_S)
        for minute in range(1, minutes + 1):
            before, began, on_air = listener.bytes, time.perf_counter(), []
            while time.perf_counter() - began < 60.0:
                time.sleep(1.0)
                now = _metrics(port)
                on_air.append(max(now.get("engine", 0.0), now.get("its buffer", 0.0)))
            found = _metrics(port)
            heard, silent = listener.decoded(before)
            rows.append(
                {
                    "minute": minute,
                    "heard_s": heard,
                    "of_s": time.perf_counter() - began,
                    "silent_s": silent,
                    "engine_share": float(np.mean(on_air)),
                    "speed": found.get("speed", 0.0),
                    "buffer_s": found.get("buffer", 0.0),
                    "rss_mb": measure.rss_mb(server.pid),
                }
            )
        return rows
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def _metrics(port: int) -> dict[str, float]:
    """What is on air, the engine's speed and the buffer."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    except OSError:
        return {}
    found: dict[str, float] = {}
    for name, pattern in (
        ("engine", r'lullwave_station_rung\{rung="engine",station="piano"\} (\S+)'),
        ("its buffer", r'lullwave_station_rung\{rung="reserve",station="piano"\} (\S+)'),
        ("speed", r'lullwave_engine_speed\{station="piano"\} (\S+)'),
        ("buffer", r'lullwave_reserve_seconds\{station="piano"\} (\S+)'),
    ):
        if match := re.search(pattern, text):
            found[name] = float(match[1])
    return found


class _Listener:
    """Reads the MP3 stream on a thread of its own."""

    def __init__(self, port: int) -> None:
        self._data = bytearray()
        self._port = port
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def bytes(self) -> int:
        return len(self._data)

    def decoded(self, since: int) -> tuple[float, float]:
        """Seconds of music in the bytes from ``since`` on, and how many of them are silent."""
        from lullwave.codecs.reading import decode

        audio = decode(bytes(self._data[since:]))
        seconds = range(0, audio.frames - audio.rate + 1, audio.rate)
        silent = sum(1 for at in seconds if np.abs(audio.samples[at : at + audio.rate]).max() < SILENT)
        return audio.duration_s, float(silent)

    def _read(self) -> None:
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
                connection.request("GET", "/stream.mp3")
                reply = connection.getresponse()
                while got := reply.read1(8192):
                    self._data += got
            except OSError:
                time.sleep(0.2)  # the server has not started yet, or has ended


if __name__ == "__main__":
    main()
