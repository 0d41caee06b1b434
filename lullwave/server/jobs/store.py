"""Keeps jobs and their files on disk, within limits per visitor and in all: the oldest that is not pinned goes first.

A job's folder is ``<root>/<visitor>/<job>``, with ``job.json`` and the files of its results.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from ...errors import NotFound, StorageUnavailable, Unsupported
from ...storage.atomic_files import read_json, write_json
from .job import Job

RECORD = "job.json"
UNFINISHED = ".upload-"  # begins the names of folders with files that are being received
MAX_JOBS = 200  # of one visitor
MAX_KNOWN = 20_000  # of all visitors
PINNED_SHARE = 0.5  # of a visitor's space that may be pinned: new results need the rest

log = logging.getLogger(__name__)


class JobStore:
    """Jobs by id, and their folders. Event loop only; ``load`` reads the disk once, at the start.

    ``visitor_bytes`` and ``total_bytes`` limit the files of one visitor and of all.
    """

    def __init__(self, root: Path, visitor_bytes: int, total_bytes: int) -> None:
        self._root = root
        self.visitor_bytes, self.total_bytes = visitor_bytes, total_bytes
        self._jobs: dict[str, Job] = {}  # oldest first

    def load(self) -> None:
        """Read what an earlier server kept; damaged folders are deleted."""
        for left in self._root.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)
        found = []
        for record in self._root.glob(f"*/*/{RECORD}") if self._root.is_dir() else ():
            try:
                found.append(Job.of_kept(read_json(record)))
            except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
                log.warning("%s was not read, so its job is deleted: %s", record, error)
                shutil.rmtree(record.parent, ignore_errors=True)
        for job in sorted(found, key=lambda one: one.created):
            self._jobs[job.id] = job
        self._make_room(lambda job: True, self.total_bytes, MAX_KNOWN)

    def of(self, visitor: str) -> list[Job]:
        """The jobs of a visitor, newest first."""
        return [job for job in reversed(self._jobs.values()) if job.visitor == visitor]

    def get(self, visitor: str, id: str) -> Job:
        """A job of a visitor.

        Raises:
            NotFound: there is none, or it is another visitor's.
        """
        job = self._jobs.get(id)
        if job is None or job.visitor != visitor:
            raise NotFound("job", id[:64])
        return job

    def has(self, job: Job) -> bool:
        """Tell whether a job is still kept."""
        return self._jobs.get(job.id) is job

    def active(self) -> list[Job]:
        """The jobs of all visitors that have not ended."""
        return [job for job in self._jobs.values() if job.active]

    def used_bytes(self, visitor: str | None = None) -> int:
        """Bytes of the files of one visitor, or of all."""
        return sum(job.bytes for job in self._jobs.values() if visitor is None or job.visitor == visitor)

    def folder(self, job: Job) -> Path:
        """Where the files of a job are."""
        return self._root / job.visitor / job.id

    def file(self, job: Job, name: str) -> Path:
        """A result of a job by its name.

        Raises:
            NotFound
        """
        if not any(result.name == name for result in job.results):
            raise NotFound("file", name[:200], [result.name for result in job.results])
        return self.folder(job) / name

    def add(self, job: Job) -> None:
        """Keep a new job; older ones of the visitor may have to go.

        Raises:
            StorageUnavailable: the disk cannot be written.
        """
        self._jobs[job.id] = job
        try:
            self.save(job)
        except StorageUnavailable:
            del self._jobs[job.id]
            raise
        self.make_room(job.visitor)

    def save(self, job: Job) -> None:
        """Write a job's record.

        Raises:
            StorageUnavailable: the disk cannot be written.
        """
        try:
            write_json(self.folder(job) / RECORD, job.kept())
        except OSError as error:
            raise StorageUnavailable(f"results cannot be kept: {error.strerror}") from error

    def clear(self, job: Job) -> None:
        """Delete the files of a job, not its record."""
        for path in self.folder(job).iterdir():
            if path.name != RECORD:
                path.unlink(missing_ok=True)

    def delete(self, job: Job) -> None:
        """Delete a job with its files."""
        self._jobs.pop(job.id, None)
        shutil.rmtree(self.folder(job), ignore_errors=True)

    def pin(self, job: Job, pinned: bool) -> None:
        """Keep a job from being deleted for others, or no longer.

        Raises:
            Unsupported: the visitor's pinned jobs fill their share of the space.
        """
        if pinned and not job.pinned:
            bytes = job.bytes + sum(one.bytes for one in self.of(job.visitor) if one.pinned)
            number = 1 + sum(1 for one in self.of(job.visitor) if one.pinned)
            if bytes > PINNED_SHARE * self.visitor_bytes or number > PINNED_SHARE * MAX_JOBS:
                limit = f"{PINNED_SHARE * self.visitor_bytes / 1e6:.0f} MB and {PINNED_SHARE * MAX_JOBS:.0f} results"
                raise Unsupported("pinned", pinned, f"pinned results take at most {limit}; unpin others first")
        job.pinned = pinned
        self.save(job)

    def make_room(self, visitor: str) -> None:
        """Delete the oldest jobs that are not pinned until the limits hold, the visitor's own first."""
        self._make_room(lambda job: job.visitor == visitor, self.visitor_bytes, MAX_JOBS)
        self._make_room(lambda job: True, self.total_bytes, MAX_KNOWN)

    def fits(self, job: Job, bytes: int) -> bool:
        """Tell whether files of ``bytes`` could be kept for the job beside all that is pinned."""
        pinned = [one for one in self._jobs.values() if one.pinned and one is not job]
        own = sum(one.bytes for one in pinned if one.visitor == job.visitor)
        return own + bytes <= self.visitor_bytes and sum(one.bytes for one in pinned) + bytes <= self.total_bytes

    def _make_room(self, mine: Callable[[Job], bool], most_bytes: int, most_jobs: int) -> None:
        jobs = [job for job in self._jobs.values() if mine(job)]
        bytes, number = sum(job.bytes for job in jobs), len(jobs)
        for job in jobs:
            if bytes <= most_bytes and number <= most_jobs:
                return
            if not job.pinned and not job.active:
                bytes, number = bytes - job.bytes, number - 1
                self.delete(job)
