"""A MusicGen stream: reads, steers, forks and saves one song."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...audio import Audio, Samples
from ...errors import InvalidInput, SnapshotError, StreamClosed
from ...request import Request
from ..base import Mark, Stream, Understanding, check_over_s
from . import snapshot as snapshots
from .model.config import FRAME_RATE, ModelConfig
from .scheduler import Scheduler
from .song import CHUNK, Song


class MusicGenStream(Stream):
    """Reads the chunks that the scheduler generates."""

    def __init__(
        self,
        request: Request,
        song: Song,
        scheduler: Scheduler,
        config: ModelConfig,
        fingerprint: str,
        understand: Callable[[str], Understanding],
        position: int = 0,
    ) -> None:
        self.request = request
        self.rate, self.channels = config.rate, config.channels
        self._song, self._scheduler, self._config = song, scheduler, config
        self._fingerprint, self._understand = fingerprint, understand
        self._position = position
        self._chunk_frames = CHUNK * config.hop_samples
        self._current: tuple[int, Samples] | None = None
        self._closed = False

    @property
    def position(self) -> int:
        return self._position

    @property
    def tokens_made(self) -> int:
        """Steps generated for this stream; each is one token per codebook."""
        return self._song.step - self._song.origin

    def read(self, frames: int) -> Audio:
        if frames < 0:
            raise InvalidInput("frames", frames, "a number of frames, at least 0")
        if self._closed:
            raise StreamClosed("the stream was closed")
        total = self.total_frames
        if total is not None:
            frames = min(frames, total - self._position)
        parts: list[Samples] = []
        while frames > 0:
            chunk, offset = divmod(self._position, self._chunk_frames)
            samples = self._chunk(chunk)[offset : offset + frames]
            if not samples.shape[0]:
                break
            parts.append(samples)
            self._position += samples.shape[0]
            frames -= samples.shape[0]
        if not parts:
            return Audio.silence(0, self.rate, self.channels)
        return Audio(np.concatenate(parts) if len(parts) > 1 else parts[0], self.rate)

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        if self._closed:
            raise StreamClosed("the stream was closed")
        check_over_s(over_s)
        understanding = self._understand(prompt)
        over, position = round(over_s * FRAME_RATE), self._position
        self._scheduler.update(self._song, lambda song: song.steer(prompt, over, position))
        return understanding

    def snapshot(self, at_frame: int | None = None) -> bytes:
        at, chunk = self._at(at_frame)
        header = {
            "engine": "musicgen",
            "model": self._fingerprint,
            "at_frame": at,
            "request": self.request.values(),
        }
        packed: list[bytes] = []
        self._scheduler.update(self._song, lambda song: packed.append(snapshots.pack(song, chunk, header)))
        return packed[0]

    def fork(self, at_frame: int | None = None) -> MusicGenStream:
        at, chunk = self._at(at_frame)
        song = self._scheduler.branch(self._song, chunk)
        return MusicGenStream(
            self.request, song, self._scheduler, self._config, self._fingerprint, self._understand, at
        )

    def marks(self, start: int, stop: int) -> Sequence[Mark]:
        schedule, hop = self._song.schedule, self._config.hop_samples
        first = schedule.prompt or "MusicGen"
        marks = [Mark(0, "piece", {"title": first, "prompt": schedule.prompt})]
        for steer in schedule.steers:
            needs_logits = (steer.step - self._song.lag - self._song.origin) * hop
            marks.append(Mark(max(0, needs_logits), "steer", {"prompt": steer.prompt}))
        return [mark for mark in marks if start <= mark.frame < stop]

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._scheduler.remove(self._song)
            self._current = None

    def _chunk(self, chunk: int) -> Samples:
        if self._current is None or self._current[0] != chunk:
            self._current = (chunk, self._scheduler.chunk(self._song, chunk).array())
        return self._current[1]

    def _at(self, at_frame: int | None) -> tuple[int, int]:
        if self._closed:
            raise StreamClosed("the stream was closed")
        at = self._position if at_frame is None else at_frame
        if not 0 <= at <= self._position:
            raise SnapshotError(f"at_frame: got {at}; allowed: 0 to {self._position}")
        return at, at // self._chunk_frames
