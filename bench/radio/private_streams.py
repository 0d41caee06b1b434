"""Begins twenty private streams at once beside the stations: is a listener disturbed, and do they end in time?

Every station has a listener for the whole run. Then ``--streams`` clients fork the default station together, at what
their players hear; each opens the audio and the events of its private stream, as a page does. In the course of
``--seconds`` they steer once each, one after the other. Then all of them close their connections, and the time until
the server has none of them left is taken.

The server has its default settings: it plays as many private streams as it has measured that this machine can.
``lost_samples``: how much a player was short of that began with the first byte and never waited, at worst; of stations,
from when the private streams begin. ``late_s``
is the server's own measure, the longest delay with which it put a station's music on air. ``cores`` and ``rss_mb`` are
those of the server (at the end) and of its worker processes.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import socket
import statistics
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..measure import children, cpu_s, report, rss_mb, wait_until_quiet
from .serving import lullwave

RATE = 44100
KBPS = 192
STATIONS = ("piano", "synthwave", "organic", "guitar", "ambient")
BEHIND_S = 4.0  # seconds of sound that a player has received and not played yet
FILL_S = 40.0  # seconds until the stations' buffers are full and the machine is measured
ENDS_S = 30.0  # longest wait for the private streams to end


class Listener(threading.Thread):
    """One open reply that is read all the time, from the request to ``close``."""

    def __init__(self, port: int, path: str) -> None:
        super().__init__(daemon=True)
        self.lost_s = 0.0
        self.before_s = 0.0  # of it, before what is measured began
        self.first_s = float("inf")  # seconds from the request to the first sound
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._path = path
        self._closed = False
        self.start()

    def run(self) -> None:
        asked, received = time.monotonic(), 0
        began = asked
        self._connection.request("GET", self._path)
        reply = self._connection.getresponse()
        while True:
            try:
                data = reply.read1(65536)
            except (OSError, http.client.HTTPException):  # closed
                data = b""
            now = time.monotonic()
            if received:
                self.lost_s = max(self.lost_s, now - began - received * 8 / (KBPS * 1000))
            elif data:
                began, self.first_s = now, now - asked
            received += len(data)
            if not data or self._closed:
                return

    def forget(self) -> None:
        """Count only what is lost from now on."""
        self.before_s = self.lost_s

    def close(self) -> None:
        """Close the connection, as a browser does with its tab."""
        self._closed = True
        if self._connection.sock is not None:
            self._connection.sock.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    given = parser.parse_args()
    load = wait_until_quiet()
    with tempfile.TemporaryDirectory() as folder, lullwave(folder) as (server, port):
        listeners = [Listener(port, f"/stations/{name}/stream.mp3") for name in STATIONS]
        time.sleep(FILL_S)
        for listener in listeners:
            listener.forget()  # five stations that wake at once may be late
        may_play = _ask(port, "/readyz")["max_private"]
        if may_play < given.streams:
            raise SystemExit(f"this machine plays {may_play} private streams beside {len(STATIONS)} stations")
        with ThreadPoolExecutor(given.streams) as pool:
            forks = list(pool.map(lambda _: _fork(port), range(given.streams)))
        own = [fork for fork, *_ in forks]
        heard, events = [audio for *_, audio, _ in forks], [events for *_, events in forks]
        workers = children(server.pid)
        cpu, began = [cpu_s(pid) for pid in (server.pid, *workers)], time.monotonic()
        for number, fork in enumerate(own):
            time.sleep(given.seconds / len(own))
            _ask(port, f"/api/stations/{fork['id']}/prompt", {"prompt": ("rain", "brushes", "harp")[number % 3]})
        took_s = time.monotonic() - began
        cores = [(cpu_s(pid) - before) / took_s for pid, before in zip((server.pid, *workers), cpu, strict=True)]
        memory = [rss_mb(pid) for pid in (server.pid, *workers)]
        for tab in (*heard, *events):
            tab.close()
        gone_s = _until_gone(port)
        late_s = max(_metric(port, "lullwave_late_seconds"))
        for listener in listeners:
            listener.close()
    rows = [
        _row("stations", listeners, [listener.first_s for listener in listeners]),
        _row("private", heard, [took + audio.first_s for _, took, audio, _ in forks]),
    ]
    facts = {
        "may_play": may_play,
        "continue": sum(bool(fork["continues"]) for fork in own),
        "late_s": round(late_s, 3),
        "gone_s": round(gone_s, 1),
        "cores": [round(one, 2) for one in cores],
        "rss_mb": [round(one) for one in memory],
        "seconds": given.seconds,
    }
    report("private_streams", rows, other_load=round(load, 2), **facts)


def _row(kind: str, heard: list[Listener], first_s: list[float]) -> dict[str, Any]:
    return {
        "streams": kind,
        "count": len(heard),
        "lost_samples": round(max(listener.lost_s - listener.before_s for listener in heard) * RATE),
        "first_sound_s": round(statistics.median(first_s), 2),
        "longest_first_s": round(max(first_s), 2),
    }


def _fork(port: int) -> tuple[dict[str, Any], float, Listener, Listener]:
    """A new private stream, the seconds that its reply took, and its audio and events."""
    began = time.monotonic()
    frame = _ask(port, f"/api/stations/{STATIONS[0]}")["frame"] - round(BEHIND_S * RATE)
    fork = _ask(port, f"/api/stations/{STATIONS[0]}/private", {"frame": frame})
    took_s = time.monotonic() - began
    return fork, took_s, Listener(port, str(fork["stream"])), Listener(port, f"/api/events?station={fork['id']}")


def _ask(port: int, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)) as reply:
        return dict(json.load(reply))


def _until_gone(port: int) -> float:
    """Seconds until the server has no private stream left."""
    began = time.monotonic()
    while _ask(port, "/readyz")["private"] and time.monotonic() - began < ENDS_S:
        time.sleep(0.1)
    return time.monotonic() - began


def _metric(port: int, name: str) -> list[float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
        return [float(value) for value in re.findall(rf"^{name}{{.*}} (\S+)$", reply.read().decode(), re.MULTILINE)]


if __name__ == "__main__":
    main()
