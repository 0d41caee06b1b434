"""Puts sources on air: moves their blocks into the reserve, and crossfades from one source to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..engines.base import Mark
from .adapter import RATE
from .crossfade import CROSSFADE_S, JoinWindow, choose_join, splice
from .reserve import Reserve, join
from .source import Source


class Switcher:
    """One source at a time is on air. Producer thread only, except for ``on_air``, which any thread may read."""

    def __init__(self, reserve: Reserve) -> None:
        self.reserve = reserve
        self.on_air: Source | None = None
        self._last_piece: Mapping[str, Any] = {}

    @property
    def reserve_s(self) -> float:
        return self.reserve.frames / RATE

    @property
    def on_fallback(self) -> bool:
        """Whether a fallback is on air."""
        return self.on_air is not None and bool(self.on_air.tag)

    @property
    def settled(self) -> bool:
        """Whether the last crossfade is over, with room for another one after it."""
        return self.reserve.end >= self.reserve.faded_until + CROSSFADE_S * RATE

    def piece(self) -> Mapping[str, Any]:
        """The data of the last piece that began in the reserve."""
        if self.on_air is not None and self.on_air.piece is not None:
            self._last_piece = self.on_air.piece.data
        return self._last_piece

    def transfer(self, target_s: float) -> None:
        """Fill the reserve up to ``target_s`` from the source on air; empty a source that has ended."""
        with self.reserve.lock:
            source = self.on_air
            while source is not None and (source.ended or self.reserve.frames < target_s * RATE):
                block = source.take()
                if block is None:
                    return
                self.reserve.append(block)

    def is_contiguous(self, source: Source) -> bool:
        """Whether the next block of ``source`` continues the reserve, sample for sample."""
        return source.next_frame == self.reserve.end

    def switch_to(
        self,
        source: Source,
        window: Callable[[Reserve], JoinWindow],
        mark: Mark | None = None,
        skip_s: float = 0.0,
    ) -> int:
        """Put ``source`` on air within ``window``; returns its first station frame, which gets ``mark``.

        A contiguous source just goes on; any other is crossfaded in, and up to ``skip_s`` of it may be dropped.
        """
        with self.reserve.lock:
            self.piece()
            while self.on_air is not None and (rest := self.on_air.take()) is not None:
                self.reserve.append(rest)
            if self.is_contiguous(source):
                self.on_air = source
                return self.reserve.end
            piece = source.piece
            source.offset = 0
            blocks = []
            while (block := source.take()) is not None:
                blocks.append(block)
            assert blocks, "a source goes on air only with music"
            music = join(blocks)
            at, first = choose_join(self.reserve, window(self.reserve), music, round(skip_s * RATE))
            dropped = [m for m in music.marks if m.kind == "piece" and m.frame < first]
            piece = dropped[-1] if dropped else piece
            music, origin = music.part(first, music.end), source.restore_point(first)
            faded = first + CROSSFADE_S * RATE
            marks = [] if mark is None else [mark]
            if not any(m.kind == "piece" and m.frame < faded for m in music.marks):
                marks.append(_piece_mark(source, piece, first))
            splice(self.reserve, at, music, origin, marks)
            source.offset = at - first
            self.on_air = source
            return at


def _piece_mark(source: Source, piece: Mark | None, first: int) -> Mark:
    """The mark for a source that begins in the middle of ``piece``."""
    if piece is None:
        data: dict[str, Any] = {"title": "", "prompt": source.prompt}
        return Mark(first, "piece", data | ({"source": source.tag} if source.tag else {}))
    data = dict(piece.data)
    if data.get("frames"):
        data["frames"] = max(0, piece.frame + int(data["frames"]) - first)
    return Mark(first, "piece", data)
