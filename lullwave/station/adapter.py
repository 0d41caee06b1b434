"""An engine's stream at the station's rate and channels, counted in station frames; knows no thread and no clock.

A station has one frame counter for life, whatever engines come and go. A feed maps between it and its stream's own
frames: for blocks, marks and beats, and for forks, which begin at any station frame.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..audio import Audio, Samples
from ..engines.base import Mark, Stream, Understanding
from ..errors import EngineFailed

RATE = 44100  # Hz, of every station
CHANNELS = 2
_PRIME_S = 0.1  # how much of the past a resampler is given so that a fork sounds as the original does
LOUDEST = 64.0  # of a sample, nominally 1: what is beyond it is no music


class StationStream:
    """Reads ``stream`` from where it is; its next frame is heard at station frame ``origin``."""

    def __init__(self, stream: Stream, origin: int) -> None:
        self.stream = stream
        self.position = origin  # the station frame that is read next
        self._origin = origin
        self._begin = stream.position  # the stream's frame at `origin`
        divisor = int(np.gcd(stream.rate, RATE))
        self._per_stream, self._per_station = stream.rate // divisor, RATE // divisor  # frames of equal length
        self._resampler: Any = None
        self._spare = np.zeros((0, CHANNELS), np.float32)  # resampled, not read yet
        if stream.rate != RATE:
            import soxr

            self._resampler = soxr.ResampleStream(stream.rate, RATE, CHANNELS, dtype="float32", quality="HQ")

    def read(self, frames: int) -> Samples:
        """Exactly ``frames`` frames, (T, 2).

        Raises:
            EngineFailed: the stream broke or ended, though a station's stream is endless.
        """
        if self._resampler is None:
            samples = self._pull(frames)
        else:
            parts, have = [self._spare], len(self._spare)
            while have < frames:
                pulled = self._pull(self._per_stream * max(1, (frames - have) // self._per_station + 1))
                part = self._resampler.resample_chunk(pulled)
                parts.append(part)
                have += len(part)
            joined = np.concatenate(parts)
            samples, self._spare = joined[:frames], joined[frames:]
        self.position += frames
        return samples

    def marks(self, start: int, stop: int) -> list[Mark]:
        """The stream's marks in the station frames ``start <= frame < stop``."""
        found = self.stream.marks(self._to_stream(start), self._to_stream(stop) + 1)
        mapped = [Mark(self._to_station(m.frame), m.kind, m.data) for m in found]
        return [mark for mark in mapped if start <= mark.frame < stop]

    def beats(self, start: int, stop: int) -> list[int]:
        """The beats in the station frames ``start <= frame < stop``."""
        found = self.stream.beats(self._to_stream(start), self._to_stream(stop) + 1)
        return [frame for frame in map(self._to_station, found) if start <= frame < stop]

    def move(self, frames: int) -> None:
        """Let everything be heard ``frames`` later than it was to be: for music that waits for its moment."""
        self._origin += frames
        self.position += frames

    def steer(self, prompt: str, over_s: float) -> Understanding:
        return self.stream.steer(prompt, over_s)

    def snapshot(self) -> tuple[int, bytes]:
        """A station frame at or just before ``position`` and the state from which it can be made again.

        Raises:
            EngineError: the engine has no snapshots.
        """
        if self._resampler is None:
            return self.position, self.stream.snapshot()
        frame = self._on_grid(self.position)
        return frame, self.stream.snapshot(self._to_stream(frame))

    def fork(self, frame: int) -> StationStream:
        """A second feed that sounds the same from station frame ``frame`` until one of the two is steered.

        Raises:
            EngineError: the engine cannot fork, or not there.
        """
        if self._resampler is None:
            return StationStream(self.stream.fork(self._to_stream(frame)), frame)
        start = self._on_grid(max(self._origin, frame - round(_PRIME_S * RATE)))
        forked = StationStream(self.stream.fork(self._to_stream(start)), start)
        forked.read(frame - start)
        return forked

    def close(self) -> None:
        self.stream.close()

    def _pull(self, frames: int) -> Samples:
        block: Audio = self.stream.read(frames)
        if block.frames < frames:
            raise EngineFailed(f"the music ended {frames - block.frames} frames early; a station's never ends")
        if not (np.abs(block.samples) <= LOUDEST).all():  # one would turn the master's gain down for minutes
            raise EngineFailed(f"the engine gave samples that are no numbers, or beyond {LOUDEST:g} times full scale")
        return block.to_channels(CHANNELS).samples

    def _to_stream(self, frame: int) -> int:
        return self._begin + (frame - self._origin) * self._per_stream // self._per_station

    def _to_station(self, frame: int) -> int:
        return self._origin + -(-(frame - self._begin) * self._per_station // self._per_stream)

    def _on_grid(self, frame: int) -> int:
        """The last station frame up to ``frame`` that falls exactly on a frame of the stream."""
        return frame - (frame - self._origin) % self._per_station
