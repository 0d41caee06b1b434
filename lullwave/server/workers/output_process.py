"""A child process that masters and encodes the music of many streams, one block after another.

The parent sends a block of samples and gets what the stream's ``Output`` made of it. The child ends when the pipe
closes: that is, when the parent ends for any reason.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from ...audio import Samples
from ...clock import Clock
from ...errors import EngineFailed, EngineLost
from ...station import Made, Output, OutputLevels, OutputPoint
from ...storage.packing import Arrays

STARTS_WITHIN_S = 15.0  # longest wait for the first answer of a process, which imports its packages first
HANGS_S = 4.0  # longest wait for another answer
RESTART_S = 10.0  # shortest time between two starts
STOP_S = 2.0  # seconds in which the process may end by itself

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """Asks for the next block of a stream."""

    stream: str
    samples: Samples  # (T, 2)
    levels: OutputLevels
    point: OutputPoint | None  # where the stream goes on; None: the process has it


@dataclass(frozen=True)
class Answer:
    """What the process made of a block."""

    made: Made
    master: Arrays  # state of the master after it


class OutputProcess:
    """The parent's side. Thread-safe; ``step`` blocks until the child has answered all who asked before."""

    def __init__(self, clock: Clock, niceness: int) -> None:
        self._clock = clock
        self._niceness = niceness
        self._lock = threading.Lock()  # guards the rest
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._started_at: float | None = None
        self._answered = self._closed = False
        with self._lock, suppress(EngineLost):
            self._start()

    @property
    def pid(self) -> int | None:
        """Process id; None while no process runs."""
        process = self._process
        return process.pid if process is not None and process.is_alive() else None

    def step(self, step: Step) -> Answer | None:
        """What the stream's output makes of a block; None if the process does not have the stream.

        Raises:
            EngineLost: the process ended, or hung and was ended. It starts again with the next call, but not twice
                within ``RESTART_S``.
            EngineFailed: the output failed.
        """
        with self._lock:
            if self._pipe is None:
                self._start()
            assert self._pipe is not None
            try:
                self._pipe.send(step)
                if not self._pipe.poll(HANGS_S if self._answered else STARTS_WITHIN_S):
                    raise TimeoutError("it does not answer")
                answer: Answer | EngineFailed | None = self._pipe.recv()
            except (EOFError, OSError) as error:
                self._end()
                raise EngineLost(f"the process that encodes private streams ended: {error!r}") from error
            self._answered = True
        if isinstance(answer, EngineFailed):
            raise answer
        return answer

    def forget(self, stream: str) -> None:
        """Let the process drop a stream."""
        with self._lock, suppress(OSError):
            if self._pipe is not None:
                self._pipe.send(stream)

    def close(self) -> None:
        """End the process. Blocks."""
        with self._lock:
            self._closed = True
            self._end()

    def _start(self) -> None:
        """Start the process, without waiting for it.

        Raises:
            EngineLost: it was closed, cannot be started, or was started just before.
        """
        now = self._clock.now()
        if self._closed or (self._started_at is not None and now - self._started_at < RESTART_S):
            raise EngineLost("the process that encodes private streams does not run")
        self._started_at, self._answered = now, False
        context = get_context("spawn")  # not forked: threads and locks of this process are not copied
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self._niceness), name="outputs", daemon=True)
        try:
            self._process.start()
        except OSError as error:
            self._pipe, self._process = None, None
            raise EngineLost(f"no process to encode private streams: {error}") from error
        finally:
            theirs.close()

    def _end(self) -> None:
        pipe, process = self._pipe, self._process
        self._pipe = self._process = None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.join(STOP_S if self._closed else 0.0)
            process.kill()
            process.join(STOP_S)


def serve(pipe: Connection, niceness: int) -> None:
    """Answer until the pipe closes; the child's main function."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, too, which then closes the pipe
    if hasattr(os, "nice"):
        os.nice(niceness)
    outputs: dict[str, Output] = {}
    with suppress(EOFError, OSError):
        while True:
            asked: Step | str = pipe.recv()
            if isinstance(asked, str):
                outputs.pop(asked, None)
            else:
                pipe.send(answer(outputs, asked))


def answer(outputs: dict[str, Output], step: Step) -> Answer | EngineFailed | None:
    """Let the output of a stream make the next block; None if there is neither the output nor a point to begin with."""
    try:
        if step.point is not None:
            outputs[step.stream] = output = Output(step.levels)
            output.go_on(step.point)
        elif (found := outputs.get(step.stream)) is not None:
            output = found
        else:
            return None
        made = output.process(step.samples)
    except Exception as error:
        log.exception("the output of a private stream failed")
        outputs.pop(step.stream, None)
        return EngineFailed(f"the output failed: {error!r}")
    return Answer(made, output.arrays())
