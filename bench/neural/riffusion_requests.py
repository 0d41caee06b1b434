"""Riffusion's routes under fire: schemathesis on every field, then 500 clips, with the memory that they leave behind.

``python -m bench.neural.riffusion_requests [--clips 500]`` serves a tiny random checkpoint in a process. A reply of
5xx, a hang or growing memory is a failure and ends with status 1. Needs ``schemathesis``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path

from ..measure import median, report

PORT = 18313
SLACK_MB = 30.0  # what the allocator may keep between the second fifth of the clips and the last


def main() -> None:
    """Serve, fuzz, count."""
    ask = argparse.ArgumentParser()
    ask.add_argument("--clips", type=int, default=500)
    ask.add_argument("--examples", type=int, default=100)
    given = ask.parse_args()
    with tempfile.TemporaryDirectory(prefix="lullwave-bench-") as folder:
        from lullwave.engines.riffusion.model.random_checkpoint import make_random

        checkpoint = make_random(Path(folder) / "tiny")
        words = ["serve", "--port", str(PORT), "--engine", "riffusion", "--checkpoint", str(checkpoint)]
        words += ["--device", "cpu", "--data-dir", str(Path(folder) / "data"), "--log-level", "error"]
        server = subprocess.Popen([sys.executable, "-m", "lullwave", *words])
        try:
            wait_until_up()
            post(1)  # loads the engine
            fuzzed = fuzz(given.examples)
            statuses, memory = clips(server.pid, given.clips)
        finally:
            server.terminate()
            server.wait(30)
    fifth = max(1, len(memory) // 5)
    levels = [median(memory[at : at + fifth]) for at in range(0, fifth * 5, fifth)]
    grown = levels[-1] - levels[1]
    rows = [
        {"what": "schemathesis, status of its exit", "value": fuzzed},
        {"what": "clips answered with 200", "value": statuses.count(200)},
        *(
            {"what": f"resident memory, clips to {fifth * (n + 1)}, median MB", "value": m}
            for n, m in enumerate(levels)
        ),
        {"what": "growth from the second fifth to the last, MB", "value": grown},
    ]
    report("riffusion-requests", rows)
    if fuzzed or statuses.count(200) != given.clips or grown > SLACK_MB:
        raise SystemExit(1)


def wait_until_up() -> None:
    """Until the server answers."""
    for _ in range(300):
        try:
            connection = HTTPConnection("127.0.0.1", PORT, timeout=5)
            connection.request("GET", "/api/riffusion/seed-images")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server does not answer")


def post(seed: int) -> int:
    """One clip of one step; its status."""
    end = {"prompt": "jazz", "seed": seed}
    body = {"start": end, "end": end, "alpha": 0.5, "num_inference_steps": 1}
    connection = HTTPConnection("127.0.0.1", PORT, timeout=60)
    connection.request("POST", "/run_inference/", json.dumps(body))
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def fuzz(examples: int) -> int:
    """Schemathesis over the old route: anything but 5xx is an answer; 60 s is a hang."""
    words = ["run", f"http://127.0.0.1:{PORT}/openapi.json", "--include-path", "/run_inference/"]
    words += ["--checks", "not_a_server_error", "--max-examples", str(examples), "--request-timeout", "60"]
    words += ["--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all", "--no-color"]
    words += ["--generation-deterministic"]
    return subprocess.run([sys.executable, "-m", "schemathesis.cli", *words]).returncode


def clips(pid: int, count: int) -> tuple[list[int], list[float]]:
    """Status and resident megabytes after each clip."""
    statuses, memory = [], []
    page = os.sysconf("SC_PAGE_SIZE")
    for seed in range(count):
        statuses.append(post(seed))
        memory.append(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page / 1e6)
    return statuses, memory


if __name__ == "__main__":
    main()
