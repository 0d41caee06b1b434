"""Fills cache slots with the past of a song, piece by piece; knows nothing of threads.

With 8-bit weights every position is computed exactly as when the song was made, so that a resumed song continues with
the same bits. With other weights positions are computed together, which is faster and equal up to rounding.

While windows overlap, the next one is filled along with the song's steps: on a CPU several positions in one step, as
many rows in one step cost much less than a few in each.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .conditioner import Conditioner
from .model.attention import PromptKV, StepDecoder, StepInput
from .model.config import FRAME_RATE
from .model.kv_cache import KVCache
from .prompt_schedule import Window
from .song import SlotContents, Song

PIECE_POSITIONS = 32  # positions per piece: bounds how long other songs wait
TOGETHER = 15  # positions of the next window in one step on a CPU: 32 rows with guidance and the step itself

_CHROMA_HOP = 4096  # samples between chroma frames, at the codec's rate


class Prefill:
    """Fills the windows of songs into cache slots. Used under the scheduler's lock."""

    def __init__(self, decoder: StepDecoder, cache: KVCache, conditioner: Conditioner) -> None:
        self._decoder, self._cache, self._conditioner = decoder, cache, conditioner
        self._together = TOGETHER if self._exact else 1

    @property
    def _exact(self) -> bool:
        """Whether rows that are computed together have the same bits as one by one."""
        return self._decoder.batch_invariant and self._decoder.device.type == "cpu"

    def pending(self, song: Song) -> tuple[Window, int] | None:
        """A window that lacks positions and the position to fill it to; None if the song can step.

        The next window may lack those that a later step fills.
        """
        main, upcoming = song.schedule.window_at(song.step), song.schedule.next_window(song.step)
        windows = [main] if upcoming is None or self.never_used(song, upcoming) else [main, upcoming]
        for window in windows:
            contents, until = self.contents(song, window), song.step - window.first
            late = self._together - 1 if window is upcoming and contents.count >= 0 else 0
            if contents.count < until - late:
                return window, until
            contents.count = min(contents.count, until)
        return None

    def inputs(self, song: Song) -> tuple[StepInput, tuple[StepInput, ...]]:
        """The decoder inputs of a song's step: its own, and those that fill the next window, if any are due."""
        main, upcoming = song.schedule.window_at(song.step), song.schedule.next_window(song.step)
        item = self.step_input(song, main, song.step - main.first, needs_logits=True)
        self.contents(song, main).count = song.step - main.first + 1
        if upcoming is None or self.never_used(song, upcoming):
            return item, ()
        contents, until = self.contents(song, upcoming), song.step - upcoming.first + 1
        if until - contents.count < self._together:
            return item, ()
        positions = range(contents.count, until)
        contents.count = until
        return item, tuple(self.step_input(song, upcoming, position, needs_logits=False) for position in positions)

    def slot(self, song: Song, window: Window) -> int:
        """The slot of a window: the windows of a song use its slots in turn."""
        return song.slots[window.number % len(song.slots)]

    def contents(self, song: Song, window: Window) -> SlotContents:
        """What the slot holds of the window; reset if it holds another window."""
        contents = song.contents.setdefault(self.slot(song, window), SlotContents())
        if contents.number != window.number:
            contents.number, contents.count, contents.prefix = window.number, -1, 0
            if not self._decoder.config.melody:
                contents.count = 0
        return contents

    @torch.inference_mode()
    def fill_piece(self, song: Song, window: Window, until: int) -> None:
        """Fill the next piece of a window."""
        slot, contents = self.slot(song, window), self.contents(song, window)
        if contents.count <= 0 and self._copy_from_parent(song, window, contents, slot, until):
            return
        if contents.count < 0:
            prefix = self._conditioner.prefix(song.schedule, window, song.guided, self._chroma_from(song, window))
            assert prefix is not None
            self._decoder.chunk(self._cache, slot, 0, prefix, (None,) * prefix.shape[0])
            contents.count, contents.prefix = 0, prefix.shape[1]
            return
        positions = range(contents.count, min(contents.count + PIECE_POSITIONS, until))
        items = [self.step_input(song, window, position, needs_logits=False) for position in positions]
        if self._exact:
            self._decoder.step(self._cache, items)
        else:
            for run in _runs(items):
                tokens = torch.stack([item.inputs for item in run]).to(self._decoder.device)
                self._decoder.chunk(self._cache, slot, run[0].position, tokens, run[0].prompt_kvs)
        contents.count = positions.stop

    def step_input(self, song: Song, window: Window, position: int, needs_logits: bool) -> StepInput:
        """The decoder input for one position of a window."""
        prompt_kvs: tuple[PromptKV | None, ...]
        prompt_kvs = self._conditioner.prompt_kvs(song.schedule, window.first + position, song.guided)
        contents = self.contents(song, window)
        inputs = song.inputs(window, position)
        return StepInput(self.slot(song, window), contents.prefix + position, inputs, prompt_kvs, needs_logits)

    def _copy_from_parent(self, song: Song, window: Window, contents: SlotContents, slot: int, until: int) -> bool:
        """Copy the positions that the parent song still holds instead of computing them again."""
        parent = song.parent
        if parent is None or not parent.slots:
            return False
        for source, other in parent.contents.items():
            count = min(other.count, until, song.shared_steps - window.first)
            same_fill = parent.schedule.fill_step(window) == song.schedule.fill_step(window)
            same = same_fill and other.number == window.number
            if same and source in parent.slots and count > max(contents.count, 0):
                self._cache.copy(source, slot, other.prefix + count)
                contents.count, contents.prefix = count, other.prefix
                return True
        return False

    def never_used(self, song: Song, window: Window) -> bool:
        """Tell whether a finite song ends before it uses the window."""
        end = song.last_step
        return end is not None and window.first + song.schedule.length - song.schedule.stride >= end

    def _chroma_from(self, song: Song, window: Window) -> Tensor | None:
        """The melody from a window's first frame on; it starts at the song's origin and repeats."""
        if song.melody is None:
            return None
        first = (window.first - song.origin) * self._decoder.config.rate // (FRAME_RATE * _CHROMA_HOP)
        return song.melody.roll(-first, 0)


def _runs(items: list[StepInput]) -> list[list[StepInput]]:
    """Group neighbours that have the same prompts."""
    runs: list[list[StepInput]] = []
    for item in items:
        if runs and all(a is b for a, b in zip(runs[-1][0].prompt_kvs, item.prompt_kvs, strict=True)):
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs
