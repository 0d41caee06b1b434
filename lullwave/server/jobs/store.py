"""Keeps jobs and their files on disk, within limits per visitor and in all: the oldest that is not pinned goes first.

Strangers, all together, have a share of the space. Their results give way to the owner's, pinned ones last; the owner's
are never deleted for theirs.

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
STRANGERS_SHARE = 0.5  # of the space for all, for others than the owner
PINNED_SHARE = 0.5  # of a visitor's space that may be pinned: new results need the rest

log = logging.getLogger(__name__)


class JobStore:
    """Jobs by id, and their folders. Event loop only; ``load`` reads the disk once, at the start.

    ``visitor_bytes`` and ``total_bytes`` limit the files of one visitor and of all.
    """

    def __init__(self, root: Path, visitor_bytes: int, total_bytes: int) -> None:
        self._root = root
        self.visitor_bytes, self.total_bytes = visitor_bytes, total_bytes
        self.most_pinned_bytes, self.most_pinned = int(PINNED_SHARE * visitor_bytes), int(PINNED_SHARE * MAX_JOBS)
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
        self._make_room_for_all()

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
            Unsupported: the visitor's pinned jobs, or those of all strangers, fill their share of the space.
        """
        if pinned and not job.pinned:
            bytes = job.bytes + sum(one.bytes for one in self.of(job.visitor) if one.pinned)
            number = 1 + sum(1 for one in self.of(job.visitor) if one.pinned)
            if bytes > self.most_pinned_bytes or number > self.most_pinned:
                limit = f"{self.most_pinned_bytes / 1e6:.0f} MB and {self.most_pinned} results"
                raise Unsupported("pinned", pinned, f"pinned results take at most {limit}; unpin others first")
            others = sum(one.bytes for one in self._jobs.values() if one.pinned and not one.owner)
            if not job.owner and others + job.bytes > PINNED_SHARE * self._strangers_bytes:
                raise Unsupported("pinned", pinned, "the pinned results of all visitors leave no room for more")
        job.pinned = pinned
        self.save(job)

    def make_room(self, visitor: str) -> None:
        """Delete the oldest jobs that are not pinned until the limits hold, the visitor's own first."""
        self._make_room(lambda job: job.visitor == visitor, self.visitor_bytes, MAX_JOBS)
        self._make_room_for_all()

    def room(self, job: Job) -> int:
        """Bytes of files that could be kept for the job, beside all that does not give way to it."""
        others = [one for one in self._jobs.values() if one is not job]
        own = sum(one.bytes for one in others if one.pinned and one.visitor == job.visitor)
        strangers = sum(one.bytes for one in others if one.pinned and not one.owner)
        owners = sum(one.bytes for one in others if one.owner and (one.pinned or not job.owner))
        rooms = [self.visitor_bytes - own, self.total_bytes - owners]
        if not job.owner:
            rooms += [self._strangers_bytes - strangers, rooms[1] - strangers]
        return max(0, min(rooms))

    @property
    def _strangers_bytes(self) -> int:
        return round(STRANGERS_SHARE * self.total_bytes)

    def _make_room_for_all(self) -> None:
        """Keep strangers within their share, and all within the limits: strangers' go first, then the owner's."""
        self._make_room(lambda job: not job.owner, self._strangers_bytes, MAX_KNOWN // 2)
        self._make_room(lambda job: True, self.total_bytes, MAX_KNOWN, strangers_first=True)

    def _make_room(
        self, mine: Callable[[Job], bool], most_bytes: int, most_jobs: int, strangers_first: bool = False
    ) -> None:
        jobs = [job for job in self._jobs.values() if mine(job)]
        bytes, number = sum(job.bytes for job in jobs), len(jobs)
        if strangers_first:
            jobs.sort(key=lambda job: (job.owner, job.pinned))  # else oldest first
        for job in jobs:
            if bytes <= most_bytes and number <= most_jobs:
                return
            gives_way = not job.pinned or (strangers_first and not job.owner)
            if gives_way and not job.active:
                bytes, number = bytes - job.bytes, number - 1
                self.delete(job)
