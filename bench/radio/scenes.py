"""Runs a web server, an inference server and a network between them that can be disturbed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .dragging import VARIABLE, on_path
from .serving import ENDS_S, free_port
from .wires import Wire

TOKEN = "between-the-two"
LOOK_S = 0.5


@dataclass(frozen=True)
class Look:
    """The state of the default station at a moment, as the web server tells it."""

    at: float
    rung: str
    cause: str
    reserve_s: float
    asked: str  # lighter options that the engine was asked for
    stretch_s: float


class Served:
    """A server process that the benchmark restarts; its log goes into a file."""

    def __init__(self, log: Path, *command: str, **environment: str) -> None:
        self._log = log
        self._command = [sys.executable, "-m", "lullwave", *command]
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        """Start the process and wait until it reports that it serves."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=log, env={**self._environment, **environment}
            )
        assert self.process.stdout is not None
        if not self.process.stdout.readline():
            raise RuntimeError(f"{' '.join(self._command[2:])} did not start:\n{self._log.read_text()[-2000:]}")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send the process a signal and wait for its end."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(ENDS_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@dataclass
class Scene:
    """The two servers and the wire. ``engine`` is the web server's; empty: that of the inference server."""

    folder: Path  # holds the files of this scene
    data: Path  # data directory of the web server
    engine: str = ""
    made_by: str = "drag"
    made_with: tuple[str, ...] = ()  # flags of the inference server
    environment: dict[str, str] = field(default_factory=dict)  # of the web server
    flags: tuple[str, ...] = ()
    looks: list[Look] = field(default_factory=list)
    began: float = 0.0  # when the fault began
    over: float = 0.0  # when its cause ended

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.drag(1000.0)
        inside, self.port = free_port(), free_port()
        self.log = self.folder / "web.log"
        self.inference = Served(
            self.folder / "inference.log",
            *("inference", "--port", str(inside), "--engine", self.made_by, *self.made_with),
            PYTHONPATH=on_path(self.folder),
            LULLWAVE_INFERENCE_TOKEN=TOKEN,
            **{VARIABLE: str(self.folder / "speed")},
        )
        self.wire = Wire(inside)
        self.web = Served(
            self.log,
            *("serve", "--port", str(self.port), "--data-dir", str(self.data)),
            *("--engine", self.engine or f"ws://127.0.0.1:{self.wire.port}", *self.flags),
            LULLWAVE_ENGINE_TOKEN=TOKEN,
            **self.environment,
        )
        self._ended = threading.Event()
        self._looking = threading.Thread(target=self._look, name="looks", daemon=True)

    def start(self) -> None:
        if not self.engine:
            self.inference.start()
        self.web.start()
        self._looking.start()

    def end(self) -> None:
        self._ended.set()
        if self._looking.ident is not None:
            self._looking.join()
        self.web.end()
        self.inference.end()
        self.wire.close()

    def drag(self, *speeds: float) -> None:
        """Limit the engine's speed in seconds of music per second; the last value is for its smaller model."""
        (self.folder / "speed.new").write_text(" ".join(map(str, speeds)))
        (self.folder / "speed.new").replace(self.folder / "speed")

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def until(self, condition: Callable[[Look], bool], limit_s: float) -> bool:
        """Wait until the station is in the wanted state; False if it never was."""
        late = time.monotonic() + limit_s
        while time.monotonic() < late:
            if self.looks and condition(self.looks[-1]):
                return True
            time.sleep(LOOK_S / 2)
        return False

    def metrics(self) -> dict[str, float]:
        """The metrics of the default station and of the server."""
        found = {}
        for line in self._ask("/metrics").decode().splitlines():
            name, _, value = line.rpartition(" ")
            if not line.startswith("#") and ("{" not in name or 'station="piano"' in name):
                found[name.replace('{station="piano"}', "").replace(',station="piano"', "")] = float(value)
        return found

    def _ask(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as reply:
            data: bytes = reply.read()
            return data

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            try:
                told: dict[str, Any] = json.loads(self._ask("/readyz"))["stations"]["piano"]
            except (OSError, ValueError):
                continue
            asked = ", ".join(f"{name}={value}" for name, value in told["asked"].items())
            looked = Look(time.monotonic(), told["rung"], told["cause"], told["reserve_s"], asked, told["stretch_s"])
            self.looks.append(looked)


def child_of(pid: int) -> int:
    """The newest child of a process (Linux)."""
    children = [n for task in Path(f"/proc/{pid}/task").iterdir() for n in (task / "children").read_text().split()]
    if not children:
        raise RuntimeError(f"process {pid} has no child")
    return max(map(int, children))
