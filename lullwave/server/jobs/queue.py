"""The queue of jobs: bounded, the owner's first, made on worker threads, cancelled and tried again. No HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ...clock import Clock
from ...errors import (
    Busy,
    Cancelled,
    EngineFailed,
    InvalidInput,
    LullwaveError,
    NotFound,
    StorageUnavailable,
    Unsupported,
)
from ...refused_words import RefusedWords
from ...settings import Settings
from ..clip_slots import ClipSlot, ClipSlots
from ..engine_config import place
from ..engine_pool import EnginePool
from ..rate_limits import RateLimits
from .job import Job, Result
from .store import JobStore
from .task import FileKind, Task, read_fields
from .work import Work, bytes_in, check_room, kind_of

BEGINS_PER_S, BEGINS_AT_ONCE = 0.2, 10  # jobs and files that an address may begin
GIVE_WAY_S = 60.0  # seconds of work after which a stranger's job is stopped if the owner waits
UPLOAD = "upload"  # the task of a job that holds a visitor's own file
PROMPTS = ("start", "end", "batch")  # fields that hold prompts under other names than ``refused_prompts`` looks for

log = logging.getLogger(__name__)


class JobQueue:
    """Runs jobs in the places of ``slots``, which clips share. Event loop only, but for the work itself."""

    def __init__(
        self,
        settings: Settings,
        engines: EnginePool,
        slots: ClipSlots,
        tasks: Mapping[str, Task],
        clock: Clock,
        refused_words: Callable[[], RefusedWords] = RefusedWords,
    ) -> None:
        self._settings, self._engines, self._slots, self._clock = settings, engines, slots, clock
        self._refused_words = refused_words
        self.tasks = tasks
        self.store = JobStore(
            settings.paths.studio, round(settings.studio_visitor_mb * 1e6), round(settings.studio_mb * 1e6)
        )
        self._pace = RateLimits(BEGINS_PER_S, BEGINS_AT_ONCE)
        self._executor = ThreadPoolExecutor(settings.max_generations, "job")
        self._running: dict[str, tuple[ClipSlot, asyncio.Task[None]]] = {}

    def start(self) -> None:
        """Read what an earlier server kept."""
        self.store.load()

    def stop(self) -> None:
        """Cancel every job. Those that had not ended are found as interrupted by the next server."""
        for slot, running in list(self._running.values()):
            running.cancel()
            slot.release()
        for job in self.store.active():
            job.stop()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def data(self, job: Job) -> dict[str, Any]:
        """A job as its visitor sees it."""
        slot = self._running.get(job.id)
        return job.data(self._clock, self._slots.place(slot[0]) if slot else 0)

    def create(self, visitor: str, address: str, owner: bool, task: str, given: Mapping[str, Any]) -> Job:
        """Check the fields of a job and put it into the queue.

        Raises:
            NotFound: there is no such task.
            InvalidFields: the fields that are wrong.
            Busy: the queue is full, or the address has its share.
            LullwaveError: the task cannot be done here; the error tells what to install.
        """
        known = self._task(task)
        if (lacking := known.lacking()) is not None:
            raise lacking
        values = read_fields(known, given, self._engines, lambda name, kind: self._is_file(visitor, name, kind))
        self._check_words(values)
        if not owner:
            self.check_pace(address)
        slot = self._slots.reserve(address, owner)
        job = Job(task, values, visitor, self._clock.wall(), owner=owner, python=known.python(values))
        try:
            self.store.add(job)
        except StorageUnavailable:
            slot.release()
            raise
        self._run(job, slot)
        return job

    def retry(self, job: Job, address: str, owner: bool) -> None:
        """Make a failed or cancelled job again.

        Raises:
            Unsupported: it has not failed.
            Busy: as for ``create``.
        """
        if job.state not in ("failed", "cancelled") or job.id in self._running:
            raise Unsupported("state", job.state, "only a job that failed or was cancelled can be tried again")
        if not owner:
            self.check_pace(address)
        slot = self._slots.reserve(address, owner)
        job.owner = job.owner or owner
        job.restart()
        self._run(job, slot)

    def cancel(self, job: Job) -> None:
        """Cancel a job: its place is free when its thread has stopped. A job that has ended stays as it is."""
        if not job.active:
            return
        job.stop()
        if job.state == "waiting":
            self._running[job.id][1].cancel()
        job.end("cancelled", self._clock)

    def delete(self, job: Job) -> None:
        """Cancel a job, if need be, and delete it with its files."""
        self.cancel(job)
        self.store.delete(job)

    def drop(self, is_dropped: Callable[[str], bool]) -> int:
        """Cancel the strangers' jobs whose address ``is_dropped`` accepts; returns how many.

        An address is given as ``clients.client_key`` returns it.
        """
        of_slots = {id: slot for id, (slot, _) in self._running.items() if not slot.owner and is_dropped(slot.address)}
        dropped = [job for job in self.store.active() if job.id in of_slots]
        for job in dropped:
            self.cancel(job)
        return len(dropped)

    def check_pace(self, address: str) -> None:
        """Count a job or a file of an address.

        Raises:
            Busy: it has begun too many.
        """
        now = self._clock.now()
        if not self._pace.of(address, now).allows(now):
            raise Busy("your address has begun many jobs in a short time; try again later", 1 / BEGINS_PER_S)

    def keep_file(self, visitor: str, owner: bool, file: Path, result: Result) -> Job:
        """Keep a visitor's own file, which was checked, as a finished job. Moves the file to where it is kept.

        Raises:
            Unsupported: pinned results leave no room for it.
            StorageUnavailable
        """
        job = Job(UPLOAD, {}, visitor, self._clock.wall(), results=[result], owner=owner)
        check_room(result.bytes, self.store.room(job))
        folder = self.store.folder(job)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file.rename(folder / result.name)
        except OSError as error:
            raise StorageUnavailable(f"files cannot be kept: {error.strerror}") from error
        job.end("done", self._clock)
        self.store.add(job)
        return job

    def _run(self, job: Job, slot: ClipSlot) -> None:
        running = asyncio.create_task(self._made(job, slot))
        self._running[job.id] = slot, running

    async def _made(self, job: Job, slot: ClipSlot) -> None:
        try:
            await slot.turn()
            job.begin(self._clock)
            self.store.clear(job)
            inputs = {
                name: self._path(job.visitor, job.values[name])
                for name in self.tasks[job.task].files
                if job.values[name]
            }
            loop = asyncio.get_running_loop()
            room = self.store.room(job)
            work, results = await loop.run_in_executor(self._executor, self._work, job, slot, inputs, room)
            if job.active:
                check_room(sum(result.bytes for result in results), self.store.room(job))
                job.results, job.facts = results, work.facts
                job.end("done", self._clock)
        except Cancelled:
            if job.active:
                job.end("cancelled", self._clock)
        except LullwaveError as error:
            if job.active:
                job.end("failed", self._clock, error)
        except Exception:
            if job.active:  # the files of a deleted job are gone
                log.exception("job %s of task %s failed", job.id, job.task)
                job.end("failed", self._clock, LullwaveError("internal error; the server's log has the details"))
        finally:
            slot.release()
            self._running.pop(job.id, None)
            self._settle(job)

    def _settle(self, job: Job) -> None:
        """Write down how a job ended, unless it was deleted meanwhile."""
        if not self.store.has(job):
            self.store.delete(job)  # what its thread still wrote
            return
        if job.active:  # the server stops
            return
        try:
            if job.state != "done":
                self.store.clear(job)
            self.store.save(job)
            self.store.make_room(job.visitor)
        except (StorageUnavailable, OSError) as error:
            log.error("job %s: %s", job.id, error)

    def _work(self, job: Job, slot: ClipSlot, inputs: Mapping[str, Path], room: int) -> tuple[Work, list[Result]]:
        """Do the work of a job, on a worker thread; returns it and its files, which may take ``room`` bytes."""
        folder, begun = self.store.folder(job), self._clock.now()

        def report(share: float) -> None:
            job.report(share, self._clock)
            check_room(bytes_in(folder), room)
            if not slot.owner and self._slots.owner_waits and self._clock.now() - begun > GIVE_WAY_S:
                raise EngineFailed("it was stopped so that the owner's work could begin; try again later")

        work = Work(
            job.values,
            inputs,
            folder,
            lambda name: self._engines.get(place(self._settings, name)),
            report,
            room,
        )
        self.tasks[job.task].run(work)
        return work, work.results()

    def _task(self, name: str) -> Task:
        if name not in self.tasks:
            raise NotFound("task", name[:64], self.tasks)
        return self.tasks[name]

    def _check_words(self, values: Mapping[str, Any]) -> None:
        for field in PROMPTS:
            if values.get(field):
                self._refused_words().check(str(values[field]), field)

    def _is_file(self, visitor: str, name: str, kind: FileKind) -> bool:
        try:
            return kind_of(self._path(visitor, name)) == kind
        except (NotFound, InvalidInput):
            return False

    def _path(self, visitor: str, name: str) -> Path:
        """The file that a field names as ``JOB/NAME``."""
        id, _, file = name.partition("/")
        return self.store.file(self.store.get(visitor, id), file)
