"""A station of a neural engine through ``lullwave serve``, with one listener that decodes what it hears.

A row a minute: seconds heard and silent; share of the time in which the neural engine's music was on air (as it came,
or from its buffer), replayed clips, and the embedded engine; the neural engine's speed, the buffer, steps of lighter
options, the length of the stretches that an engine slower than real time plays, memory. The listener decodes all of the
stream in one go, so that samples are lost where the music is shorter than the time. Sound comes in blocks, so that a
row may have one more or less than its share.

An engine slower than real time is on air for the share that is its speed, at most: the rest is other music.
"""

from __future__ import annotations

import argparse
import http.client
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lullwave.codecs.mp3 import FrameSplitter
from lullwave.station.failover import Tier

from .. import measure
from ..radio.serving import free_port

SILENT = 1e-4  # peak of a second that counts as silent
LOADING_S = 300.0  # the most that loading may take, and making what the engine has to have ahead
_SHARES = {
    "engine_share": (Tier.PRIMARY, Tier.RESERVE),
    "clips_share": (Tier.ARCHIVE,),
    "embedded_share": (Tier.EMBEDDED,),
}


def measure_station(topic: str, make: Callable[[Path], Path], *flags: str) -> None:
    """Run the command line of a benchmark: play a station for minutes and print the table.

    ``make`` writes a full-size checkpoint of random weights into a folder, for when none is given; ``flags`` are those
    of ``lullwave serve`` that choose the engine.
    """
    ask = argparse.ArgumentParser()
    ask.add_argument("--checkpoint", type=Path, help="without one, random weights of full size")
    ask.add_argument("--minutes", type=int, default=10)
    ask.add_argument("--settling", type=float, default=60.0, help="seconds on air before the figures count")
    ask.add_argument("--dtype", default="auto", help="precision, such as int8")
    ask.add_argument("--threads", type=int, default=2)
    given = ask.parse_args()
    measure.pin(given.threads)
    with tempfile.TemporaryDirectory(prefix="lullwave-bench-") as scratch:
        checkpoint = given.checkpoint or make(Path(scratch) / "small")
        command = [*flags, "--checkpoint", str(checkpoint), "--engine-options", f"dtype={given.dtype}"]
        measure.wait_until_quiet()
        rows = _played([*command, "--data-dir", str(Path(scratch) / "data")], given.minutes, given.settling)
    growth = rows[-1]["rss_mb"] - rows[min(1, len(rows) - 1)]["rss_mb"]
    measure.report(
        topic,
        rows,
        heard_s=sum(row["heard_s"] for row in rows),
        of_s=sum(row["of_s"] for row in rows),
        **{name: measure.mean([row[name] for row in rows]) for name in _SHARES},
        growth_mb=growth,
        dtype=given.dtype,
    )


def _played(flags: list[str], minutes: int, settling_s: float) -> list[dict[str, Any]]:
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "lullwave", "serve", *flags, "--port", str(port)])
    try:
        listener = _Listener(port)
        rows = []
        began = time.perf_counter()
        while _metrics(port).get("engine") != 1.0:  # the fallback plays while the model loads
            if server.poll() is not None or time.perf_counter() - began > LOADING_S:
                raise SystemExit("the engine did not come on air")
            time.sleep(1.0)
        time.sleep(settling_s)
        heard, now_s = listener.heard, time.perf_counter()
        seconds, silent_s = heard.seconds, heard.silent_s
        for minute in range(1, minutes + 1):
            before_s, before, silent_before_s, on_air = now_s, seconds, silent_s, []
            while (now_s := time.perf_counter()) - before_s < 60.0:
                time.sleep(1.0)
                found = _metrics(port)
                on_air.append(found)
            seconds, silent_s = heard.seconds, heard.silent_s
            rows.append(
                {
                    "minute": minute,
                    "heard_s": seconds - before,
                    "of_s": now_s - before_s,
                    "silent_s": silent_s - silent_before_s,
                    **{
                        name: measure.mean([sum(seen.get(tier, 0.0) for tier in tiers) for seen in on_air])
                        for name, tiers in _SHARES.items()
                    },
                    "speed": found.get("speed", 0.0),
                    "least_buffer_s": min(seen.get("buffer", 0.0) for seen in on_air),
                    "most_lighter": max(seen.get("lighter", 0.0) for seen in on_air),
                    "stretch_s": found.get("stretch", 0.0),
                    "rss_mb": measure.rss_mb(server.pid),
                }
            )
        return rows
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def _metrics(port: int) -> dict[str, float]:
    """What is on air, the engine's speed, the buffer, steps of lighter options and the length of stretches."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    except OSError:
        return {}
    found: dict[str, float] = {}
    for name, pattern in (
        *((tier, rf'lullwave_station_rung\{{rung="{tier}",station="piano"\}} (\S+)') for tier in Tier),
        ("speed", r'lullwave_engine_speed\{station="piano"\} (\S+)'),
        ("buffer", r'lullwave_reserve_seconds\{station="piano"\} (\S+)'),
        ("lighter", r'lullwave_lighter_steps\{station="piano"\} (\S+)'),
        ("stretch", r'lullwave_stretch_seconds\{station="piano"\} (\S+)'),
    ):
        if match := re.search(pattern, text):
            found[name] = float(match[1])
    return found


class Heard:
    """Decodes an endless MP3 as it comes and counts its seconds, and the silent ones of them. One thread writes."""

    def __init__(self) -> None:
        import av

        self.seconds = self.silent_s = 0.0
        self._splitter = FrameSplitter()
        self._codec = av.CodecContext.create("mp3", "r")
        self._peak, self._counted_s = 0.0, 0.0  # of the second that is being heard

    def feed(self, data: bytes) -> None:
        """Decode what has arrived."""
        import av

        for mp3 in self._splitter.feed(data):
            for frame in self._codec.decode(av.Packet(mp3)):
                self.seconds += frame.samples / frame.sample_rate
                self._counted_s += frame.samples / frame.sample_rate
                self._peak = max(self._peak, float(np.abs(frame.to_ndarray()).max()))
            if self._counted_s >= 1.0:
                self.silent_s += self._counted_s if self._peak < SILENT else 0.0
                self._peak = self._counted_s = 0.0

    def begin_again(self) -> None:
        """A new connection: what comes does not follow what has been."""
        fresh = Heard()
        self._splitter, self._codec = fresh._splitter, fresh._codec


class _Listener:
    """Listens to a station on a thread of its own."""

    def __init__(self, port: int) -> None:
        self.heard = Heard()
        self._port = port
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
                connection.request("GET", "/stream.mp3")
                reply = connection.getresponse()
                self.heard.begin_again()
                while got := reply.read1(8192):
                    self.heard.feed(got)
            except (OSError, http.client.HTTPException):
                time.sleep(0.2)  # the server has not started yet, or has ended
