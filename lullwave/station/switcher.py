"""Puts readers on air: what they have read goes into the reserve, joined to what is there; knows no reason for it.

All calls from the producer's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..engines.base import Mark
from .adapter import RATE
from .crossfade import CROSSFADE_S, JoinWindow, choose_join, splice
from .reserve import Reserve, join
from .source import Source


class Switcher:
    """One reader at a time is on air."""

    def __init__(self, reserve: Reserve) -> None:
        self.reserve = reserve
        self.on_air: Source | None = None
        self._heard: Mapping[str, Any] = {}

    @property
    def reserve_s(self) -> float:
        return self.reserve.frames / RATE

    @property
    def stand_in(self) -> bool:
        """Whether something else than the station's own engine is on air."""
        return self.on_air is not None and bool(self.on_air.source)

    @property
    def settled(self) -> bool:
        """Whether the last crossfade is over, and another one has room after it."""
        return self.reserve.end >= self.reserve.faded_until + CROSSFADE_S * RATE

    def piece(self) -> Mapping[str, Any]:
        """What is known of the last piece that went into the reserve."""
        if self.on_air is not None and self.on_air.piece is not None:
            self._heard = self.on_air.piece.data
        return self._heard

    def transfer(self, target_s: float) -> None:
        """Fill the reserve up to ``target_s``; with all that there is from a reader that has ended."""
        with self.reserve.changed:
            reader = self.on_air
            while reader is not None and (reader.ended or self.reserve.frames < target_s * RATE):
                block = reader.take()
                if block is None:
                    return
                self.reserve.append(block)

    def follows(self, reader: Source) -> bool:
        """Whether what ``reader`` has next follows the reserve's end to the sample."""
        return reader.next_frame == self.reserve.end

    def put(
        self, reader: Source, place: Callable[[Reserve], JoinWindow], told: Mark | None = None, skip_s: float = 0.0
    ) -> int:
        """Let ``reader`` be heard from about ``place`` on; gives the frame. Up to ``skip_s`` of it may be left out.

        Where it goes on from the end of the reserve to the sample, nothing is heard of the change; else the two are
        crossfaded. ``told`` is marked at the beginning.
        """
        with self.reserve.changed:
            self.piece()
            while self.on_air is not None and (rest := self.on_air.take()) is not None:
                self.reserve.append(rest)
            if self.follows(reader):
                self.on_air = reader
                return self.reserve.end
            piece = reader.piece
            reader.offset = 0
            blocks = []
            while (block := reader.take()) is not None:
                blocks.append(block)
            assert blocks, "who is put on air has music"
            music = join(blocks)
            at, first = choose_join(self.reserve, place(self.reserve), music, round(skip_s * RATE))
            left_out = [m for m in music.marks if m.kind == "piece" and m.frame < first]
            piece = left_out[-1] if left_out else piece
            music, state = music.part(first, music.end), reader.state_at(first)
            earliest_join = first + CROSSFADE_S * RATE
            marks = [] if told is None else [told]
            if not any(m.kind == "piece" and m.frame < earliest_join for m in music.marks):
                marks.append(_piece(reader, piece, first))
            splice(self.reserve, at, music, state, marks)
            reader.offset = at - first
            self.on_air = reader
            return at


def _piece(reader: Source, piece: Mark | None, first: int) -> Mark:
    """What is heard when a reader begins in the middle of a piece."""
    if piece is None:
        data: dict[str, Any] = {"title": "", "prompt": reader.prompt}
        return Mark(first, "piece", data | ({"source": reader.source} if reader.source else {}))
    data = dict(piece.data)
    if data.get("frames"):
        data["frames"] = max(0, piece.frame + int(data["frames"]) - first)
    return Mark(first, "piece", data)
