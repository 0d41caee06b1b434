"""Runs an inference server in a child process and restarts it whenever it ends.

The child listens on a free loopback port, requires a random token, and ends when its stdin closes: that is, when this
process ends for any reason.
"""

from __future__ import annotations

import logging
import os
import random
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

from ...errors import EngineLost, StreamClosed

FIRST_RESTART_S, MAX_RESTART_S = 0.5, 30.0  # delay before a restart: doubles each time, less a random half
STABLE_S = 60.0  # after a run of this length the delay starts from FIRST_RESTART_S again
STOP_S = 4.0  # timeout for the child to end by itself
ENV_PREFIX = "LULLWAVE_INFERENCE_"
_ADDRESS = re.compile(r"\bws://127\.0\.0\.1:\d+")
_ERROR_PREFIX = "lullwave: "  # begins the line on stderr that says why a command failed

log = logging.getLogger(__name__)


class EngineProcess:
    """The child process and the thread that supervises it; thread-safe."""

    def __init__(self, engine: str, options: Mapping[str, Any]) -> None:
        self._engine = engine
        self._options = options
        self._token = secrets.token_urlsafe(24)
        self._changed = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._url: str | None = None  # None while it does not answer
        self._starts = 0
        self._has_ended = False  # whether it ended at least once
        self._reason = "it is starting"
        self._last_error = ""  # the error that it printed last
        self._closed = False
        self._niceness = 0
        self._thread = threading.Thread(target=self._supervise, name=f"child-{engine}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Process id; None while no process runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def starts(self) -> int:
        """How often the process was started."""
        return self._starts

    @property
    def available(self) -> bool:
        """Whether it answers, or is starting for the first time."""
        with self._changed:
            return self._url is not None or not (self._has_ended or self._closed)

    def lower_priority(self, niceness: int) -> None:
        """Let other processes go first, now and after a restart; no effect where the system cannot do this."""
        with self._changed:
            self._niceness = niceness
            self._set_priority()

    def address(self) -> tuple[str, str]:
        """The address of the server and its token; waits without a timeout for the first start, which loads the model.

        Raises:
            EngineLost: the process ended and has not restarted yet.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._url is not None or self._closed or self._has_ended)
            if self._closed:
                raise StreamClosed("the engine was closed")
            if self._url is None:
                raise EngineLost(f"the process of engine {self._engine} does not answer yet: {self._reason}")
            return self._url, self._token

    def close(self) -> None:
        """End the process: close its stdin, then kill it after ``STOP_S``."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        process = self._process
        if process is not None:
            with suppress(OSError):
                assert process.stdin is not None
                process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            process.kill()
        self._thread.join(STOP_S)

    def _supervise(self) -> None:
        wait_s = FIRST_RESTART_S
        while not self._closed:
            began = time.monotonic()
            try:
                status = self._run_once()
                reason = f"it ended with signal {-status}" if status < 0 else f"it ended with status {status}"
                reason += f": {self._last_error}" if self._last_error else ""
            except (OSError, RuntimeError) as error:  # no memory, processes, threads or files left
                reason = f"it cannot be started: {error}"
            if self._closed:
                return
            if time.monotonic() - began > STABLE_S:
                wait_s = FIRST_RESTART_S
            pause_s = wait_s * random.uniform(0.5, 1.0)
            wait_s = min(2.0 * wait_s, MAX_RESTART_S)
            log.error("the process of engine %s ended: %s; restarting in %.1f s", self._engine, reason, pause_s)
            with self._changed:
                self._reason, self._has_ended = reason, True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed, pause_s)

    def _run_once(self) -> int:
        """Start the process, wait for its end and return its exit status."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(ENV_PREFIX) and k != "API_KEY"}
        environment[ENV_PREFIX + "TOKEN"] = self._token
        with self._changed:
            self._starts += 1
            self._last_error = ""
            if self._closed:
                return 0
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", "lullwave", "inference", *self._arguments()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env=environment,
                start_new_session=True,  # Ctrl-C goes to this process, which then ends the child
            )
            self._set_priority()
        assert process.stdout is not None
        assert process.stdin is not None
        forwarding = threading.Thread(target=self._forward_stderr, args=(process.stderr,), daemon=True)
        forwarding.start()
        with process.stdout, suppress(OSError), process.stdin:
            for line in process.stdout:
                if (found := _ADDRESS.search(line)) is not None:
                    with self._changed:
                        self._url = found[0]
                        self._changed.notify_all()
                    log.info("the process of engine %s is ready", self._engine)
        with self._changed:
            self._url = None
            self._changed.notify_all()
        status = process.wait()
        forwarding.join(STOP_S)
        return status

    def _set_priority(self) -> None:
        """Set the priority of the process before it has further threads, which inherit it."""
        if self._niceness and self.pid is not None and hasattr(os, "setpriority"):
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self.pid, self._niceness)

    def _forward_stderr(self, stderr: IO[str]) -> None:
        """Copy the child's stderr to our own, and remember the last error."""
        with stderr:
            for line in stderr:
                if line.startswith(_ERROR_PREFIX):
                    self._last_error = line.removeprefix(_ERROR_PREFIX).strip()
                with suppress(OSError, ValueError):  # our stderr is closed
                    sys.stderr.write(line)
                    sys.stderr.flush()

    def _arguments(self) -> list[str]:
        given = [f"--option={name}={_text(value)}" for name, value in self._options.items()]
        return ["--engine", self._engine, "--host", "127.0.0.1", "--port", "0", "--with-parent", *given]


def _text(value: Any) -> str:
    return "none" if value is None else str(value)
