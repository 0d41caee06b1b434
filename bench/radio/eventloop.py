"""Measures the latency of the event loop while every station plays the embedded engine to many listeners.

The server runs in this process as ``lullwave serve`` runs it. A ticker on its event loop measures every 10 ms how late
it wakes, which is how long any listener's bytes or request would have waited. The listeners are sockets of another
process; a few event streams and requests run beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from ..measure import pin, report, wait_until_quiet

EVERY_S = 0.01
BAR_MS = 50.0
STREAMS_OF_EVENTS = 5  # one per station


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    pin(2)
    load = wait_until_quiet()
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(_run(Path(folder), given.listeners, given.seconds))
    report("eventloop", rows, bar_ms=BAR_MS, listeners=given.listeners, other_load=round(load, 2))


async def _run(folder: Path, listeners: int, seconds: float) -> list[dict[str, object]]:
    from lullwave.server.app import create_app
    from lullwave.server.process.run import SWITCH_S, listening_socket, raise_file_limit, server_for
    from lullwave.settings import load

    raise_file_limit()
    sys.setswitchinterval(SWITCH_S)
    settings = load({"data_dir": folder, "log_level": "warning", "max_per_address": 20000})
    bound = listening_socket("127.0.0.1", 0)
    port = bound.getsockname()[1]
    server = server_for(create_app(settings), settings)
    ready = asyncio.Event()
    server.ready = ready.set
    serving = asyncio.ensure_future(server.serve([bound]))
    await ready.wait()
    names = [own.id for own in settings.stations]
    crowds = [_crowd(port, name, max(1, listeners // len(names)), seconds + 12) for name in names]
    for name in names[:STREAMS_OF_EVENTS]:
        threading.Thread(target=_watch, args=(port, name), daemon=True).start()
    rows = [{"while": "stations wake and fill", **await _lag(10.0)}, {"while": "all play", **await _lag(seconds)}]
    for crowd in crowds:
        crowd.terminate()
    server.should_exit = True
    await serving
    return rows


async def _lag(seconds: float) -> dict[str, object]:
    """Delays of the ticker in milliseconds."""
    late_ms: list[float] = []
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (asked := loop.time() + EVERY_S) < until:
        await asyncio.sleep(EVERY_S)
        late_ms.append((loop.time() - asked) * 1000)
    ranked = statistics.quantiles(late_ms, n=1000)
    return {
        "ticks": len(late_ms),
        "median_ms": round(statistics.median(late_ms), 2),
        "p99_ms": round(ranked[989], 2),
        "p999_ms": round(ranked[998], 2),
        "worst_ms": round(max(late_ms), 2),
    }


def _crowd(port: int, station: str, count: int, seconds: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.radio.listeners", "--seconds", str(seconds)]
    command += ["--client", str(port), f"/stations/{station}/stream.mp3", str(count)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def _watch(port: int, station: str) -> None:
    """Act as an open page: read the event stream, and send a request now and then."""
    events = http.client.HTTPConnection("127.0.0.1", port)
    events.request("GET", f"/api/events?station={station}")
    asking = http.client.HTTPConnection("127.0.0.1", port)
    asked = 0.0
    try:
        for _ in events.getresponse():
            if time.monotonic() > asked + 1.0:
                asked = time.monotonic()
                asking.request("GET", f"/api/stations/{station}/history?limit=60")
                json.load(asking.getresponse())
    except (OSError, http.client.HTTPException, ValueError):
        return


if __name__ == "__main__":
    main()
