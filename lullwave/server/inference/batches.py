"""Batches of five clips for the legacy protocols: one batch after the other, each clip a whole MP3.

The scheduler's threads make them, a block at a time, in turn with the streams of other clients. Knows nothing of
sockets.
"""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable

from ...audio import Audio, concat
from ...codecs import encode
from ...engines.base import Engine, Stream
from ...errors import Busy
from ...mastering import master
from ...request import Request
from ...settings.stations import DEFAULT_STATIONS
from .fair_scheduler import FairScheduler

CLIP_S = 60.0  # seconds in a clip, as legacy clients expect
CLIP_LUFS = -14.0  # integrated loudness of a clip, as legacy clients expect
CLIP_KBPS = 128  # 60 s are 960 kB: legacy clients accept no frame over 1 MiB
BLOCK_S = 1.0  # seconds made in one turn
MAX_WAITING = 32  # batches in the queue
_ORDER = ("synthwave", "piano", "organic", "guitar", "ambient")
PROMPTS = tuple(station.prompt() for name in _ORDER for station in DEFAULT_STATIONS if station.id == name)

log = logging.getLogger(__name__)


class Batch:
    """One clip for each of ``PROMPTS``, in order: a job of the scheduler.

    ``on_clip`` is called with (number, MP3) of each clip, ``on_failure`` when no more clips will come; both on a worker
    thread. ``done`` and ``first`` are flags that the event loop sets and a worker reads.
    """

    def __init__(
        self, engine: Engine, on_clip: Callable[[int, bytes], None], on_failure: Callable[[Exception], None]
    ) -> None:
        self._engine = engine
        self._on_clip = on_clip
        self._on_failure = on_failure
        self._made = 0
        self._stream: Stream | None = None
        self._blocks: list[Audio] = []
        self.done = False
        self.first = False  # it is the first in the queue

    def due(self) -> bool:
        """Tell whether there is more to make and the batch is the first in the queue."""
        return self.first and not self.done

    def work(self) -> None:
        """Make the next block; encode the clip after its last block."""
        try:
            if self._stream is None:
                seed = secrets.randbits(48)
                self._stream = self._engine.stream(Request(PROMPTS[self._made], seed, CLIP_S))
            block = self._stream.read(round(BLOCK_S * self._stream.rate))
            self._blocks.append(block)
            if not block.frames or self._stream.position == self._stream.total_frames:
                self._finish()
        except Exception as error:
            if not self.done:
                log.warning("a batch of clips failed: %s", error)
                self.done = True
                self._on_failure(error)
        if self.done and self._stream is not None:
            self._stream.close()

    def close(self) -> None:
        """Cancel the batch."""
        self.done = True
        if self._stream is not None:
            self._stream.close()

    def _finish(self) -> None:
        assert self._stream is not None
        self._stream.close()
        clip = master(concat(self._blocks), CLIP_LUFS)
        number, self._made = self._made, self._made + 1
        self._stream, self._blocks = None, []
        if not self.done:
            self.done = self._made == len(PROMPTS)
            self._on_clip(number, encode(clip, "mp3", CLIP_KBPS))


class Batches:
    """The queue of batches, made one at a time. Event loop only."""

    def __init__(self, engine: Engine, scheduler: FairScheduler) -> None:
        self._engine = engine
        self._scheduler = scheduler
        self._client = scheduler.client()
        self._queue: deque[Batch] = deque()

    def add(self, on_clip: Callable[[int, bytes], None], on_failure: Callable[[Exception], None]) -> Batch:
        """Queue a batch; it is made when the batches before it are done.

        Raises:
            Busy: the queue is full.
        """
        self._advance()
        if len(self._queue) >= MAX_WAITING:
            raise Busy(f"{len(self._queue)} batches of clips are waiting; try again later", 60.0)
        batch = Batch(self._engine, on_clip, on_failure)
        self._queue.append(batch)
        self._client.add(batch)
        self._advance()
        return batch

    def drop(self, batch: Batch) -> None:
        """Take a batch out of the queue; one that is not done is cancelled."""
        batch.done = True
        self._advance()

    def stop(self) -> None:
        """Cancel every batch."""
        for batch in self._queue:
            batch.close()

    def _advance(self) -> None:
        for batch in [one for one in self._queue if one.done]:
            self._queue.remove(batch)
            self._client.remove(batch)
        if self._queue:
            self._queue[0].first = True
            self._scheduler.wake()
