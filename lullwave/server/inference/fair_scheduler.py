"""A fair scheduler: a few worker threads that serve many clients in turn.

Threads are shared per client, not per job: a client with ten jobs gets no more of them than a client with one. Clients
take turns, and so do the jobs of one client. A turn is short (one block of music, one command), and one thread at a
time works on a job.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import Protocol

log = logging.getLogger(__name__)


class Job(Protocol):
    """Work that comes up now and then."""

    def due(self) -> bool:
        """Tell whether there is something to do. Quick; called on any thread, under the scheduler's lock."""

    def work(self) -> None:
        """Do one turn's worth of it, on a worker thread."""


class Client:
    """The jobs of one client. Thread-safe: the scheduler's lock guards them."""

    def __init__(self, scheduler: FairScheduler) -> None:
        self._scheduler = scheduler

    def add(self, job: Job) -> None:
        """Give ``job`` turns from now on."""
        self._scheduler.add(self, job)

    def remove(self, job: Job) -> None:
        """Give ``job`` no more turns; one that runs now is its last."""
        self._scheduler.remove(self, job)

    def leave(self) -> None:
        """Remove the client with all its jobs."""
        self._scheduler.remove_client(self)


class FairScheduler:
    """``workers`` threads and the clients that they serve. Thread-safe."""

    def __init__(self, workers: int) -> None:
        self._changed = threading.Condition()  # notified when a job may have become due, and after each turn
        self._jobs: dict[Client, deque[Job]] = {}
        self._row: deque[Client] = deque()  # in the order of their next turns
        self._running: list[Job] = []
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"inference-{number}", daemon=True) for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether every thread runs."""
        return all(thread.is_alive() for thread in self._threads)

    def client(self) -> Client:
        """Make a client without jobs."""
        client = Client(self)
        with self._changed:
            self._jobs[client] = deque()
            self._row.append(client)
        return client

    def add(self, client: Client, job: Job) -> None:
        """Give a client's ``job`` turns from now on; ignored once the client has left."""
        with self._changed:
            if client in self._jobs:
                self._jobs[client].append(job)
                self._changed.notify_all()

    def remove(self, client: Client, job: Job) -> None:
        """Give a client's ``job`` no more turns."""
        with self._changed:
            jobs = self._jobs.get(client, ())
            if job in jobs:
                self._jobs[client].remove(job)

    def remove_client(self, client: Client) -> None:
        """Remove a client with all its jobs."""
        with self._changed:
            if self._jobs.pop(client, None) is not None:
                self._row.remove(client)

    def wake(self) -> None:
        """Look for due jobs again: some job has something to do."""
        with self._changed:
            self._changed.notify_all()

    def waiting(self) -> int:
        """Count the jobs that are due and wait for a thread."""
        with self._changed:
            return sum(job.due() and job not in self._running for jobs in self._jobs.values() for job in jobs)

    def close(self, timeout_s: float = 1.0) -> None:
        """End every thread after its present turn, and wait up to ``timeout_s`` for them."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout_s / len(self._threads))

    def _serve(self) -> None:
        while True:
            with self._changed:
                while (job := self._next()) is None and not self._closed:
                    self._changed.wait()
                if job is None or self._closed:
                    return
                self._running.append(job)
            try:
                job.work()
            except Exception:
                log.exception("%r failed", job)
            finally:
                with self._changed:
                    self._running.remove(job)
                    self._changed.notify_all()

    def _next(self) -> Job | None:
        """Choose the next due job; it and its client go to the end of their rows. Called under the lock."""
        for _ in range(len(self._row)):
            jobs = self._jobs[self._row[0]]
            self._row.rotate(-1)
            for _ in range(len(jobs)):
                job = jobs[0]
                jobs.rotate(-1)
                if job not in self._running and job.due():
                    return job
        return None
