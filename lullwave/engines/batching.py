"""A bounded queue in front of one model: queued jobs with equal keys share one pass of its networks."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from ..errors import Busy, Cancelled, EngineFailed, StreamClosed

Given = TypeVar("Given", contravariant=True)  # what a job asks for
Settings = TypeVar("Settings", contravariant=True)  # what the jobs of one pass have in common
Made = TypeVar("Made", covariant=True)
Asked = TypeVar("Asked")
Config = TypeVar("Config")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]  # (steps done, steps in total)

log = logging.getLogger(__name__)

FIRST_RETRY_S = 30.0  # seconds until a refused caller may retry, before a pass has been timed


class Maker(Protocol[Given, Settings, Made]):
    """A model behind a queue."""

    def make(
        self,
        requests: Sequence[Given],
        config: Settings,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Sequence[Made]:
        """One result for each request.

        Raises:
            Cancelled: ``cancelled`` became true between two steps.
        """


@dataclass(eq=False)
class Job(Generic[Asked, Config, Result]):
    """One result in the queue. Cancelling frees its place; a pass stops when all of its jobs are cancelled."""

    request: Asked
    config: Config
    batch_key: object  # jobs with equal keys can share a pass
    progress: Progress | None = None
    urgency: int = 0  # it interrupts a less urgent pass, where that tells its progress
    result: Future[Result] = field(default_factory=Future)
    cancelled: bool = False
    on_cancel: Callable[[], None] = lambda: None

    def cancel(self) -> None:
        """Give up the result. Thread-safe."""
        self.cancelled = True
        self.result.cancel()
        self.on_cancel()


class BatchQueue(Generic[Asked, Config, Result]):
    """Runs jobs on its own thread, the most urgent first, else first come first served. Thread-safe.

    ``what`` names a result in errors, such as ``"clip"``.
    """

    def __init__(
        self, maker: Maker[Asked, Config, Result], max_batch: int = 4, max_waiting: int = 16, what: str = "clip"
    ) -> None:
        self._maker = maker
        self._what = what
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._queue: list[Job[Asked, Config, Result]] = []
        self._changed = threading.Condition()
        self._closed = False
        self._last_pass_s = FIRST_RETRY_S
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Number of jobs that have not begun."""
        with self._changed:
            return len(self._queue)

    def add(
        self,
        request: Asked,
        config: Config,
        batch_key: object,
        progress: Progress | None = None,
        urgency: int = 0,
    ) -> Job[Asked, Config, Result]:
        """Queue one job. It does not wait for the end of a pass that has begun, if that is less urgent.

        Raises:
            Busy: the queue is full.
            StreamClosed: the queue is closed.
        """
        job: Job[Asked, Config, Result] = Job(request, config, batch_key, progress, urgency)
        job.on_cancel = lambda: self._remove(job)
        with self._changed:
            if self._closed:
                raise StreamClosed("the engine was closed")
            if len(self._queue) >= self._max_waiting:
                raise Busy(
                    f"{len(self._queue)} {self._what}s are waiting; at most {self._max_waiting} are allowed",
                    self._last_pass_s,
                )
            self._queue.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=f"batches-of-{self._what}s", daemon=True)
                atexit.register(self.close)  # a network must not be computing while the interpreter ends
                self._thread.start()
            self._changed.notify_all()
        return job

    def close(self) -> None:
        """Fail the waiting jobs, cancel the running pass and join the thread."""
        with self._changed:
            self._closed = True
            waiting, self._queue = self._queue, []
            self._changed.notify_all()
        for job in waiting:
            if not job.result.done():
                job.result.set_exception(StreamClosed("the engine was closed"))
        if self._thread is not None:
            self._thread.join()
            atexit.unregister(self.close)

    def _remove(self, job: Job[Asked, Config, Result]) -> None:
        with self._changed:
            if job in self._queue:
                self._queue.remove(job)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                batch = self._next()
            self._run(batch)

    def _next(self, above: int = -1) -> list[Job[Asked, Config, Result]]:
        """Take the jobs of the next pass, if they are more urgent than ``above``. The caller holds the condition."""
        first = max(self._queue, key=lambda job: job.urgency, default=None)  # of equal ones the first that came
        if first is None or first.urgency <= above:
            return []
        batch = [job for job in self._queue if job.batch_key == first.batch_key][: self._max_batch]
        self._queue = [job for job in self._queue if job not in batch]
        return [job for job in batch if job.result.set_running_or_notify_cancel()]

    def _run_urgent(self, above: int) -> None:
        """Run the more urgent jobs that wait, while a pass tells its progress."""
        while True:
            with self._changed:
                batch = [] if self._closed else self._next(above)
            if not batch:
                return
            self._run(batch)

    def _run(self, batch: list[Job[Asked, Config, Result]]) -> None:
        if not batch:
            return

        def progress(done: int, total: int) -> None:
            for job in batch:
                if job.progress is not None and not job.cancelled:
                    job.progress(done, total)
            if done < total:
                self._run_urgent(batch[0].urgency)

        def all_cancelled() -> bool:
            return self._closed or all(job.cancelled for job in batch)

        began = time.monotonic()
        try:
            made = self._maker.make([job.request for job in batch], batch[0].config, progress, all_cancelled)
        except Cancelled as error:
            for job in batch:
                job.result.set_exception(CancelledError() if job.cancelled else StreamClosed(str(error)))
        except Exception as error:  # any error of the networks must reach the callers that wait
            log.exception("a batch of %d %ss failed", len(batch), self._what)
            failed = EngineFailed(f"the {self._what} could not be made: {type(error).__name__}: {error}")
            failed.__cause__ = error
            for job in batch:
                job.result.set_exception(failed)
        else:
            if not batch[0].urgency:
                self._last_pass_s = time.monotonic() - began
            for job, result in zip(batch, made, strict=True):
                job.result.set_result(result)
