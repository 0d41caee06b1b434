"""The parts of finished music one by one; knows the renderer, nothing of files.

Stems are what reaches the bus: each part with its own filter, effects, room, plate, dip under the kick, tape and fades,
but before the bus compressor, the saturation and the swell at the joins of pieces, which hear everything at once and
cannot be divided. The sum of the stems is therefore the mix without those, to within rounding. A stem may exceed full
scale: to write integers, scale all stems by the same gain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....audio import Samples
from ..score import RATE, Bar
from .instruments.cache import SoundCache
from .renderer import LATENCY, Renderer


def stem_names(bars: Sequence[Bar], frames: int) -> list[str]:
    """The stems that are heard in ``frames``: the parts, then "drums", "ambience" and "noise" (crackle and hiss)."""
    end_s = (frames - LATENCY) / RATE
    names = sorted({n.part for bar in bars for n in bar.notes if bar.start_frame / RATE + n.start_s < end_s})
    if any(bar.start_frame / RATE + hit.start_s < end_s for bar in bars for hit in bar.hits):
        names.append("drums")
    if any(bar.mix.ambience_lufs for bar in bars):
        names.append("ambience")
    if any(max(bar.mix.crackle_db, bar.mix.hiss_db) > -100.0 for bar in bars):
        names.append("noise")
    return names


def render_stems(bars: Sequence[Bar], frames: int, seed: int, cache: SoundCache) -> dict[str, Samples]:
    """(T, 2) of each stem, T = ``frames``."""
    stems = {}
    for name in stem_names(bars, frames):
        renderer = Renderer(seed, cache, only=name)
        parts = [renderer.render(bar) for bar in bars]
        missing = frames - sum(map(len, parts))
        if missing > 0:
            parts.append(renderer.rest(missing))
        stems[name] = np.concatenate(parts)[:frames]
    return stems
