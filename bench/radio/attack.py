"""Floods on a radio that plays to many: samples lost, gaps, the worst answer of /healthz, memory, and how it ends.

The floods of ``floods.py`` run one after the other from 127.0.0.2, each with a pause after it, while listeners on
127.0.0.1 record every byte with its time; what the first recorded is decoded at the end. The last flood fills the
server's limit of open files, which is set to 700. ``samples_lost``, of all listeners together: the time for which a
player that began with the first byte had nothing to play, and bytes that a listener lacks of what the others got.
SIGTERM comes during a flood of messages. ``--seconds`` bounds each flood; so are its connections.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from typing import Any

from lullwave.server.process.sockets import raise_file_limit

from ..measure import report, rss_mb, wait_until_quiet
from .floods import NAMES
from .recorded_crowd import RecordedCrowd, Recording, decoded, longest_silence_s, missing_bytes
from .serving import lullwave

KBPS = 64
RATE = 44100
FILES = 700  # the server's limit of open files
PAUSE_S = 3.0  # after a flood; otherwise what it left shows in the next row
PROBE_S = 0.1  # between two questions to /healthz
WARM_S = 15.0  # seconds for which one listener wakes the station, so that the crowd gets a whole burst
ENDS_S = 20.0  # a server that has not ended by then counts as one that does not


def main() -> None:
    """Run it and print the table, as Markdown too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each flood")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES))
    given = parser.parse_args()
    raise_file_limit()
    load = wait_until_quiet()
    flags = ("--bitrate-kbps", str(KBPS), "--max-per-address", str(max(100, given.listeners + 20)))
    with tempfile.TemporaryDirectory() as folder, lullwave(folder, *flags, files=FILES) as (server, port):
        rows, facts = _run(server, port, given.listeners, given.seconds, given.only)
    _print_markdown(rows, facts)
    report("attack", rows, other_load=round(load, 2), **facts)


def _run(
    server: subprocess.Popen[bytes], port: int, listeners: int, seconds: float, floods: list[str]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    first, crowd, probe = RecordedCrowd(port, 1), RecordedCrowd(port, listeners), Probe(port)
    first.start()
    time.sleep(WARM_S)
    crowd.start()
    crowd.connected.wait()
    first.stop()
    time.sleep(PAUSE_S)
    probe.start()
    spans: list[tuple[dict[str, Any], float, float]] = []
    for name in ["nothing", *floods]:
        row: dict[str, Any] = {"flood": name, "memory_mb_before": round(rss_mb(server.pid))}
        began = time.monotonic()
        done = "{}"
        if name == "nothing":
            time.sleep(seconds)
        else:
            done = subprocess.run(_command(name, port, seconds), stdout=subprocess.PIPE, text=True, check=True).stdout
        time.sleep(PAUSE_S)
        row["memory_mb_after"] = round(rss_mb(server.pid))
        row["done"] = ", ".join(f"{count} {what}" for what, count in json.loads(done).items())
        spans.append((row, began, time.monotonic()))
    probe.stop()
    stop_s = _end(server, port)
    crowd.stop()
    for row, began, ended in spans:
        row |= _heard(crowd.recordings, began, ended) | probe.worst(began, ended)
    sound = decoded(crowd.recordings[0])
    facts = {
        "listeners": listeners,
        "missing_bytes": missing_bytes(crowd.recordings),
        "decoded_s": round(len(sound) / RATE, 1),
        "longest_digital_silence_s": round(longest_silence_s(sound, RATE), 3),
        "sigterm_s": stop_s,
    }
    return [row for row, _, _ in spans], facts


def _heard(recordings: list[Recording], began: float, ended: float) -> dict[str, Any]:
    silent_s = sum(one.silent_s(began, ended, KBPS * 1000 / 8) for one in recordings)
    return {
        "samples_lost": round(silent_s * RATE),
        "sent_away": sum(one.ended and began <= one.arrivals[-1][0] <= ended for one in recordings if one.arrivals),
        "longest_gap_s": round(max(one.longest_wait_s(began, ended) for one in recordings), 2),
    }


def _command(name: str, port: int, seconds: float) -> list[str]:
    return [sys.executable, "-m", "bench.radio.floods", name, str(port), str(seconds)]


def _end(server: subprocess.Popen[bytes], port: int) -> float | None:
    """Seconds from SIGTERM, while messages flood the server, to its end; None if it does not end."""
    with subprocess.Popen(_command(NAMES[0], port, ENDS_S), stdout=subprocess.DEVNULL) as flood:
        time.sleep(PAUSE_S)
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(ENDS_S)
            return round(time.monotonic() - began, 2)
        except subprocess.TimeoutExpired:
            server.kill()
            return None
        finally:
            flood.terminate()


class Probe(threading.Thread):
    """Asks /healthz again and again and notes how long the answer took."""

    def __init__(self, port: int) -> None:
        super().__init__(name="probe", daemon=True)
        self._url = f"http://127.0.0.1:{port}/healthz"
        self._answers: list[tuple[float, float, bool]] = []  # asked at, seconds, whether it was 200
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(PROBE_S):
            began = time.monotonic()
            try:
                with urllib.request.urlopen(self._url, timeout=60) as reply:
                    well = reply.status == 200
            except OSError:
                well = False
            self._answers.append((began, time.monotonic() - began, well))

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()
        self.join(60)

    def worst(self, began: float, ended: float) -> dict[str, Any]:
        """The slowest answer between two moments, and how many were none."""
        asked = [(took, well) for at, took, well in self._answers if began <= at <= ended]
        slowest = round(max(took for took, _ in asked), 3) if asked else None
        return {"healthz_worst_s": slowest, "healthz_failed": sum(not well for _, well in asked)}


def _print_markdown(rows: list[dict[str, Any]], facts: dict[str, Any]) -> None:
    print("| flood | samples lost | sent away | longest gap | worst `/healthz` | memory before, after |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        failed = f", {row['healthz_failed']} failed" if row["healthz_failed"] else ""
        print(
            f"| {row['flood']} | {row['samples_lost']} | {row['sent_away']} | {row['longest_gap_s']} s "
            f"| {row['healthz_worst_s']} s{failed} | {row['memory_mb_before']}, {row['memory_mb_after']} MB |"
        )
    print(f"\nSIGTERM during a flood of messages ends the server in {facts['sigterm_s']} s.\n")


if __name__ == "__main__":
    main()
