"""An endless stream of spectrogram tiles, crossfaded column by column and with matched phase.

Every tile is a loop made from the same seed image, so that its beats fall where those of the last tile fell. At a
border the last tile goes on as a loop and is crossfaded into the new one over half a second of columns. The sounds of
both sides overlap there and are joined by ``phase_crossfade``.
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
from ..base import Mark, Stream, Understanding, check_over_s
from ..steers import Steer
from .phase_crossfade import join_overlap
from .stream_state import Segment, pack, piece_title

Grey = npt.NDArray[np.uint8]

CROSSFADE = 48  # columns, 0.48 s: less than a beat, long enough to hide a change of texture
CONTEXT = 40  # columns before a border that are converted too, so that the conversion has no edge there
_MIN_REST_S = 0.6  # seconds; a change of prompt later than this before the end of a tile waits for the next tile
REWINDABLE_S = 60.0  # seconds that snapshots reach back
_FADE_OUT_S = 0.05  # seconds at the end of a finite stream, against a click


class TileSource(Protocol):
    """Makes the tiles of a stream and converts them to sound."""

    rate: int
    hop: int  # frames per column
    tile: int  # columns per tile
    beats: int | None  # beats per tile, if the seed image says so

    def draw(self, steers: Sequence[Steer], tile: int, at_frame: int, cancelled: Callable[[], bool]) -> Grey:
        """(F, columns): the grey image of tile number ``tile``, a loop, with the prompt as it is at ``at_frame``."""

    def samples(self, columns: Grey) -> npt.NDArray[np.float32]:
        """(T,) the sound of (F, columns): T = (columns - 1) x hop."""


class RiffusionStream(Stream):
    """A stream of one request. Snapshots reach a minute back. One thread, except ``close``."""

    channels = 1

    def __init__(
        self,
        request: Request,
        tiles: TileSource,
        understand: Callable[[str], Understanding],
        restore: Callable[[bytes], RiffusionStream],
        segments: Sequence[Segment] = (),
        steers: Sequence[Steer] = (),
        position: int = 0,
    ) -> None:
        self.request = request
        self.rate = tiles.rate
        self._tiles = tiles
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
        if frames < 0:
            raise InvalidInput("frames", frames, "a number of frames, at least 0")
        self._check_open()
        if self.total_frames is not None:
            frames = min(frames, self.total_frames - self._position)
        parts: list[npt.NDArray[np.float32]] = []
        missing = frames
        while missing > 0:
            if not self._segments or self._segments[-1].stop <= self._position:
                self._add_segment()
            segment = next(s for s in self._segments if s.start <= self._position < s.stop)
            taken = segment.samples[self._position - segment.start : segment.stop - segment.start][:missing]
            parts.append(taken)
            self._position += len(taken)
            missing -= len(taken)
        whole = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        if self.total_frames is not None:
            whole = _fade_out(whole, self._position - len(whole), self.total_frames, self.rate)
        return Audio(np.ascontiguousarray(whole[:, None]), self.rate)

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        self._check_open()
        understood = self._understand(prompt)
        check_over_s(over_s)
        self._steers.append(Steer(self._position, prompt, over_s))
        if self._segments and (last := self._segments[-1]).stop - self._position > _MIN_REST_S * self.rate:
            hop = self._tiles.hop
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
                    if self._tiles.beats:
                        seconds = self._tiles.tile * self._tiles.hop / self.rate
                        data["tempo_bpm"] = 60 * self._tiles.beats / seconds
                found.append(Mark(steer.frame, "piece" if n == 0 else "steer", data))
        return found

    def beats(self, start: int, stop: int) -> Sequence[int]:
        if not self._tiles.beats:
            return ()
        length = self._tiles.tile * self._tiles.hop / self._tiles.beats
        first = int(np.ceil(start / length))
        last = int(np.ceil(stop / length))
        return [frame for n in range(first, last) if start <= (frame := round(n * length)) < stop]

    def close(self) -> None:
        self._closed.set()

    def _add_segment(self) -> None:
        """Make the segment after the last one."""
        tiles, hop = self._tiles, self._tiles.hop
        last = self._segments[-1] if self._segments else None
        start = last.stop if last else 0
        tile, column = divmod(start // hop, tiles.tile)
        end = (tile + 1) * tiles.tile * hop
        try:
            drawn = tiles.draw(self._steers, tile, end, self._closed.is_set)
            columns = drawn if last is None else _crossfade(last.columns, drawn, column)
            samples = self._samples_of(columns, drawn, last, column)
        except LullwaveError as error:
            if self._closed.is_set():
                raise StreamClosed("the stream was closed") from error
            raise
        except Exception as error:
            self._broken = EngineFailed(f"the tile could not be made: {type(error).__name__}: {error}")
            raise self._broken from error
        if last is not None:
            after = last.samples[last.stop - last.start :]
            overlap = min(len(after), CROSSFADE * hop, len(samples))
            samples[:overlap] = join_overlap(after[:overlap], samples[:overlap])
        self._segments.append(Segment(start, end, drawn, samples))
        oldest = self._position - round(REWINDABLE_S * self.rate)
        while len(self._segments) > 2 and self._segments[1].stop < oldest:
            self._segments.pop(0)

    def _samples_of(self, columns: Grey, drawn: Grey, last: Segment | None, column: int) -> npt.NDArray[np.float32]:
        """Samples from ``column`` to the end of the tile and ``CROSSFADE`` columns of its loop beyond."""
        hop, tile = self._tiles.hop, self._tiles.tile
        before = (last.columns if last else drawn)[:, np.arange(column - CONTEXT, column) % tile]
        beyond = drawn[:, np.arange(tile, tile + CROSSFADE + 1) % tile]
        wide = np.concatenate([before, columns[:, column:], beyond], axis=1)
        return self._tiles.samples(wide)[CONTEXT * hop :].copy()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise StreamClosed("the stream was closed")
        if self._broken is not None:
            raise self._broken


def _crossfade(before: Grey, after: Grey, column: int) -> Grey:
    """``after``, crossfaded from ``before`` over the first columns from ``column`` on."""
    mixed = after.copy()
    width = min(CROSSFADE, after.shape[1] - column)
    share = (np.arange(width) + 0.5) / width
    there = np.arange(column, column + width)
    mixed[:, there] = np.rint(before[:, there] * (1 - share) + after[:, there] * share).astype(np.uint8)
    return mixed


def _fade_out(samples: npt.NDArray[np.float32], start: int, total: int, rate: int) -> npt.NDArray[np.float32]:
    """Fade out the end of a finite stream of ``total`` frames; ``start`` is the frame of ``samples[0]``."""
    left = total - (start + np.arange(len(samples)))
    length = min(total, round(_FADE_OUT_S * rate))
    return samples * np.clip(left / length, 0, 1).astype(np.float32)
