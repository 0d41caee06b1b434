"""The parts of music one by one; knows the renderer, nothing of files.

Each stem has its own filter, effects, room, plate, dip under the kick and tape, and the gains that the bus (compressor,
saturation, the levels of sections) gave the whole mix at that sample. The stems therefore add up to the mix,
to within rounding. A stem may exceed full scale: to write integers, scale all stems by the same gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ....audio import Samples
from ..score import Bar
from .instruments.cache import SoundCache
from .renderer import Renderer, RendererState, empty_bar

EARLIER = "earlier"  # the stem of what still rings in room, plate and tape when the first bar begins


@dataclass(frozen=True)
class StemsState:
    """The state of a mix and of its stems between two bars."""

    mix: RendererState
    stems: tuple[RendererState, ...]

    @property
    def frame(self) -> int:
        """The next output frame."""
        return self.mix.frame


class StemsRenderer:
    """Plays bars in order as a ``Renderer`` does, each stem in two channels of its own, in the order of ``names``."""

    def __init__(self, seed: int, cache: SoundCache, state: RendererState | StemsState, names: Sequence[str]) -> None:
        if isinstance(state, RendererState):
            state = StemsState(state, tuple(_stem_state(state, name) for name in names))
        self._mix = Renderer(seed, cache, state.mix, keeps_gains=True)
        self._stems = [Renderer(seed, cache, one, only=name) for name, one in zip(names, state.stems, strict=True)]

    @property
    def state(self) -> StemsState:
        """What the next bar needs from the bars before it."""
        return StemsState(self._mix.state, tuple(stem.state for stem in self._stems))

    def render(self, bar: Bar) -> Samples:
        """The sound of a bar: (T, 2 S) of S stems, T = ``bar.frames``."""
        self._mix.render(bar)
        return np.concatenate([stem.render(bar, self._mix.gains) for stem in self._stems], axis=1)

    def rest(self, frames: int) -> Samples:
        """The tails of what was played so far, as if an empty bar followed."""
        return self.render(empty_bar(self._mix.state, frames))


def stem_names(state: RendererState, bars: Sequence[Bar], end_s: float) -> list[str]:
    """The stems of the music from ``state`` through ``bars`` that may be heard before the score's second ``end_s``.

    They are the parts, then "drums", "ambience", "noise" (crackle and hiss) and ``EARLIER``.
    """

    def begins(bar: Bar, start_s: float) -> bool:
        return bar.start_s + start_s < end_s

    names = {note.part for bar in bars for note in bar.notes if begins(bar, note.start_s)}
    names |= {note.part for note in state.sounding}
    names |= {name for name, part in state.parts.items() if part.lowpass.any() or part.chorus.any()}
    found = sorted(names)
    if state.struck or state.drums.any() or any(begins(bar, hit.start_s) for bar in bars for hit in bar.hits):
        found.append("drums")
    mixes = [bar.mix for bar in bars] + ([] if state.mix is None else [state.mix])
    if any(mix.ambience_lufs for mix in mixes):
        found.append("ambience")
    if any(max(mix.crackle_db, mix.hiss_db) > -100.0 for mix in mixes):
        found.append("noise")
    if any(kept.any() for kept in (state.room, state.plate, state.bus, state.tape)):
        found.append(EARLIER)
    return found


def _stem_state(state: RendererState, name: str) -> RendererState:
    """The share of a stem in the state of the whole mix."""
    fresh = RendererState()
    shared = state if name == EARLIER else fresh
    return replace(
        state,
        sounding=tuple(note for note in state.sounding if note.part == name),
        struck=state.struck if name == "drums" else (),
        parts={part: kept for part, kept in state.parts.items() if part == name},
        drums=state.drums if name == "drums" else fresh.drums,
        room=shared.room,
        plate=shared.plate,
        onsets=shared.onsets,
        bus=shared.bus,
        tape=shared.tape,
    )
