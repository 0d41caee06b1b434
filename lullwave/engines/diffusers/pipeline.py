"""Makes clips with a pipeline of diffusers, one at a time and exactly as long as asked; stops between two steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...audio import Audio, Samples, crossfade
from ...errors import EngineFailed, LullwaveError, StreamClosed
from .index import read_index
from .kinds import LoadedPipeline, Progress
from .modular import ModularPipeline
from .placement import Placement, place
from .standard import StandardPipeline

WAIT_S = 0.1  # how often a clip that waits for another one looks whether it was cancelled
MOST_MISSING = 0.1  # share of a clip that may be silent at its end
PAUSE_S = 1.0  # the longest pause after a song that ends before its clip
LEAST_SONG_S = 1.0  # a song that is shorter than this, and than half of what was asked for, counts as none
NO_SONGS = 4  # after as many in a row, the model is broken


@dataclass(frozen=True)
class Clip:
    """Everything that decides a clip."""

    prompt: str
    avoid: str
    seed: int
    length_s: float
    steps: int | None = None  # None: the pipeline's own
    guidance: float | None = None  # None: the pipeline's own
    extra: str = ""  # further arguments of the pipeline, as in ``PipelineSignature.parse_extra``
    crossfade_s: float = 2.0  # from a song that ends early into the next one


class ClipPipeline:
    """A loaded pipeline. Thread-safe: clips are made one after another."""

    def __init__(self, directory: Path, device: torch.device, dtype: str, offload: str) -> None:
        """Load a pipeline.

        Raises:
            CheckpointError: it is not one, or damaged.
            EngineError: it does not fit into the memory, or makes no audio from text.
        """
        index = read_index(directory)
        kind: type[LoadedPipeline] = ModularPipeline if index.modular else StandardPipeline
        self.kind, self._directory = index.kind, directory
        self.placement = place(index.weights, device, dtype, offload, kind.needs)
        self.loaded = kind(directory, self.placement, device)
        self.signature = self.loaded.signature
        self.rate, self.channels = self.loaded.rate, self.loaded.channels
        self.default_clip_s = self.loaded.own_length_s
        self._turn = threading.Lock()

    def make(self, clip: Clip, progress: Progress, cancelled: Callable[[], bool]) -> Audio:
        """Make a clip of ``clip.length_s`` seconds, exactly.

        Raises:
            InvalidInput: ``clip.extra`` is not understood.
            StreamClosed: ``cancelled()`` became true before the clip or between two steps.
            EngineFailed: the pipeline broke, or gave something that is no sound.
        """

        def after_step(done: int, total: int) -> None:
            progress(done, total or clip.steps or 0)
            if cancelled():
                raise StreamClosed("the stream was closed")

        with self._my_turn(cancelled):
            try:
                return self._filled(clip, after_step)
            except LullwaveError:
                raise
            except Exception as error:
                raise EngineFailed(f"{self.kind} broke: {type(error).__name__}: {error}") from error

    def reference(self, clip: Clip) -> Samples:
        """(T, C) of a clip by diffusers' own call, which may end early.

        In float32 on the CPU, but as it is loaded here where any other precision makes other music.
        """
        made_by = self.loaded
        if not made_by.samples_tokens:
            made_by = type(made_by)(self._directory, Placement(torch.float32, "none", False), torch.device("cpu"))
        with self._my_turn(lambda: False), _seeded(clip.seed) as generator:
            return made_by.plain(clip.prompt, generator, self._arguments(clip, clip.length_s))

    @contextmanager
    def _my_turn(self, cancelled: Callable[[], bool]) -> Iterator[None]:
        while not self._turn.acquire(timeout=WAIT_S):
            if cancelled():
                raise StreamClosed("the stream was closed")
        try:
            if cancelled():
                raise StreamClosed("the stream was closed")
            yield
        finally:
            self._turn.release()

    def _filled(self, clip: Clip, after_step: Progress) -> Audio:
        """A clip of one song, or of several where a model ends its songs early: each is crossfaded into the next.

        Song n of a clip is a function of the clip and n.
        """
        wanted = round(clip.length_s * self.rate)
        made = Audio.silence(0, self.rate, self.channels)
        number = in_vain = 0
        while not self._is_filled(wanted - made.frames, wanted):
            overlap = min(round(clip.crossfade_s * self.rate), made.frames // 3)
            asked = wanted - made.frames + overlap
            seed = derived_seed(clip.seed, number) if number else clip.seed
            song = self._song(clip, seed, asked, after_step)
            number += 1
            if song.frames < min(LEAST_SONG_S * self.rate, 0.5 * asked):
                in_vain += 1
                if in_vain == NO_SONGS:
                    raise EngineFailed(f"{self.kind} ended {NO_SONGS} songs in a row as soon as they began")
                continue
            in_vain = 0
            made = crossfade(made, song, min(overlap, song.frames // 3) / self.rate)
        return Audio(np.pad(made.samples[:wanted], ((0, max(0, wanted - made.frames)), (0, 0))), self.rate)

    def _is_filled(self, missing: int, wanted: int) -> bool:
        """Tell whether so little is missing that it can be silent."""
        pause = PAUSE_S * self.rate if self.loaded.ends_early else float(wanted)
        return missing <= min(MOST_MISSING * wanted, pause)

    def _song(self, clip: Clip, seed: int, asked: int, after_step: Progress) -> Audio:
        """What the pipeline makes in one run, at most ``asked`` frames.

        Raises:
            EngineFailed: it is no sound, or shorter than that though the pipeline never ends early.
        """
        with _seeded(seed) as generator:
            arguments = self._arguments(clip, asked / self.rate)
            samples = self.loaded.run(clip.prompt, generator, arguments, after_step)
        short = len(samples) < (1.0 - MOST_MISSING) * asked and not self.loaded.ends_early
        if samples.shape[1] != self.channels or short or not np.isfinite(samples).all():
            raise EngineFailed(
                f"{self.kind} gave {samples.shape[1]} channels of {len(samples)} frames; expected: {self.channels} "
                f"channels of {asked} finite frames"
            )
        return Audio(samples[:asked], self.rate)

    def _arguments(self, clip: Clip, length_s: float) -> dict[str, Any]:
        common = self.signature.arguments(clip.steps, clip.guidance, length_s, clip.avoid)
        return {**self.signature.parse_extra(clip.extra), **common}


def derived_seed(seed: int, number: int) -> int:
    """The seed of part ``number`` of something that has ``seed``."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def _seeded(seed: int) -> Iterator[torch.Generator]:
    """A generator; torch's global one, from which some pipelines draw too, is seeded inside the block and put back."""
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    try:
        with torch.inference_mode():
            yield torch.Generator("cpu").manual_seed(seed)
    finally:
        torch.random.set_rng_state(state)
