"""Five clips at a time, for clients who know nothing else: one batch after the other, each clip a whole MP3.

Work is done by ``turns``, a block at a time, beside the streams of other clients. Knows nothing of sockets.
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
from ...settings import DEFAULT_STATIONS
from .fair_scheduler import Turns

CLIP_S = 60.0
CLIP_LUFS = -14.0
CLIP_KBPS = 128  # 60 s are 960 kB: old clients take no frame over 1 MiB
BLOCK_S = 1.0
MAX_WAITING = 32
_ORDER = ("synthwave", "piano", "organic", "guitar", "ambient")
PROMPTS = tuple(station.prompt() for name in _ORDER for station in DEFAULT_STATIONS if station.id == name)

log = logging.getLogger(__name__)


class Batch:
    """One clip for each prompt, in their order: a seat of ``turns``.

    ``clip`` is called with each MP3, ``failed`` when there will be no more; both on a worker's thread.
    """

    def __init__(self, engine: Engine, clip: Callable[[int, bytes], None], failed: Callable[[Exception], None]) -> None:
        self._engine = engine
        self._clip = clip
        self._failed = failed
        self._made = 0
        self._stream: Stream | None = None
        self._blocks: list[Audio] = []
        self.done = False
        self.head = False  # its turn has come

    def due(self) -> bool:
        """Whether there is more to make."""
        return self.head and not self.done

    def work(self) -> None:
        """The next block; at its end, the clip."""
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
                log.warning("a batch of clips broke off: %s", error)
                self.done = True
                self._failed(error)
        if self.done and self._stream is not None:
            self._stream.close()

    def close(self) -> None:
        """Nobody wants it any more."""
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
            self._clip(number, encode(clip, "mp3", CLIP_KBPS))


class Batches:
    """The queue of batches. All calls from the event loop."""

    def __init__(self, engine: Engine, turns: Turns) -> None:
        self._engine = engine
        self._turns = turns
        self._table = turns.table()
        self._queue: deque[Batch] = deque()

    def add(self, clip: Callable[[int, bytes], None], failed: Callable[[Exception], None]) -> Batch:
        """Another batch, made when those before it are done.

        Raises:
            Busy: too many wait.
        """
        self._advance()
        if len(self._queue) >= MAX_WAITING:
            raise Busy(f"{len(self._queue)} batches of clips are waiting; try again later", 60.0)
        batch = Batch(self._engine, clip, failed)
        self._queue.append(batch)
        self._table.sit(batch)
        self._advance()
        return batch

    def drop(self, batch: Batch) -> None:
        """It is done, or nobody wants it any more."""
        batch.done = True
        self._advance()

    def stop(self) -> None:
        """Break off what is being made."""
        for batch in self._queue:
            batch.close()

    def _advance(self) -> None:
        for batch in [one for one in self._queue if one.done]:
            self._queue.remove(batch)
            self._table.rise(batch)
        if self._queue:
            self._queue[0].head = True
            self._turns.wake()
