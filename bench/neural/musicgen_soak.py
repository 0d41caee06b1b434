"""Plays two stations on one MusicGen for five minutes with random steering and cancelled clips; finds gaps and leaks.

``lullwave serve --engine musicgen`` runs with a tiny checkpoint of random weights (noise, but everything else is real).
Meanwhile one client steers the stations at random, another requests clips and disconnects in the middle of them, and
one clip with a known seed is requested repeatedly and must be the same bytes each time. One listener records, two more
at each station only read. ``gap_s`` is the longest time in which a player had nothing to play, ``bytes_gap_s`` the
longest in which any listener got no byte. Exits with 1 if anything was missing.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from ..embedded.hearing import RATE, Ear
from ..measure import report
from ..radio.crowd import Crowd
from ..radio.scenes import Served
from ..radio.serving import free_port
from ..radio.soak import held, over_time

SETTINGS = """
seed = 5
steer_every_s = 0
max_generations = 3
[[stations]]
id = "piano"
prompts = ["warm lo-fi beat with mellow piano"]
[[stations]]
id = "guitar"
prompts = ["acoustic guitar by the fire"]
"""
WORDS = ("rain", "rhodes", "no drums", "slow", "strings", "90 bpm", "night", "flute", "vinyl", "brushes", "bass")
KNOWN = {"prompt": "a clip to be made again", "seed": 77, "duration_s": 4, "format": "wav", "engine": "musicgen"}
SETTLED = 2  # minutes after which memory must not grow


def main() -> None:
    """Run the benchmark and print a row for every half minute."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    given = parser.parse_args()
    from lullwave.engines.musicgen.model.random_checkpoint import write_random

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        checkpoint = write_random("musicgen-tiny", folder / "checkpoint")
        (folder / "lullwave.toml").write_text(SETTINGS)
        port = free_port()
        command = ["serve", "--port", str(port), "--config", str(folder / "lullwave.toml")]
        command += ["--engine", "musicgen", "--checkpoint", str(checkpoint), "--data-dir", str(folder / "data")]
        server = Served(folder / "log", *command)
        server.start()
        try:
            rows, facts = soak(server.pid, port, given.minutes)
        finally:
            server.end()
        facts["errors_in_log"] = (folder / "log").read_text().count("Traceback")
    report("musicgen soak", rows, **facts)
    wrong = [name for name in ("gap_s", "lost", "missing", "sent_away", "errors_in_log") if facts[name]]
    if wrong or facts["different_clips_of_one_seed"] != 1:
        raise SystemExit("missed: " + ", ".join(wrong or ["a seed gave different clips"]))


def soak(pid: int, port: int, minutes: float) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Play; returns a row for every half minute and the figures of the whole run."""
    ear = Ear(port)
    crowds = [Crowd(port, 2, f"/stations/{name}/stream.mp3") for name in ("piano", "guitar")]
    for thread in (ear, *crowds):
        thread.start()
    _until_its_own(port)
    users = Users(port)
    began = time.monotonic()
    users.start()
    rows: list[dict[str, Any]] = []
    try:
        for half in range(round(2 * minutes)):
            time.sleep(max(0.0, began + 30.0 * (half + 1) - time.monotonic()))
            row = {"minute": (half + 1) / 2, **held(pid), "rungs": " ".join(_rungs(port)), **users.counts}
            rows.append(row)
            print(row, file=sys.stderr, flush=True)
    finally:
        users.stop()
    gap_s, lost_s = ear.waited(began)
    facts: dict[str, Any] = {"gap_s": round(gap_s, 3), "lost": round(lost_s * RATE), "missing": ear.missing()}
    for thread in (ear, *crowds):
        thread.stop()
    facts["bytes_gap_s"] = round(max(crowd.gap_s for crowd in crowds), 2)
    facts["sent_away"] = sum(crowd.sent_away for crowd in crowds)
    facts["different_clips_of_one_seed"] = len(users.digests)
    settled = [row for row in rows if row["minute"] > SETTLED]
    return rows, facts | over_time(settled)


class Users(threading.Thread):
    """Clients that steer, cancel a clip, or request the known clip again, in random order."""

    def __init__(self, port: int) -> None:
        super().__init__(name="users", daemon=True)
        self._port = port
        self._random = random.Random(4)
        self._stopped = threading.Event()
        self.counts = {"steered": 0, "cancelled": 0, "made": 0, "refused": 0}
        self.digests: set[str] = set()

    def run(self) -> None:
        acts = (self._steer, self._cancel, self._cancel, self._make)
        while not self._stopped.wait(self._random.uniform(0.2, 1.5)):
            self._random.choice(acts)()

    def stop(self) -> None:
        self._stopped.set()
        self.join(60)

    def _steer(self) -> None:
        station = self._random.choice(("piano", "guitar"))
        prompt = ", ".join(self._random.sample(WORDS, 3))
        status, _ = self._post(f"/api/stations/{station}/prompt", {"prompt": prompt})
        self._count("steered", status)

    def _cancel(self) -> None:
        """Request half a minute, read a little of it or nothing, and disconnect."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        body = {
            "prompt": "somebody leaves",
            "seed": self._random.randrange(9999),
            "duration_s": 30,
            "engine": "musicgen",
        }
        connection.request("POST", "/api/generate", json.dumps(body), {"Content-Type": "application/json"})
        if self._random.random() < 0.5:
            reply = connection.getresponse()
            self._count("cancelled", reply.status)
            reply.read(self._random.randrange(1, 20_000))
            reply.close()
        else:
            time.sleep(self._random.uniform(0.0, 1.0))
            self.counts["cancelled"] += 1
        connection.close()

    def _make(self) -> None:
        status, data = self._post("/api/generate", KNOWN)
        self._count("made", status)
        if status == 200:
            self.digests.add(hashlib.sha256(data).hexdigest())

    def _count(self, name: str, status: int) -> None:
        self.counts[name if status < 300 else "refused"] += 1

    def _post(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        return reply.status, data


def _ready(port: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/readyz")
    told: dict[str, Any] = json.loads(connection.getresponse().read())["stations"]
    connection.close()
    return told


def _rungs(port: int) -> list[str]:
    return [station["rung"] for station in _ready(port).values()]


def _until_its_own(port: int) -> None:
    """Wait until both stations play the model: they begin with the embedded engine."""
    late = time.monotonic() + 120.0
    while set(_rungs(port)) != {"engine"}:
        if time.monotonic() > late:
            raise RuntimeError(f"the stations were not promoted to the model: {_ready(port)}")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
