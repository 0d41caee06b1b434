"""The clip jobs of the Riffusion routes: created, watched, cancelled, kept for a while; knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from ..audio import Audio
from ..errors import Busy, LullwaveError, NotFound

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..codecs import Tags
    from ..engines.riffusion.batch_queue import Job
    from ..engines.riffusion.engine import RiffusionEngine

KEPT = 64  # finished clips that are kept for fetching
KEPT_COLUMNS = 128 * 512  # image columns of the kept clips together: eleven minutes, about 220 MB

Progress = Callable[[int, int], None]
State = Literal["waiting", "working", "done", "failed", "cancelled"]


class ClipJob:
    """One clip that is being made. Event loop only, except for ``progress``, which the engine's thread calls."""

    def __init__(self) -> None:
        self.id = secrets.token_urlsafe(12)
        self.state: State = "waiting"
        self.step = 0
        self.steps = 0
        self.error: LullwaveError | None = None
        self.image: Image | None = None
        self.audio: Audio | None = None
        self.job: Job | None = None
        self.tags: Tags | None = None
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def ended(self) -> bool:
        """Tell whether the clip is done, failed or cancelled."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def columns(self) -> int:
        """Width of its image; 0 while it has none."""
        return self.image.width if self.image is not None else 0

    def progress(self, done: int, of: int) -> None:
        """Note a finished step. Thread-safe."""

        def note() -> None:
            if not self.ended:
                self.state, self.step, self.steps = "working", done, of
                self._wake()

        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(note)

    async def finish(self, engine: RiffusionEngine) -> None:
        """Wait for the image and make its sound."""
        assert self.job is not None
        try:
            image = await asyncio.wrap_future(self.job.result)
            audio = await asyncio.to_thread(engine.converter.audio, image)
        except asyncio.CancelledError:
            self.state = "cancelled"
        except LullwaveError as error:
            self.state, self.error = "failed", error
        else:
            if self.state != "cancelled":
                self.image, self.audio, self.state = image, audio, "done"
                self.step = self.steps
        self._wake()

    def cancel(self) -> None:
        """Cancel the clip and free its place in the queue; a finished clip stays as it is."""
        if not self.ended:
            self.state = "cancelled"
            if self.job is not None:
                self.job.cancel()
            self._wake()

    async def changes(self, every_s: float) -> AsyncIterator[dict[str, Any]]:
        """Yield the status now, after every change and ``every_s`` seconds without one, until the clip has ended."""
        while True:
            changed = self._changed
            yield self.json()
            if self.ended:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await changed.wait()

    def json(self) -> dict[str, Any]:
        """The status as the routes return it."""
        status: dict[str, Any] = {"id": self.id, "state": self.state, "step": self.step, "steps": self.steps}
        if self.audio is not None:
            status["duration_s"] = round(self.audio.duration_s, 3)
        if self.error is not None:
            status["error"] = str(self.error)
        return status

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class ClipJobs:
    """The clips that clients may still fetch; bounded. Event loop only."""

    def __init__(self) -> None:
        self._clips: OrderedDict[str, ClipJob] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, engine: RiffusionEngine, submit: Callable[[Progress], tuple[Job, Tags]]) -> ClipJob:
        """Create a clip; ``submit(progress)``, called on a thread, takes its place in the engine's queue.

        It returns the job and the tags of the clip's files.

        Raises:
            Busy: too many clips are being made.
        """
        self._make_room()
        clip = ClipJob()
        clip.job, clip.tags = await asyncio.to_thread(submit, clip.progress)
        self._clips[clip.id] = clip
        task = asyncio.create_task(clip.finish(engine))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return clip

    def __getitem__(self, id: str) -> ClipJob:
        if id not in self._clips:
            raise NotFound("clip", id[:80])
        return self._clips[id]

    def stop(self) -> None:
        """Cancel everything."""
        for clip in self._clips.values():
            clip.cancel()

    def _make_room(self) -> None:
        columns = sum(clip.columns for clip in self._clips.values())
        for id in [id for id, clip in self._clips.items() if clip.ended]:
            if len(self._clips) < KEPT and columns <= KEPT_COLUMNS:
                break
            columns -= self._clips.pop(id).columns
        if len(self._clips) >= 4 * KEPT:
            raise Busy(f"{len(self._clips)} clips are being made; fetch or cancel some", 30.0)
