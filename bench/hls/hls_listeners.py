"""Measures 2000 listeners of HLS from one process, MP3 listeners beside them, and the same files served by nginx.

An HLS listener keeps one connection, asks for the playlist every two seconds and for each new segment once. ``late``
are segments that came later than a player that is three segments behind could wait. ``us_per_listener_s`` is the cost
of each further listener, beyond one. For nginx, a mirror copies each playlist and segment into a directory once, as a
CDN's location does; ``mirror_cores`` is what that costs our server. Needs the extra ``media``; nginx is left out where
it is not installed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lullwave.server.process.run import raise_file_limit

from ..measure import children, cpu_s, other_load, report, rss_mb
from ..radio.listeners import FLAGS, client
from ..radio.serving import free_port, lullwave
from .hls_crowd import HlsCrowd, segments_of

PLAYLIST = "/stations/piano/hls/160.m3u8"
MIRROR_S = 1.0  # between two looks of the mirror: the playlist's max-age
SETTLE_S = 6.0
IDLE_S = 5.0  # with one listener
READY = 5  # segments in a playlist before listeners come
NGINX = """worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 8192; }} worker_rlimit_nofile 16384;
http {{ access_log off; sendfile on; keepalive_timeout 60; keepalive_requests 100000;
client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
server {{ listen 127.0.0.1:{port}; root {root}; location / {{ }} }} }}"""


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--client", nargs=3, metavar=("PORT", "PATH", "COUNT"))
    given = parser.parse_args()
    raise_file_limit()
    if given.client:
        port, path, count = given.client
        crowd = HlsCrowd(int(port), path, int(count))
        crowd.play(SETTLE_S)
        print("listening", flush=True)
        print(json.dumps(crowd.play(given.seconds)), flush=True)
        return
    load = other_load()
    rows = []
    with tempfile.TemporaryDirectory() as folder, lullwave(folder, *FLAGS) as (ours, port):
        address = f"http://127.0.0.1:{port}{PLAYLIST}"
        until_served(address)
        for kind, start in (("mp3", client), ("hls", hls_client)):
            idle, _ = measured(start(port, 1, IDLE_S), [ours.pid])
            cores, heard = measured(start(port, given.listeners, given.seconds), [ours.pid])
            rows.append(row(f"lullwave {kind}", given.listeners, idle, cores, heard, [ours.pid]))
            print(json.dumps(rows[-1]), flush=True)
        if shutil.which("nginx"):
            with mirrored(address, Path(folder) / "www") as root, nginx(Path(folder), root) as (process, at):
                time.sleep(SETTLE_S)
                before, began = cpu_s(ours.pid), time.perf_counter()
                time.sleep(IDLE_S)
                mirror_cores = (cpu_s(ours.pid) - before) / (time.perf_counter() - began)
                pids = [process.pid, *children(process.pid)]
                idle, _ = measured(hls_client(at, 1, IDLE_S), pids)
                cores, heard = measured(hls_client(at, given.listeners, given.seconds), pids)
                found = row("nginx hls", given.listeners, idle, cores, heard, pids)
                rows.append({**found, "mirror_cores": round(mirror_cores, 3)})
    report("hls listeners", rows, other_load=round(load, 2))


def until_served(address: str) -> None:
    """Ask for a playlist until it lists segments."""
    while True:
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(address) as reply:
            if len(segments_of(reply.read().decode())) > READY:
                return
        time.sleep(0.5)


def hls_client(port: int, count: int, seconds: float) -> subprocess.Popen[bytes]:
    """A process in which ``count`` listeners play by HLS for ``seconds``."""
    command = [sys.executable, "-m", "bench.hls.hls_listeners", "--seconds", str(seconds)]
    return subprocess.Popen([*command, "--client", str(port), PLAYLIST, str(count)], stdout=subprocess.PIPE)


def measured(listening: subprocess.Popen[bytes], pids: list[int]) -> tuple[float, dict[str, Any]]:
    """The cores that ``pids`` keep busy while a client listens, and what it heard."""
    assert listening.stdout is not None
    assert listening.stdout.readline().strip() == b"listening"
    before, began = sum(map(cpu_s, pids)), time.perf_counter()
    heard = json.loads(listening.stdout.readline())
    cores = (sum(map(cpu_s, pids)) - before) / (time.perf_counter() - began)
    listening.wait()
    return cores, heard


def row(server: str, count: int, idle: float, cores: float, heard: dict[str, Any], pids: list[int]) -> dict[str, Any]:
    return {
        "server": server,
        "listeners": count,
        "longest_gap_s": round(heard["longest_gap_s"], 3),
        "late": heard.get("late", ""),
        "lost": heard["closed"] + heard.get("refused", 0),
        "kbps_each": round(heard["bytes"] * 8 / 1000 / heard["seconds"] / count, 1),
        "idle_cores": round(idle, 3),
        "cores": round(cores, 3),
        "us_per_listener_s": round((cores - idle) / (count - 1) * 1e6, 1),
        "rss_mb": round(sum(map(rss_mb, pids)), 1),
    }


@contextmanager
def mirrored(address: str, root: Path) -> Iterator[Path]:
    """A directory with the playlist and its segments, kept up to date while the block runs."""
    folder = root / PLAYLIST.lstrip("/").rpartition("/")[0]
    folder.mkdir(parents=True)
    ended = threading.Event()

    def copy() -> None:
        while not ended.is_set():
            text = urllib.request.urlopen(address).read()
            for name in segments_of(text.decode()):
                if not (folder / name).exists():
                    (folder / "new").write_bytes(urllib.request.urlopen(f"{address.rpartition('/')[0]}/{name}").read())
                    (folder / "new").replace(folder / name)
            (folder / "new").write_bytes(text)
            (folder / "new").replace(folder / "160.m3u8")
            ended.wait(MIRROR_S)

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    try:
        yield root
    finally:
        ended.set()
        thread.join()


@contextmanager
def nginx(folder: Path, root: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """nginx with one worker, which serves a directory; yields its process and port."""
    port = free_port()
    folder.chmod(0o755)
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, root=root))
    process = subprocess.Popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        yield process, port
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
