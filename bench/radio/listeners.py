"""Measures thousands of listeners at 128 kbit/s (gaps, CPU, memory), beside Icecast in the same run.

Icecast relays our own stream, so that both send the same bytes. The two take turns at each number of listeners, with
the same client: another process that reads all its sockets. A gap is the longest time in which one listener got no
byte. ``idle_cores`` is the load of the server's process with one listener (ours also composes, masters and encodes;
Icecast only relays); ``us_per_listener_s`` is the cost of each further listener once all are connected. Fifty more
sockets request our stream and never read (receive buffer 4 kB). At the end our server is stopped while the first
number of listeners is connected. The comparison needs Debian's ``icecast2``.
"""

from __future__ import annotations

import argparse
import json
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from lullwave.server.process.run import raise_file_limit

from ..measure import cpu_s, report, wait_until_quiet
from .serving import icecast, lullwave

KBPS = 128
STALLED = 50
SETTLE_S = 4.0  # seconds after the last connection until all have received their burst
IDLE_S = 10.0
EVERY_S = 0.003  # pause between connections: Icecast's listen queue is short, and a full one delays clients
CONNECT_S = 20.0  # timeout of a connection; ends the bench
FLAGS = ("--bitrate-kbps", str(KBPS), "--max-per-address", "20000", "--max-listeners", "20000")


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, nargs="+", default=[1000, 3000])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--client", nargs=3, metavar=("PORT", "PATH", "COUNT"))
    given = parser.parse_args()
    if given.client:
        port, path, count = given.client
        _listen(int(port), path, int(count), given.seconds)
        return
    raise_file_limit()  # Icecast inherits the limit: it silently refuses listeners beyond it
    load = wait_until_quiet()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, lullwave(folder, *FLAGS) as (ours, port):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/current.mp3").read()
        time.sleep(5.0)  # until the buffer is full
        dropped_s, right = _stall(port, given.seconds)
        servers = {"lullwave": (ours.pid, port)}
        if shutil.which("icecast2"):
            with icecast(folder, port) as (theirs, relay):
                rows = _measure(given.listeners, given.seconds, servers | {"icecast": (theirs.pid, relay)})
        else:
            rows = _measure(given.listeners, given.seconds, servers)
        ends_s = _end(ours, port, given.listeners[0])
    for row in rows:
        peer = next((r for r in rows if r["server"] == "icecast" and r["listeners"] == row["listeners"]), None)
        row["x_icecast"] = round(row["us_per_listener_s"] / peer["us_per_listener_s"], 2) if peer else ""
    facts = {"stalled_gone_s": dropped_s, "count_right_throughout": right, "ends_s": ends_s, "kbps": KBPS}
    report("listeners", rows, other_load=round(load, 2), **facts)


def _measure(counts: list[int], seconds: float, servers: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
    idle = {name: _cpu(pid, port, 1, IDLE_S)[0] for name, (pid, port) in servers.items()}
    return [_row(name, pid, port, n, seconds, idle[name]) for n in counts for name, (pid, port) in servers.items()]


def _row(server: str, pid: int, port: int, count: int, seconds: float, idle: float) -> dict[str, Any]:
    cores, heard = _cpu(pid, port, count, seconds)
    return {
        "server": server,
        "listeners": count,
        "longest_gap_s": round(heard["longest_gap_s"], 3),
        "lost": heard["closed"],
        "kbps_each": round(heard["bytes"] * 8 / 1000 / heard["seconds"] / count, 1),
        "idle_cores": round(idle, 3),
        "cores": round(cores, 3),
        "us_per_listener_s": round((cores - idle) / (count - 1) * 1e6, 2),
        "rss_mb": round(_rss_mb(pid), 1),
    }


def _cpu(pid: int, port: int, count: int, seconds: float) -> tuple[float, dict[str, Any]]:
    """The load of ``pid`` in cores while ``count`` listen, once all are connected; and what they received."""
    listening = client(port, count, seconds)
    assert listening.stdout is not None
    assert listening.stdout.readline().strip() == b"listening"
    before, began = cpu_s(pid), time.perf_counter()
    heard = json.loads(listening.stdout.readline())
    cores = (cpu_s(pid) - before) / (time.perf_counter() - began)
    listening.wait()
    return cores, heard


def client(port: int, count: int, seconds: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.radio.listeners", "--seconds", str(seconds)]
    command += ["--client", str(port), "/stream.mp3", str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _end(server: subprocess.Popen[bytes], port: int, count: int) -> float:
    """Seconds from SIGTERM to the end of the process with ``count`` listeners connected."""
    listening = client(port, count, 60.0)
    assert listening.stdout is not None
    listening.stdout.readline()
    began = time.perf_counter()
    server.send_signal(signal.SIGTERM)
    server.wait(30)
    took = time.perf_counter() - began
    listening.terminate()
    listening.wait()
    return round(took, 2)


def _rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(float(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS"))


def _listen(port: int, path: str, count: int, seconds: float) -> None:
    """Open ``count`` streams and read all; report when all have settled, then what was received since."""
    raise_file_limit()
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    poll = select.epoll()
    sockets: dict[int, socket.socket] = {}
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", port), CONNECT_S)
        one.sendall(request)
        one.setblocking(False)
        time.sleep(EVERY_S)
        sockets[one.fileno()] = one
        poll.register(one.fileno(), select.EPOLLIN)
    _read(poll, sockets, SETTLE_S)
    print("listening", flush=True)
    print(json.dumps(_read(poll, sockets, seconds)), flush=True)


def _read(poll: select.epoll, sockets: dict[int, socket.socket], seconds: float) -> dict[str, Any]:
    began = now = time.perf_counter()
    last, longest = dict.fromkeys(sockets, began), dict.fromkeys(sockets, 0.0)
    total = closed = 0
    while now < began + seconds:
        for fd, _ in poll.poll(0.2):
            try:
                data = sockets[fd].recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                closed += 1
                poll.unregister(fd)
                continue
            total += len(data)
            at = time.perf_counter()
            longest[fd], last[fd] = max(longest[fd], at - last[fd]), at
        now = time.perf_counter()
    for fd, at in last.items():
        longest[fd] = max(longest[fd], now - at)
    return {"closed": closed, "bytes": total, "seconds": now - began, "longest_gap_s": max(longest.values())}


def _stall(port: int, limit_s: float) -> tuple[float | None, bool]:
    """Seconds until the sockets that never read are closed, and whether the listener count stayed right."""
    sockets = []
    for _ in range(STALLED):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(("127.0.0.1", port))
        one.sendall(b"GET /stream.mp3 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        sockets.append(one)
    began, right = time.perf_counter(), True
    while time.perf_counter() < began + limit_s:
        connections, people, dropped = _counts(port)
        right = right and connections == people == STALLED - dropped
        if connections == 0:
            return round(time.perf_counter() - began, 2), right
        time.sleep(0.25)
    return None, right


def _counts(port: int) -> tuple[int, int, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
        lines = reply.read().decode().splitlines()

    def value(name: str) -> int:
        return int(float(next(line.split()[1] for line in lines if line.startswith(name + '{station="piano"}'))))

    return value("lullwave_connections"), value("lullwave_listeners"), value("lullwave_dropped_listeners_total")


if __name__ == "__main__":
    main()
