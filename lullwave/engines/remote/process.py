"""An inference server in a child process, started again whenever it ends; knows nothing of what it is asked for.

The child listens on a loopback port of its own choice, asks for a token that only the two know, and ends when its stdin
does: when this process is gone, however it went.
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

FIRST_S, LONGEST_S = 0.5, 30.0  # before it is started again: twice as long each time, less up to half by chance
TRUSTED_S = 60.0  # who ran for so long is started again at once
LET_GO_S = 4.0  # how long it may take to end
VARIABLE = "LULLWAVE_INFERENCE_"
_ADDRESS = re.compile(r"\bws://127\.0\.0\.1:\d+")
_LAST_WORDS = "lullwave: "  # why a command fails, on its stderr

log = logging.getLogger(__name__)


class Child:
    """The process, and the thread that looks after it."""

    def __init__(self, engine: str, options: Mapping[str, Any]) -> None:
        self._engine = engine
        self._options = options
        self._token = secrets.token_urlsafe(24)
        self._changed = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._url: str | None = None  # while it answers
        self._starts = 0
        self._ended = False  # at least once
        self._why = "it is starting"
        self._said = ""  # its last words
        self._closed = False
        self._thread = threading.Thread(target=self._look_after, name=f"child-{engine}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def starts(self) -> int:
        """How often it was started."""
        return self._starts

    def address(self) -> tuple[str, str]:
        """Where it answers, and the token. A child that starts for the first time may take as long as its model needs.

        Raises:
            EngineLost: it does not answer now.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._url is not None or self._closed or self._ended)
            if self._closed:
                raise StreamClosed("the engine was closed")
            if self._url is None:
                raise EngineLost(f"the process of engine {self._engine} does not answer yet: {self._why}")
            return self._url, self._token

    def close(self) -> None:
        """End it, kindly first."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        process = self._process
        if process is not None:
            with suppress(OSError):
                assert process.stdin is not None
                process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(LET_GO_S)
            process.kill()
        self._thread.join(LET_GO_S)

    def _look_after(self) -> None:
        wait_s = FIRST_S
        while not self._closed:
            began = time.monotonic()
            try:
                status = self._run_once()
                why = f"it ended with signal {-status}" if status < 0 else f"it ended with status {status}"
                why += f": {self._said}" if self._said else ""
            except (OSError, RuntimeError) as error:  # out of memory, processes, threads or files
                why = f"it cannot be started: {error}"
            if self._closed:
                return
            if time.monotonic() - began > TRUSTED_S:
                wait_s = FIRST_S
            pause_s = wait_s * random.uniform(0.5, 1.0)
            wait_s = min(2.0 * wait_s, LONGEST_S)
            log.error("the process of engine %s is gone: %s; again in %.1f s", self._engine, why, pause_s)
            with self._changed:
                self._why, self._ended = why, True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed, pause_s)

    def _run_once(self) -> int:
        """Start it and wait for its end; its exit status."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(VARIABLE) and k != "API_KEY"}
        environment[VARIABLE + "TOKEN"] = self._token
        with self._changed:
            self._starts += 1
            self._said = ""
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
                start_new_session=True,  # Ctrl-C is for us, who then end it
            )
        assert process.stdout is not None
        assert process.stdin is not None
        listening = threading.Thread(target=self._listen, args=(process.stderr,), daemon=True)
        listening.start()
        with process.stdout, suppress(OSError), process.stdin:
            for line in process.stdout:
                if (found := _ADDRESS.search(line)) is not None:
                    with self._changed:
                        self._url = found[0]
                        self._changed.notify_all()
                    log.info("the process of engine %s answers", self._engine)
        with self._changed:
            self._url = None
            self._changed.notify_all()
        status = process.wait()
        listening.join(LET_GO_S)
        return status

    def _listen(self, stderr: IO[str]) -> None:
        """What it says goes where we say things."""
        with stderr:
            for line in stderr:
                if line.startswith(_LAST_WORDS):
                    self._said = line.removeprefix(_LAST_WORDS).strip()
                with suppress(OSError, ValueError):  # ours is closed
                    sys.stderr.write(line)
                    sys.stderr.flush()

    def _arguments(self) -> list[str]:
        given = [f"--option={name}={_text(value)}" for name, value in self._options.items()]
        return ["--engine", self._engine, "--host", "127.0.0.1", "--port", "0", "--with-parent", *given]


def _text(value: Any) -> str:
    return "none" if value is None else str(value)
