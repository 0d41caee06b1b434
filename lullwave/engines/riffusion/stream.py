"""An endless stream of spectrogram tiles: walks seeds and prompts, joined column by column and phase by phase.

Every tile is made as a loop from the same seed image, so that its beat is where the last one's was. At a border the
last tile, which as a loop goes on past its end, gives way to the new one over half a second of columns; the sound of
both sides overlaps there and is joined with matched phase (``seams``). Knows nothing of how a tile is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...audio import Audio
from ...errors import EngineFailed, InvalidInput, LullwaveError, SnapshotError, StreamClosed
from ...request import Request
from ..base import Mark, Stream, Understanding
from . import phase_crossfade as seams
from .stream_state import Segment, Steer, pack, piece_title

Grey = npt.NDArray[np.uint8]

LEAD = 48  # columns over which a tile gives way to the next, and that overlap in sound: 0.48 s
BACK = 40  # columns before a border that are converted too, so that the conversion has no edge there
_MIN_REST_S = 0.6  # with less than this of a tile left, a change waits for the next tile
REWINDABLE_S = 60.0


class Studio(Protocol):
    """What a stream needs of its engine."""

    rate: int
    hop: int  # frames a column
    tile: int  # columns a tile
    beats: int | None  # beats a tile, where the seed image tells

    def draw(self, steers: Sequence[Steer], tile: int, at_frame: int, cancelled: Callable[[], bool]) -> Grey:
        """The grey image of a tile, a loop, with the prompt as it is at ``at_frame``."""

    def sound(self, columns: Grey) -> npt.NDArray[np.float32]:
        """(T,) the sound of columns: T = (columns - 1) x hop."""


class RiffusionStream(Stream):
    """See ``Stream``. Snapshots reach a minute back."""

    channels = 1

    def __init__(
        self,
        request: Request,
        studio: Studio,
        understand: Callable[[str], Understanding],
        restore: Callable[[bytes], RiffusionStream],
        segments: Sequence[Segment] = (),
        steers: Sequence[Steer] = (),
        position: int = 0,
    ) -> None:
        self.request = request
        self.rate = studio.rate
        self._studio = studio
        self._understand = understand
        self._restore = restore
        self._segments = list(segments)
        self._steers = list(steers) or [Steer(0, request.prompt, 0.0)]
        self._position = position
        self._closed = threading.Event()
        self._broken: LullwaveError | None = None

    @property
    def position(self) -> int:
        return self._position

    def read(self, frames: int) -> Audio:
        if frames < 1:
            raise InvalidInput("frames", frames, "at least 1")
        self._check_open()
        if self.total_frames is not None:
            frames = min(frames, self.total_frames - self._position)
        parts: list[npt.NDArray[np.float32]] = []
        missing = frames
        while missing > 0:
            if not self._segments or self._segments[-1].stop <= self._position:
                self._next()
            segment = next(s for s in self._segments if s.start <= self._position < s.stop)
            taken = segment.samples[self._position - segment.start : segment.stop - segment.start][:missing]
            parts.append(taken)
            self._position += len(taken)
            missing -= len(taken)
        whole = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        if self.total_frames is not None:
            whole = _faded(whole, self._position - len(whole), self.total_frames, self.rate)
        return Audio(np.ascontiguousarray(whole[:, None]), self.rate)

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        self._check_open()
        understood = self._understand(prompt)
        if not 0 <= over_s <= 600:
            raise InvalidInput("over_s", over_s, "a number from 0 to 600 seconds")
        self._steers.append(Steer(self._position, prompt, over_s))
        if self._segments and (last := self._segments[-1]).stop - self._position > _MIN_REST_S * self.rate:
            hop = self._studio.hop
            columns = max(1, -(-(self._position - last.start) // hop))
            self._segments[-1] = replace(last, stop=last.start + columns * hop, cut_at=self._position)
        return understood

    def snapshot(self, at_frame: int | None = None) -> bytes:
        self._check_open()
        at = self._position if at_frame is None else at_frame
        oldest = self._segments[0].start if self._segments else self._position
        if not oldest <= at <= self._position:
            raise SnapshotError(f"at_frame: got {at}; allowed: from {oldest} to {self._position}")
        steers = [steer for steer in self._steers if steer.frame <= at]
        holding = [segment for segment in self._segments if segment.start <= at][-1:]
        kept = [s if s.cut_at is None or s.cut_at <= at else s.whole() for s in holding]
        return pack(self.request, at, steers, kept)

    def fork(self, at_frame: int | None = None) -> RiffusionStream:
        return self._restore(self.snapshot(at_frame))

    def marks(self, start: int, stop: int) -> Sequence[Mark]:
        found = []
        for n, steer in enumerate(self._steers):
            if start <= steer.frame < stop:
                data: dict[str, Any] = {"prompt": steer.prompt}
                if n == 0:
                    data["title"] = piece_title(steer.prompt)
                    if self._studio.beats:
                        seconds = self._studio.tile * self._studio.hop / self.rate
                        data["tempo_bpm"] = 60 * self._studio.beats / seconds
                found.append(Mark(steer.frame, "piece" if n == 0 else "steer", data))
        return found

    def beats(self, start: int, stop: int) -> Sequence[int]:
        if not self._studio.beats:
            return ()
        length = self._studio.tile * self._studio.hop / self._studio.beats
        first = int(np.ceil(start / length))
        last = int(np.ceil(stop / length))
        return [frame for n in range(first, last) if start <= (frame := round(n * length)) < stop]

    def close(self) -> None:
        self._closed.set()

    def _next(self) -> None:
        """Make the segment that begins where the last one stops."""
        studio, hop = self._studio, self._studio.hop
        last = self._segments[-1] if self._segments else None
        start = last.stop if last else 0
        tile, column = divmod(start // hop, studio.tile)
        end = (tile + 1) * studio.tile * hop
        try:
            drawn = studio.draw(self._steers, tile, end, self._closed.is_set)
            columns = drawn if last is None else _led_over(last.columns, drawn, column)
            samples = self._sound_of(columns, drawn, last, column)
        except LullwaveError as error:
            if self._closed.is_set():
                raise StreamClosed("the stream was closed") from error
            raise
        except Exception as error:
            self._broken = EngineFailed(f"a tile could not be made: {type(error).__name__}: {error}")
            raise self._broken from error
        if last is not None:
            after = last.samples[last.stop - last.start :]
            overlap = min(len(after), LEAD * hop, len(samples))
            samples[:overlap] = seams.joined(after[:overlap], samples[:overlap])
        self._segments.append(Segment(start, end, drawn, samples))
        oldest = self._position - round(REWINDABLE_S * self.rate)
        while len(self._segments) > 2 and self._segments[1].stop < oldest:
            self._segments.pop(0)

    def _sound_of(self, columns: Grey, drawn: Grey, last: Segment | None, column: int) -> npt.NDArray[np.float32]:
        """The samples from ``column`` to the end of the tile, and ``LEAD`` columns of its loop beyond."""
        hop, tile = self._studio.hop, self._studio.tile
        before = (last.columns if last else drawn)[:, np.arange(column - BACK, column) % tile]
        beyond = drawn[:, np.arange(tile, tile + LEAD + 1) % tile]
        wide = np.concatenate([before, columns[:, column:], beyond], axis=1)
        return self._studio.sound(wide)[BACK * hop :].copy()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise StreamClosed("the stream was closed")
        if self._broken is not None:
            raise self._broken


def _led_over(before: Grey, after: Grey, column: int) -> Grey:
    """``after``, with the columns from ``column`` on mixed from both at first."""
    mixed = after.copy()
    width = min(LEAD, after.shape[1] - column)
    share = (np.arange(width) + 0.5) / width
    there = np.arange(column, column + width)
    mixed[:, there] = np.rint(before[:, there] * (1 - share) + after[:, there] * share).astype(np.uint8)
    return mixed


def _faded(samples: npt.NDArray[np.float32], start: int, total: int, rate: int) -> npt.NDArray[np.float32]:
    """A finite stream fades out over its last 50 ms, so that it does not end in a click."""
    left = total - (start + np.arange(len(samples)))
    length = min(total, round(0.05 * rate))
    return samples * np.clip(left / length, 0, 1).astype(np.float32)
