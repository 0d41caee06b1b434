"""An engine's stream at the station's rate and channels, counted in station frames.

A station counts frames once for its whole life, whatever engines come and go. ``StationStream`` maps between that
count and the frames of one engine's stream: for blocks, marks, beats and forks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..audio import Audio, Samples
from ..engines.base import Mark, Stream, Understanding
from ..errors import EngineFailed

RATE = 44100  # Hz, of every station
CHANNELS = 2
MAX_SAMPLE = 64.0  # full scale is 1; larger samples are a fault of the engine and would mute the master for minutes
_PREROLL_S = 0.1  # audio that a fork's resampler reads before its first frame, to sound like the original's


class StationStream:
    """Reads ``stream`` from its current position; its next frame is station frame ``origin``.

    Not thread-safe: one thread at a time.
    """

    def __init__(self, stream: Stream, origin: int) -> None:
        self.position = origin  # station frame of the next read
        self._stream = stream
        self._origin = origin
        self._begin = stream.position  # the stream's own frame at `origin`
        divisor = int(np.gcd(stream.rate, RATE))
        self._per_stream, self._per_station = stream.rate // divisor, RATE // divisor  # frames of equal duration
        self._resampler: Any = None
        self._surplus = np.zeros((0, CHANNELS), np.float32)  # resampled, not read yet
        if stream.rate != RATE:
            import soxr

            self._resampler = soxr.ResampleStream(stream.rate, RATE, CHANNELS, dtype="float32", quality="HQ")

    def read(self, frames: int) -> Samples:
        """Read exactly ``frames`` frames, (T, 2).

        Raises:
            EngineFailed: the stream broke, ended, or gave samples that cannot be aired.
        """
        if self._resampler is None:
            samples = self._pull(frames)
        else:
            parts, have = [self._surplus], len(self._surplus)
            while have < frames:
                pulled = self._pull(self._per_stream * max(1, (frames - have) // self._per_station + 1))
                part = self._resampler.resample_chunk(pulled)
                parts.append(part)
                have += len(part)
            joined = np.concatenate(parts)
            samples, self._surplus = joined[:frames], joined[frames:]
        self.position += frames
        return samples

    def marks(self, start: int, stop: int) -> list[Mark]:
        """The stream's marks in the station frames ``start <= frame < stop``."""
        found = self._stream.marks(self._to_stream(start), self._to_stream(stop) + 1)
        mapped = [Mark(self._to_station(m.frame), m.kind, m.data) for m in found]
        return [mark for mark in mapped if start <= mark.frame < stop]

    def beats(self, start: int, stop: int) -> list[int]:
        """The beats in the station frames ``start <= frame < stop``."""
        found = self._stream.beats(self._to_stream(start), self._to_stream(stop) + 1)
        return [frame for frame in map(self._to_station, found) if start <= frame < stop]

    def steer(self, prompt: str, over_s: float) -> Understanding:
        """Change the music to ``prompt`` from ``position`` on, within ``over_s`` seconds."""
        return self._stream.steer(prompt, over_s)

    def snapshot(self, at: int | None = None) -> tuple[int, bytes]:
        """A station frame at or just before ``at`` (None: ``position``), and the engine's snapshot at that frame.

        Raises:
            EngineError: the engine has no snapshots, or not at this frame.
        """
        if self._resampler is None:
            frame = self.position if at is None else at
            return frame, self._stream.snapshot(None if at is None else self._to_stream(at))
        frame = self._on_grid(self.position if at is None else self._before(at))
        return frame, self._stream.snapshot(self._to_stream(frame))

    def fork(self, frame: int) -> StationStream:
        """A second stream that gives the same samples from station frame ``frame`` until one of the two is steered.

        Raises:
            EngineError: the engine cannot fork, or not at this frame.
        """
        if self._resampler is None:
            return StationStream(self._stream.fork(self._to_stream(frame)), frame)
        start = self._on_grid(self._before(frame))
        forked = StationStream(self._stream.fork(self._to_stream(start)), start)
        forked.read(frame - start)
        return forked

    def close(self) -> None:
        self._stream.close()

    def _pull(self, frames: int) -> Samples:
        block: Audio = self._stream.read(frames)
        if block.frames < frames:
            raise EngineFailed(f"the stream ended {frames - block.frames} frames early; a station needs an endless one")
        if not (np.abs(block.samples) <= MAX_SAMPLE).all():
            raise EngineFailed(f"the engine gave samples that are not finite or exceed {MAX_SAMPLE:g} times full scale")
        return block.to_channels(CHANNELS).samples

    def _to_stream(self, frame: int) -> int:
        return self._begin + (frame - self._origin) * self._per_stream // self._per_station

    def _to_station(self, frame: int) -> int:
        return self._origin + -(-(frame - self._begin) * self._per_station // self._per_stream)

    def _before(self, frame: int) -> int:
        """Where a resampler has to begin, to sound from ``frame`` on like one that began earlier."""
        return max(self._origin, frame - round(_PREROLL_S * RATE))

    def _on_grid(self, frame: int) -> int:
        """The last station frame up to ``frame`` that falls exactly on a frame of the stream."""
        return frame - (frame - self._origin) % self._per_station
