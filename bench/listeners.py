"""Thousands of listeners at 128 kbit/s: gaps, CPU and memory, against Icecast in the same run.

Icecast relays our own stream, so that both send the same bytes. Listeners are sockets of one other process that reads
all it gets; a gap is the longest time without a byte of one listener, after its first three seconds. CPU is that of the
server's process; ``per listener`` is what is above the same server with one listener. Fifty more sockets ask for our
stream and never read (receive buffer 4 kB). Needs Debian's ``icecast2`` and ``ffmpeg`` for the comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .measure import report, wait_until_quiet

KBPS = 128
STALLED = 50
SETTLE_S = 3.0


def main() -> None:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, nargs="+", default=[1000, 3000])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--client", nargs=3, metavar=("PORT", "PATH", "COUNT"))
    given = parser.parse_args()
    if given.client:
        port, path, count = given.client
        print(json.dumps(_listen(int(port), path, int(count), given.seconds)))
        return
    load = wait_until_quiet()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, _lullwave(folder) as (ours, port):
        base = _cpu_of(ours, 10.0, lambda: _client(port, "/stream.mp3", 1, 10.0))[0]
        for count in given.listeners:
            rows.append(_row("lullwave", ours, port, "/stream.mp3", count, given.seconds, base))
        dropped_s, right = _stall(port, given.seconds)
        if shutil.which("icecast2") and shutil.which("ffmpeg"):
            with _icecast(folder, port) as (icecast, theirs):
                base = _cpu_of(icecast, 5.0, lambda: _client(theirs, "/stream.mp3", 1, 5.0))[0]
                for count in given.listeners:
                    rows.append(_row("icecast", icecast, theirs, "/stream.mp3", count, given.seconds, base))
    for row in rows:
        peer = next((r for r in rows if r["server"] == "icecast" and r["listeners"] == row["listeners"]), None)
        row["x_icecast"] = round(row["us_per_listener_s"] / peer["us_per_listener_s"], 2) if peer else ""
    report(
        "listeners", rows, other_load=round(load, 2), stalled_gone_s=dropped_s, count_right_throughout=right, kbps=KBPS
    )


def _row(server: str, pid: int, port: int, path: str, count: int, seconds: float, base: float) -> dict[str, Any]:
    cpu, heard = _cpu_of(pid, seconds, lambda: _client(port, path, count, seconds))
    return {
        "server": server,
        "listeners": heard["listening"],
        "longest_gap_s": round(heard["longest_gap_s"], 3),
        "lost": heard["closed"],
        "kbps_each": round(heard["bytes"] * 8 / 1000 / seconds / max(1, heard["listening"]), 1),
        "cores": round(cpu, 3),
        "us_per_listener_s": round((cpu - base) / count * 1e6, 2),
        "rss_mb": round(_rss_mb(pid), 1),
    }


def _cpu_of(pid: int, seconds: float, job: Any) -> tuple[float, Any]:
    """Cores that ``pid`` and its threads kept busy while ``job`` ran."""
    before, began = _cpu_s(pid), time.perf_counter()
    result = job()
    return (_cpu_s(pid) - before) / (time.perf_counter() - began), result


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(float(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS"))


def _client(port: int, path: str, count: int, seconds: float) -> Any:
    command = [
        sys.executable,
        "-m",
        "bench.listeners",
        "--seconds",
        str(seconds),
        "--client",
        str(port),
        path,
        str(count),
    ]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _listen(port: int, path: str, count: int, seconds: float) -> dict[str, Any]:
    """Open ``count`` streams, read all, and note each one's longest wait."""
    from lullwave.server.run import raise_file_limit

    raise_file_limit()
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    poll = select.epoll()
    sockets: dict[int, socket.socket] = {}
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", port))
        one.sendall(request)
        one.setblocking(False)
        sockets[one.fileno()] = one
        poll.register(one.fileno(), select.EPOLLIN)
    began = time.perf_counter()
    last = dict.fromkeys(sockets, began + SETTLE_S)
    longest = dict.fromkeys(sockets, 0.0)
    total = closed = 0
    while (now := time.perf_counter()) < began + seconds:
        for fd, _ in poll.poll(0.2):
            try:
                data = sockets[fd].recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            at = time.perf_counter()
            if not data:
                closed += 1
                poll.unregister(fd)
                continue
            total += len(data)
            if at > began + SETTLE_S:
                longest[fd] = max(longest[fd], at - last[fd])
                last[fd] = at
    for fd, at in last.items():
        longest[fd] = max(longest[fd], now - at)
    for one in sockets.values():
        one.close()
    return {"listening": count, "closed": closed, "bytes": total, "longest_gap_s": max(longest.values())}


def _stall(port: int, limit_s: float) -> tuple[float | None, bool]:
    """Seconds until the sockets that never read are gone, and whether the count was right all the time."""
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


@contextmanager
def _lullwave(folder: str) -> Any:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "lullwave", "serve", "--port", str(port), "--data-dir", folder]
    command += ["--bitrate-kbps", str(KBPS), "--max-per-address", "20000", "--max-listeners", "20000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert process.stdout is not None
    process.stdout.readline()
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/current.mp3").read()
        time.sleep(5.0)  # the reserve fills
        yield process.pid, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


CONFIG = """<icecast><limits><clients>20000</clients><sources>2</sources><queue-size>1048576</queue-size>
<burst-size>65536</burst-size></limits><authentication><source-password>source</source-password>
<admin-user>admin</admin-user><admin-password>admin</admin-password></authentication><hostname>127.0.0.1</hostname>
<listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket><fileserve>0</fileserve>
<paths><basedir>/usr/share/icecast2</basedir><logdir>{folder}</logdir><webroot>/usr/share/icecast2/web</webroot>
<adminroot>/usr/share/icecast2/admin</adminroot></paths>
<logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>1</loglevel></logging>
<security><chroot>0</chroot>{owner}</security></icecast>"""


@contextmanager
def _icecast(folder: str, source_port: int) -> Any:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = os.geteuid() == 0
    owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>" if root else ""
    os.chmod(folder, 0o777)
    config = Path(folder) / "icecast.xml"
    config.write_text(CONFIG.format(port=port, folder=folder, owner=owner))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(["icecast2", "-c", str(config)], **quiet)
    feed = None
    try:
        time.sleep(1.0)
        source = f"http://127.0.0.1:{source_port}/stream.mp3"
        target = f"icecast://source:source@127.0.0.1:{port}/stream.mp3"
        command = ["ffmpeg", "-loglevel", "error", "-i", source, "-c", "copy", "-content_type", "audio/mpeg"]
        feed = subprocess.Popen([*command, "-f", "mp3", target], **quiet)
        time.sleep(4.0)
        yield server.pid, port
    finally:
        for process in (feed, server):
            if process is not None:
                process.terminate()
                process.wait(10)


if __name__ == "__main__":
    main()
