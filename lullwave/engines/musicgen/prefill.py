"""Bringing a slot up to date: the past of a song through the decoder, a piece at a time; knows nothing of threads.

With 8-bit weights every position goes by itself through the same arithmetic as when the song was made, so that a song
taken up again goes on with the same bits. Otherwise positions go together, which is faster and equal to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .attention import Cache, Lane, Memory
from .conditioner import Conditioner
from .config import FRAME_RATE
from .decoder import Decoder
from .prompt_schedule import Window
from .song import Filled, Song

PIECE = 32  # positions of a piece: other songs wait no longer than that

_CHROMA_HOP = 4096  # samples between chroma frames, at the codec's rate


class Prefill:
    """Fills windows."""

    def __init__(self, decoder: Decoder, cache: Cache, conditioner: Conditioner) -> None:
        self._decoder, self._cache, self._conditioner = decoder, cache, conditioner

    def owed(self, song: Song) -> tuple[Window, int] | None:
        """A window of the song that lacks positions, and up to which; None when the song can step."""
        main, shadow = song.program.main(song.step), song.program.shadow(song.step)
        windows = [main] if shadow is None or self.unused(song, shadow) else [main, shadow]
        for window in windows:
            held = self.held(song, window)
            if held.count < song.step - window.first:
                return window, song.step - window.first
            held.count = song.step - window.first
        return None

    def slot(self, song: Song, window: Window) -> int:
        """Where a window is kept: two windows of a song take turns."""
        return song.slots[window.number % len(song.slots)]

    def held(self, song: Song, window: Window) -> Filled:
        """What the window's slot holds of it."""
        held = song.filled.setdefault(self.slot(song, window), Filled())
        if held.number != window.number:
            held.number, held.count, held.prefix = window.number, -1, 0
            if not self._decoder.shape.melody:
                held.count = 0
        return held

    @torch.inference_mode()
    def piece(self, song: Song, window: Window, until: int) -> None:
        """Fill some more of a window."""
        slot, held = self.slot(song, window), self.held(song, window)
        if held.count <= 0 and self._borrowed(song, window, held, slot, until):
            return
        if held.count < 0:
            prefix = self._conditioner.prefix(song.program, window, song.guided, self._tune(song, window))
            assert prefix is not None
            self._decoder.chunk(self._cache, slot, 0, prefix, (None,) * prefix.shape[0])
            held.count, held.prefix = 0, prefix.shape[1]
            return
        positions = range(held.count, min(held.count + PIECE, until))
        lanes = [self.lane(song, window, position, heard=False) for position in positions]
        if self._decoder.exact_in_company and self._decoder.device.type == "cpu":
            self._decoder.step(self._cache, lanes)
        else:
            for run in _runs(lanes):
                tokens = torch.stack([lane.inputs for lane in run]).to(self._decoder.device)
                self._decoder.chunk(self._cache, slot, run[0].position, tokens, run[0].memories)
        held.count = positions.stop

    def lane(self, song: Song, window: Window, position: int, heard: bool) -> Lane:
        """The lane of a position of a window."""
        memories: tuple[Memory | None, ...]
        memories = self._conditioner.memories(song.program, window.first + position, song.guided)
        held = self.held(song, window)
        inputs = song.inputs(window, position)
        return Lane(self.slot(song, window), held.prefix + position, inputs, memories, heard)

    def _borrowed(self, song: Song, window: Window, held: Filled, slot: int, until: int) -> bool:
        """Copy what another song with the same past still holds, instead of computing it again."""
        donor = song.donor
        if donor is None or not donor.slots:
            return False
        for source, other in donor.filled.items():
            count = min(other.count, until, song.shared - window.first)
            same = other.number == window.number and donor.program.begins(window) == song.program.begins(window)
            if same and source in donor.slots and count > max(held.count, 0):
                self._cache.copy(source, slot, other.prefix + count)
                held.count, held.prefix = count, other.prefix
                return True
        return False

    def unused(self, song: Song, window: Window) -> bool:
        """Whether a finite song ends before it comes to use a window."""
        end = song.last_step
        return end is not None and window.first + song.program.length - song.program.stride >= end

    def _tune(self, song: Song, window: Window) -> Tensor | None:
        """The melody from a window's first frame on: it begins with the song's own sound, and over again at its end."""
        if song.melody is None:
            return None
        first = (window.first - song.origin) * self._decoder.shape.rate // (FRAME_RATE * _CHROMA_HOP)
        return song.melody.roll(-first, 0)


def _runs(lanes: list[Lane]) -> list[list[Lane]]:
    """Neighbours that look at the same memories."""
    runs: list[list[Lane]] = []
    for lane in lanes:
        if runs and all(a is b for a, b in zip(runs[-1][0].memories, lane.memories, strict=True)):
            runs[-1].append(lane)
        else:
            runs.append([lane])
    return runs
