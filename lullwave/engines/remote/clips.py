"""A stream cut of whole clips: each into the next by an equal-power crossfade; knows not where they come from."""

from __future__ import annotations

from collections.abc import Sequence

from ...audio import Audio, crossfade
from ...codecs import decode
from ...errors import CodecError, EngineError, EngineLost, InvalidInput, StreamClosed
from ...request import Request
from ..base import Mark, Stream, Understanding
from .crate import Crate

RATE = 44100  # Hz; clips of other rates are converted
CHANNELS = 2
OVERLAP_S = 5.0  # of two clips; the page of the old system faded for as long
SHORTEST_S = 3.0  # what is shorter is no music
LONGEST_S = 1800.0
MARKS_KEPT = 64


class ClipStream(Stream):
    """Plays what comes, without an end. It cannot be steered: an old server knows no prompts."""

    rate = RATE
    channels = CHANNELS

    def __init__(self, request: Request, crate: Crate) -> None:
        self.request = request
        self._crate = crate
        self._position = 0
        self._ready = Audio.silence(0, RATE, CHANNELS)  # not read yet; its end may still be crossfaded
        self._overlap_s = 0.0  # from the end of `_ready` into the next clip
        self._count = 0
        self._marks: list[Mark] = []
        self._closed = False

    @property
    def position(self) -> int:
        return self._position

    def read(self, frames: int) -> Audio:
        if frames < 0:
            raise InvalidInput("frames", frames, "a number of frames, at least 0")
        if self.total_frames is not None:
            frames = min(frames, self.total_frames - self._position)
        while self._ready.frames - round(self._overlap_s * RATE) < frames:
            self._join(self._next())
        if self._closed:
            raise StreamClosed("the stream was closed")
        audio, self._ready = self._ready[:frames], self._ready[frames:]
        self._position += audio.frames
        return audio

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        raise EngineError("the music comes from an old inference server, which takes no wishes")

    def marks(self, start: int, stop: int) -> Sequence[Mark]:
        return [mark for mark in self._marks if start <= mark.frame < stop]

    def close(self) -> None:
        self._closed = True
        self._crate.wake()

    def _join(self, clip: Audio) -> None:
        """Let ``clip`` follow what is ready."""
        overlap_s = min(self._overlap_s, clip.duration_s / 3.0)
        begin = self._position + max(0, self._ready.frames - round(overlap_s * RATE))
        self._ready = crossfade(self._ready, clip, overlap_s)
        self._overlap_s = min(OVERLAP_S, clip.duration_s / 3.0)
        self._count += 1
        data = {"title": f"Clip {self._count}", "prompt": "", "frames": clip.frames}
        self._marks = [*self._marks[-MARKS_KEPT:], Mark(begin, "piece", data)]

    def _next(self) -> Audio:
        """The next clip as this stream has it.

        Raises:
            EngineLost: none comes, or what came is none.
        """
        data = self._crate.take(lambda: self._closed)
        try:
            clip = decode(data, LONGEST_S)
        except CodecError as error:
            raise EngineLost(f"what the server sent is no clip: {error}") from None
        if clip.duration_s < SHORTEST_S:
            raise EngineLost(
                f"the server sent a clip of {clip.duration_s:.1f} seconds; allowed: {SHORTEST_S:g} or more"
            )
        if clip.channels > CHANNELS:
            clip = Audio(clip.samples[:, :CHANNELS].copy(), clip.rate)
        return clip.to_channels(CHANNELS).resample(RATE)
